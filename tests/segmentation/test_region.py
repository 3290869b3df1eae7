"""A part of an image: what is found lies where it lies in the whole image."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_spheroseg.inference.frames import Frames
from napari_spheroseg.segmentation.run import complete, open_predictor, segment_steps
from napari_spheroseg.steps import run_to_end

REGION = (70, 112, 88, 140)


@pytest.fixture
def segmented(bright):
    """Segments a region of an image."""

    def run(image, region, **settings):
        frames = Frames.of(image, settings.get("axes"), settings.get("channel"), region)
        predictor = open_predictor(str(bright))
        size = settings.pop("pixel_size", None)
        settings["region"] = frames.region
        recipe = complete(predictor, settings.pop("threshold", 0.5), size, settings)
        return run_to_end(segment_steps(frames, predictor, recipe))

    return run


def test_labels_are_those_of_the_region_alone(segmented, image):
    result = segmented(image, REGION)
    assert result.labels.shape == result.probability.shape == (42, 52)
    np.testing.assert_array_equal(result.labels > 0, image[70:112, 88:140] > 1000)


def test_centroids_and_polygons_have_their_place_in_the_whole_image(segmented, image):
    result = segmented(image, REGION)
    assert result.table[["centroid_y_px", "centroid_x_px"]].to_numpy() == pytest.approx(
        np.array([[90, 110]])
    )
    (polygon,) = result.polygons
    assert polygon.outer.mean(axis=0) == pytest.approx((90, 110), abs=0.2)
    assert polygon.mean_probability > 0.9


def test_centroids_are_in_micrometres(segmented, image):
    table = segmented(image, REGION, pixel_size=(0.5, 2)).table
    assert table["centroid_y_um"][0] == pytest.approx(45)
    assert table["centroid_x_um"][0] == pytest.approx(220)


def test_holes_move_with_their_polygon(segmented, image, disc):
    ring = image.copy()
    ring[disc(ring.shape, (90, 110), 5)] = 100
    (polygon,) = segmented(ring, REGION).polygons
    assert polygon.holes[0].mean(axis=0) == pytest.approx((90, 110), abs=0.2)


def test_a_region_without_objects_gives_an_empty_table(segmented, image):
    corner = image.copy()
    corner[0, 0] = 101
    result = segmented(corner, (0, 12, 0, 12), threshold=1.0)
    assert len(result.table) == 0
    assert result.summary == "No objects in a part of 12 × 12 px."


def test_the_recipe_names_the_region_and_makes_the_labels_again(segmented, image):
    result = segmented(image, REGION)
    assert result.recipe["region"] == list(REGION)
    recipe = dict(result.recipe)
    recipe.pop("model")
    again = segmented(image, recipe.pop("region"), **recipe)
    np.testing.assert_array_equal(again.labels, result.labels)


def test_another_threshold_stays_in_the_region(segmented, image):
    result = segmented(image, REGION).at(min_area=5000)
    assert result.recipe["region"] == list(REGION)
    assert result.labels.shape == (42, 52)


def test_results_of_different_regions_are_not_joined(segmented, image):
    first, second = segmented(image, REGION), segmented(image, (0, 60, 0, 60))
    assert first.continues(segmented(image, REGION))
    assert not first.continues(second)


def test_without_an_image_layer_labels_begin_at_the_corner_of_the_region(segmented, image):
    labels, polygons = segmented(image, REGION, pixel_size=0.5).to_layers()
    assert list(labels[1]["translate"]) == [35, 44]
    assert "translate" not in polygons[1]


def test_a_turned_layer_s_labels_are_moved_along_its_turned_axes(segmented, image):
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    shift = np.array([3.0, 4.0])
    like = SimpleNamespace(
        scale=np.array([2.0, 2.0]),
        translate=shift,
        units=("um", "um"),
        axis_labels=("y", "x"),
        rotate=turn,
        affine=SimpleNamespace(inverse=np.asarray),
        data_to_world=lambda at: turn @ (2 * np.asarray(at)) + shift,
    )
    labels, polygons = segmented(image, REGION).to_layers(like=like)
    np.testing.assert_allclose(labels[1]["translate"], turn @ (140, 176) + shift)
    np.testing.assert_allclose(polygons[1]["translate"], shift)


def test_another_tolerance_measures_nothing_again(segmented, image, monkeypatch):
    result = segmented(image, None)
    before = result.table

    def never(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr("napari_spheroseg.segmentation.plane.measure_plane", never)
    coarse = result.at(tolerance=5)
    assert len(coarse.polygons[0].outer) < len(result.polygons[0].outer)
    assert coarse.polygons[0].mean_probability == result.polygons[0].mean_probability
    assert coarse.table.equals(before)
    assert coarse.labels is result.labels
