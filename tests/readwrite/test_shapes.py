"""Polygons as shapes and back."""

from __future__ import annotations

import numpy as np

from napari_spheroseg.readwrite.shapes import polygons_of, shape_arguments
from napari_spheroseg.segmentation.polygons import outline, rasterise


def test_an_object_in_two_parts_with_holes_survives_the_round_trip():
    labels = np.zeros((60, 120), np.int32)
    labels[5:45, 5:45] = 7
    labels[15:30, 15:30] = 0
    labels[5:45, 60:100] = 7
    labels[15:30, 70:85] = 0
    arguments = shape_arguments(outline(labels, 0), 2, 120)
    again = polygons_of(arguments.pop("data"), arguments)
    assert [(polygon.id, len(polygon.holes)) for polygon in again] == [(7, 1), (7, 1)]
    np.testing.assert_array_equal(rasterise(again, labels.shape), labels)


def test_a_number_that_no_object_has_costs_no_memory():
    labels = np.zeros((20, 20), np.int32)
    labels[3:9, 3:9] = 2_000_000_000
    assert [polygon.id for polygon in outline(labels)] == [2_000_000_000]
