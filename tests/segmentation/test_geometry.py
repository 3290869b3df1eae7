import cv2
import numpy as np
import pytest
from scipy.ndimage import find_objects

from napari_spheroseg.segmentation import geometry
from napari_spheroseg.segmentation.geometry import find_boxes, number_objects, statistics


def noise(density):
    mask = np.random.default_rng(1).random((53, 71)) < density
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[1]


@pytest.mark.parametrize("density", [0, 0.2, 0.5, 0.9, 1])
@pytest.mark.parametrize("at_once", [1, 500, 1 << 22])
def test_boxes_are_those_that_scipy_finds(density, at_once, monkeypatch):
    monkeypatch.setattr(geometry, "_PIXELS_AT_ONCE", at_once)
    labels = noise(density)
    assert find_boxes(labels) == find_objects(labels)


@pytest.mark.parametrize("names", [[1, 2, 3], [2, 5, 9], [-3, 4, 8], [7, 400_000, 2_000_000_000]])
def test_objects_of_any_names_are_numbered_in_their_order(names):
    labels = np.zeros((9, 12), np.int32)
    for i, name in enumerate(names):
        labels[3 * i : 3 * i + 2, 4:8] = name
    found, numbered, boxes = number_objects(labels)
    assert found.tolist() == names
    assert np.unique(numbered).tolist() == [0, 1, 2, 3]
    assert boxes == [(slice(3 * i, 3 * i + 2), slice(4, 8)) for i in range(3)]
    assert all((labels[box] == name).all() for box, name in zip(boxes, names, strict=True))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_labels_of_any_whole_type_are_numbered(dtype):
    labels = np.eye(4, dtype=dtype)
    assert number_objects(labels)[0].tolist() == [1]


def test_without_labels_there_are_no_objects():
    names, numbered, boxes = number_objects(np.zeros((4, 5), np.int32))
    assert (len(names), numbered.max(), boxes) == (0, 0, [])


@pytest.mark.parametrize("shape", [(1, 1), (40, 31), (1, 50)])
def test_statistics_are_those_of_opencv(shape):
    mask = (np.random.default_rng(5).random(shape) < 0.3).astype(np.uint8)
    count, labels, expected, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    np.testing.assert_array_equal(statistics(labels, count - 1), expected[1:])
