"""Features by which classes can be told."""

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from napari_spheroseg.classification.crops import objects_of
from napari_spheroseg.classification.features import features, plane_features_steps
from napari_spheroseg.classification.grey import MEASURES
from napari_spheroseg.errors import BadImage


@pytest.fixture
def two(disc):
    """Labels of two equal discs."""
    labels = np.zeros((80, 140), np.int32)
    labels[disc(labels.shape, (40, 35), 20)] = 4
    labels[disc(labels.shape, (40, 105), 20)] = 9
    return labels


def blurred(plane, sigma):
    import cv2

    return cv2.GaussianBlur(plane, (0, 0), sigma)


def test_shape_alone_needs_no_image(two):
    table = features(two)
    assert table["label"].tolist() == [4, 9]
    assert "area_px2" in table
    assert "mean_intensity" not in table
    assert table["circularity"].to_numpy() == pytest.approx(1, abs=0.02)


def test_measures_do_not_depend_on_how_objects_are_numbered(disc, monkeypatch):
    labels = np.zeros((200, 60), np.int32)
    for number, (row, radius) in enumerate([(20, 6), (60, 15), (110, 10), (170, 20)], start=1):
        labels[disc(labels.shape, (row, 30), radius)] = number
    whole = features(labels).set_index("label")
    monkeypatch.setattr("napari_spheroseg.classification.features._AT_ONCE", 2)
    turned = np.array([0, 3, 1, 4, 2])
    found = features(turned[labels]).set_index("label")
    for number, other in enumerate(turned[1:], start=1):
        assert found.loc[other].equals(whole.loc[number].rename(other))


def test_units_are_in_the_names(two):
    table = features(two, pixel_size=0.5)
    assert table["equivalent_diameter_um"].to_numpy() == pytest.approx(20, abs=0.2)


def test_intensity_is_that_of_the_object(two):
    plane = np.where(two == 4, 10.0, np.where(two == 9, 30.0, 2.0))
    table = features(two, plane).set_index("label")
    assert table.loc[4, "mean_intensity"] == 10
    assert table.loc[9, ["min_intensity", "max_intensity"]].tolist() == [30, 30]
    assert table.loc[9, "contrast"] == pytest.approx(1)


def test_gain_and_offset_change_no_share(two):
    plane = np.random.default_rng(0).random(two.shape).astype(np.float32)
    named = ["contrast", "edge_contrast", "variation", "texture_fine", "gradient", "sharpness"]
    one, other = features(two, plane)[named], features(two, 50 * plane + 7)[named]
    np.testing.assert_allclose(one, other, rtol=1e-3)


def test_a_blurred_object_is_less_sharp(two):
    noise = np.random.default_rng(0).random(two.shape).astype(np.float32)
    plane = np.where(two == 4, blurred(noise, 3), noise)
    table = features(two, plane).set_index("label")
    assert table.loc[4, "sharpness"] < table.loc[9, "sharpness"]
    assert table.loc[4, "texture_fine"] < table.loc[9, "texture_fine"]


def test_patterns_are_shares_of_an_objects_pixels(two):
    plane = np.random.default_rng(0).random(two.shape)
    shares = features(two, plane).filter(like="pattern_")
    assert shares.shape == (2, 10)
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1)


def test_a_stack_names_its_frames(two):
    table = features(np.stack([two, two]), np.zeros((2, *two.shape)) + two)
    assert table["t"].tolist() == [0, 0, 1, 1]


def test_what_a_flat_plane_does_not_say_is_nan(two):
    table = features(two, np.full(two.shape, 7.0))
    assert table["contrast"].isna().all()
    assert table["mean_intensity"].tolist() == [7, 7]


def test_an_object_of_one_pixel_has_features():
    labels = np.zeros((9, 9), int)
    labels[4, 4] = 1
    table = features(labels, np.random.default_rng(0).random((9, 9)))
    assert table["area_px2"].tolist() == [1]


def test_no_objects_are_a_table_of_the_same_columns(two):
    plane = np.random.default_rng(0).random(two.shape)
    empty = features(np.zeros_like(two), plane)
    assert list(empty) == list(features(two, plane))
    assert len(empty) == 0


def test_labels_of_another_shape_are_refused(two):
    with pytest.raises(BadImage, match="not of an image"):
        features(two[:10], np.zeros(two.shape))


def test_a_boolean_image_counts_as_0_and_1(two):
    table = features(two, two == 4).set_index("label")
    assert table["mean_intensity"].to_dict() == {4: 1, 9: 0}


def test_labels_above_what_a_table_holds_are_refused_not_wrapped(two):
    with pytest.raises(BadImage, match="more than can be told apart"):
        features(np.where(two > 0, two.astype(np.uint64) + np.uint64(2**63), np.uint64(0)))


def test_many_objects_are_described_step_by_step(monkeypatch):
    """So that whoever waits can stop; what they are does not depend on the steps."""
    labels = np.zeros((60, 60), np.int32)
    for number in range(36):
        y, x = divmod(number, 6)
        labels[y * 10 : y * 10 + 4 + number % 5, x * 10 : x * 10 + 3] = 100 - number
    image = np.random.default_rng(0).random(labels.shape, dtype=np.float32)
    at_once = features(labels, image)
    monkeypatch.setattr("napari_spheroseg.classification.features._AT_ONCE", 5)
    seen = list(plane_features_steps(objects_of(labels), image))
    assert seen[0].done == 1
    assert len(seen) > 36 / 5 + len(MEASURES)
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    assert seen[-1].done <= seen[-1].total
    assert_frame_equal(features(labels, image), at_once, rtol=1e-6)  # OpenCV's last digits vary
