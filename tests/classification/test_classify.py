"""From image and labels to a table of classes."""

import sys

import dask.array as da
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from napari_spheroseg.classification.result import class_map, count
from napari_spheroseg.classification.run import classify, classify_steps, open_judge
from napari_spheroseg.errors import BadImage, BadSetting, Cancelled
from napari_spheroseg.inference.frames import Frames

CLASSES = ("single-cell", "clump", "noise")


def as_published(image, labels, number, size):
    """What is known of HiTMicTools' crops, with torch."""
    rows, columns = np.nonzero(labels == number)
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    crop = torch.from_numpy(np.where(labels[box] == number, image[box], 0)).float()[None, None]
    height, width = crop.shape[2:]
    if max(height, width) > size:
        scale = min(size / height, size / width)
        shape = max(1, int(height * scale)), max(1, int(width * scale))
        crop = F.interpolate(
            crop, size=shape, mode="bilinear", align_corners=False, antialias=False
        )
    down, across = size - crop.shape[2], size - crop.shape[3]
    return F.pad(crop, (across // 2, across - across // 2, down // 2, down - down // 2))


def test_probabilities_are_those_of_a_plain_loop_in_pytorch(image, labels, classifier, network):
    table = classify(image, labels, classifier, backend="torch")
    for row in table.to_dict("records"):
        with torch.inference_mode():
            scores = network(as_published(image, labels, row["label"], 16))[0]
        expected = scores.softmax(0).numpy()
        found = [row[f"probability_{name}"] for name in CLASSES]
        assert found == pytest.approx(expected, abs=1e-5)
        assert row["class"] == CLASSES[expected.argmax()]


def test_a_row_is_an_object_and_columns_have_their_names(image, labels, classifier):
    table = classify(image, labels, classifier)
    assert table["label"].tolist() == [2, 7, 12, 31, 32, 900]
    assert list(table) == ["label", "class", *(f"probability_{name}" for name in CLASSES)]
    assert table.filter(like="probability").sum(axis=1).to_numpy() == pytest.approx(1)
    assert table.attrs["recipe"]["sha256"] == classifier.metadata.sha256


def test_a_stack_names_the_frame_as_the_table_of_a_segmentation_does(image, labels, classifier):
    stack, both = np.stack([image, image]), np.stack([labels, np.where(labels == 12, 5, 0)])
    table = classify(stack, both, classifier, axes="ZYX")
    assert list(table)[:3] == ["label", "z", "class"]
    assert table["z"].tolist() == [0] * 6 + [1]


def test_frames_choose(image, labels, classifier):
    table = classify(np.stack([image] * 3), np.stack([labels] * 3), classifier, frames=[(2,)])
    assert set(table["t"]) == {2}


def test_dask_gives_what_numpy_gives(image, labels, classifier):
    stack, both = np.stack([image] * 2), np.stack([labels] * 2)
    lazy = classify(da.from_array(stack), da.from_array(both), classifier, backend="torch")
    assert lazy.equals(classify(stack, both, classifier, backend="torch"))


def test_a_channel_is_looked_at_alone(image, labels, classifier):
    channels = np.stack([np.zeros_like(image), image])
    table = classify(channels, labels, classifier, axes="CYX", channel=1, backend="torch")
    assert table.equals(classify(image, labels, classifier, backend="torch"))


def test_no_objects_are_an_empty_table_with_its_columns(image, classifier):
    table = classify(image, np.zeros((60, 80), int), classifier)
    assert len(table) == 0
    assert list(table)[-1] == "probability_noise"


def test_labels_of_another_shape_are_refused_before_a_model_is_loaded(image, labels):
    with pytest.raises(BadImage, match=r"\(50, 80\) are not of an image of shape \(60, 80\)"):
        classify(image, labels[:50], "no_such_model")


def test_an_image_in_the_place_of_labels_is_refused(image, classifier):
    with pytest.raises(BadImage, match="no whole numbers"):
        classify(image, image, classifier)


def test_an_image_without_a_number_is_refused(image, labels, classifier):
    with pytest.raises(BadImage, match="number"):
        classify(np.full_like(image, np.nan), labels, classifier)


def test_objects_of_a_frame_without_a_number_have_no_class(image, labels, classifier):
    stack = np.stack([np.full_like(image, np.nan), image])
    table = classify(stack, np.stack([labels] * 2), classifier)
    blind = table[table["t"] == 0]
    assert blind["class"].isna().all()
    assert blind["probability_clump"].isna().all()
    assert "1 of 2 frames" in table.attrs["warnings"][0]
    assert table[table["t"] == 1]["class"].notna().all()


def test_grey_values_that_the_network_does_not_know_are_told(image, labels, classifier):
    table = classify(255 * image, labels, classifier)
    assert "expects grey values from 0 to 1" in table.attrs["warnings"][0]
    stretched = classify(255 * image, labels, classifier, intensity="percentile", low=0, high=100)
    assert stretched.attrs["warnings"] == []


def test_a_model_for_something_else_is_refused(image, labels, bright):
    with pytest.raises(BadSetting, match="for segmentation"):
        classify(image, labels, bright)


def test_a_setting_that_does_not_exist_is_refused(image, labels, classifier):
    with pytest.raises(BadSetting, match="no setting 'threshold'"):
        classify(image, labels, classifier, threshold=0.5)


def test_progress_counts_objects_and_cancel_stops(image, labels, classifier):
    told = []
    classify(image, labels, classifier, progress=lambda *step: told.append(step))
    assert told == [(4, 6), (6, 6)]
    with pytest.raises(Cancelled):
        classify(image, labels, classifier, cancel=lambda: True)


def test_the_batch_does_not_change_the_result(image, labels, classifier):
    one = classify(image, labels, classifier, batch_size=1, backend="torch")
    many = classify(image, labels, classifier, batch_size=100, backend="torch")
    np.testing.assert_allclose(
        one.filter(like="probability"), many.filter(like="probability"), atol=1e-6
    )


def test_a_map_of_classes_numbers_them_from_one(image, labels, classifier):
    judge = open_judge(classifier)
    steps = classify_steps(Frames.of(image), labels, judge)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            done = end.value
            break
    found = class_map(labels, done.table, done.classes)
    assert (found[labels == 0] == 0).all()
    for row in done.table.to_dict("records"):
        values = np.unique(found[labels == row["label"]])
        assert values.tolist() == [CLASSES.index(row["class"]) + 1]


def test_counts_name_all_classes(image, labels, classifier):
    table = classify(np.stack([image] * 2), np.stack([labels] * 2), classifier)
    counts = count(table, CLASSES)
    assert list(counts) == ["t", *CLASSES]
    assert counts[list(CLASSES)].sum(axis=1).tolist() == [6, 6]


def test_torch_is_not_imported_before_it_is_needed():
    import subprocess

    code = "import sys, napari_spheroseg as ss; ss.classify, ss.features; "
    checks = "assert not {'torch', 'sklearn', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code + checks], check=True)


@pytest.mark.parametrize("frames", [[0], 3, [("a",)], [(7,)], []])
def test_frames_that_are_none_are_refused(image, labels, classifier, frames):
    with pytest.raises(BadSetting):
        classify(np.stack([image] * 2), np.stack([labels] * 2), classifier, frames=frames)


def test_empty_frames_can_be_cancelled_too(image, labels, classifier):
    seen = []
    stack, none = np.stack([image] * 5), np.zeros((5, *labels.shape), int)
    with pytest.raises(Cancelled):
        classify(
            stack,
            none,
            classifier,
            progress=lambda *step: seen.append(step),
            cancel=lambda: len(seen) == 2,
        )
    assert seen == [(0, 4), (0, 3)]


def test_a_frame_that_is_named_twice_is_classified_once(image, labels, classifier):
    stack, both = np.stack([image] * 2), np.stack([labels] * 2)
    table = classify(stack, both, classifier, axes="TYX", frames=[(1,), (1,)])
    assert table["label"].tolist() == [2, 7, 12, 31, 32, 900]


def test_an_image_without_a_number_is_refused_without_a_warning_of_numpy(
    labels, classifier, recwarn
):
    with pytest.raises(BadImage, match="No value"):
        classify(np.full(labels.shape, np.nan), labels, classifier)
    assert not recwarn


@pytest.mark.parametrize("model", [None, 3, "", b"cell_classifier", []])
def test_what_is_no_model_is_refused_with_what_is_one(image, labels, model):
    with pytest.raises(BadSetting, match=r"A model cannot be .*models.available"):
        classify(image, labels, model)


@pytest.mark.parametrize("name", ["device", "backend", "precision", "allow", "axes", "region"])
def test_settings_of_a_wrong_type_are_named(image, labels, classifier, name):
    with pytest.raises(BadSetting, match=f"(?i){name} cannot be 3.5"):
        classify(image, labels, classifier, **{name: 3.5})
