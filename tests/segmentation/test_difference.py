"""What restoring does to a segmentation, in a sentence."""

import math

import numpy as np
import pytest

import napari_spheroseg as ss
from napari_spheroseg.segmentation.difference import Difference


def test_objects_and_area_are_counted_before_and_after(image, model):
    before = ss.segment(image, model, device="cpu")
    after = ss.segment(np.where(np.arange(160) < 80, image, 100), model, device="cpu")
    difference = Difference.of(before, after)
    assert difference.objects == (3, 1)
    assert difference.area[0] == (before.labels > 0).sum()
    assert difference.unit == "px²"
    assert difference.change == pytest.approx(difference.area[1] / difference.area[0] - 1)


def test_area_is_in_micrometres_where_the_pixel_size_is_known(image, model):
    found = ss.segment(image, model, pixel_size=0.5, device="cpu")
    difference = Difference.of(found, found)
    assert difference.unit == "µm²"
    assert difference.area[0] == pytest.approx((found.labels > 0).sum() / 4)


@pytest.mark.parametrize(
    ("objects", "area", "sentence"),
    [
        ((12, 12), (1000, 1031), "changes the segmentation: area +3.1 %, objects 12 → 12."),
        ((12, 13), (1000, 950), "changes the segmentation: area −5.0 %, objects 12 → 13."),
        ((12, 12), (1000, 1000.2), "leaves the segmentation as it was: area ±0.0 %, objects"),
        ((0, 2), (0, 80), "changes the segmentation: objects 0 → 2, area 80 px²."),
        ((2, 0), (80, 0), "changes the segmentation: area −100.0 %, objects 2 → 0."),
        ((0, 0), (0, 0), "No objects, before or after."),
    ],
    ids=str,
)
def test_the_sentence_says_what_changed(objects, area, sentence):
    assert sentence in Difference(objects, area, "px²").sentence


def test_without_objects_before_there_is_no_part_to_name():
    assert math.isnan(Difference((0, 2), (0, 80), "px²").change)
