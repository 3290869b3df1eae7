import cv2
import numpy as np
import pytest
from PIL import Image

from napari_spheroseg.segmentation.large.resample import (
    shrunk_window,
    stretched_needs,
    stretched_window,
)

SIZES = [((61, 83), (29, 40)), ((61, 83), (61, 20)), ((40, 30), (97, 75)), ((64, 64), (64, 64))]
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "lanczos": Image.Resampling.LANCZOS}


def windows(shape, side):
    for y in range(0, shape[0], side):
        for x in range(0, shape[1], side):
            yield slice(y, min(y + side, shape[0])), slice(x, min(x + side, shape[1]))


@pytest.mark.parametrize(("source", "target"), SIZES)
@pytest.mark.parametrize("how", FILTERS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_window_is_that_of_the_whole_resized_by_pil(source, target, how, dtype):
    plane = np.random.default_rng(0).integers(0, 250, source).astype(dtype)
    kind = dtype if dtype == np.uint8 else np.float32
    size = (target[1], target[0])
    whole = np.asarray(Image.fromarray(plane.astype(kind)).resize(size, FILTERS[how]))
    for box in windows(target, 13):
        part = shrunk_window(plane.__getitem__, source, target, box, how)
        assert np.array_equal(part, whole[box])


def test_samples_of_rgb_are_resized_each_by_itself():
    plane = np.random.default_rng(0).integers(0, 250, (30, 40, 3)).astype(np.uint8)
    whole = np.asarray(Image.fromarray(plane).resize((17, 11), Image.Resampling.BILINEAR))
    box = (slice(2, 9), slice(3, 17))
    part = shrunk_window(plane.__getitem__, (30, 40), (11, 17), box, "bilinear")
    assert np.array_equal(part, whole[box])


def test_no_more_of_the_source_is_read_than_a_piece_at_a_time():
    sizes = []

    def read(box):
        sizes.append([side.stop - side.start for side in box])
        return np.zeros(sizes[-1], np.uint16)

    small = shrunk_window(read, (9000, 9000), (90, 90), (slice(0, 90), slice(0, 90)), "bilinear")
    assert small.shape == (90, 90)
    assert np.max(sizes) < 2500


@pytest.mark.parametrize(("source", "target"), SIZES)
def test_a_window_is_that_of_the_whole_resized_by_opencv(source, target):
    values = np.random.default_rng(0).random(source).astype(np.float32)
    size = (target[1], target[0])
    whole = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
    for box in windows(target, 13):
        needed = values[stretched_needs(source, target, box)]
        part = stretched_window(needed, source, target, box)
        assert np.abs(part - whole[box]).max() <= 2e-7  # the last digit
