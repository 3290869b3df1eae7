import dask.array
import numpy as np
import pytest

from napari_spheroseg.errors import BadImage, UnreadableFile
from napari_spheroseg.inference.frames import Frames
from napari_spheroseg.inference.prepare import sample_step
from napari_spheroseg.segmentation.large.source import Source, boxes, read_by_block


def source(image, **how):
    frames = read_by_block(Frames.of(image, **how))
    return Source.of(frames, next(iter(frames.indices())))


def test_boxes_cover_a_plane_once():
    seen = np.zeros((10, 13), int)
    for box in boxes(seen.shape, 4):
        seen[box] += 1
    assert (seen == 1).all()


def test_the_sample_is_that_of_the_whole_plane():
    plane = np.random.default_rng(0).integers(0, 9999, (2100, 2300)).astype(np.uint16)
    step = sample_step(plane.size * 9)
    assert step > 1
    survey = source(np.stack([plane] * 3, axis=-1)).survey  # RGB
    whole = np.stack([plane] * 3, axis=-1)[:: sample_step(plane.size * 3)]
    whole = whole[:, :: sample_step(plane.size * 3)]
    assert np.array_equal(np.sort(survey.sample), np.sort(whole.ravel()))


def test_what_is_no_number_counts_as_the_lowest_of_the_plane():
    plane = np.arange(12, dtype=np.float32).reshape(3, 4) + 5
    plane[2, 3], plane[1, 1] = np.nan, np.inf
    part = source(plane).window((slice(1, 3), slice(1, 4)))
    assert part[0, 0] == part[1, 2] == 5
    assert source(plane).survey.highest == 15


def test_a_plane_without_a_number_is_refused():
    empty = source(np.full((4, 4), np.nan))
    assert empty.survey.is_constant
    with pytest.raises(BadImage, match="No value"):
        empty.check()


def test_a_constant_plane_is_known_as_such():
    assert source(np.full((4, 4), 3)).survey.is_constant
    assert not source(np.eye(4)).survey.is_constant


def test_a_part_keeps_the_grey_values_of_the_whole():
    plane = np.arange(100).reshape(10, 10)
    part = source(plane).part((slice(2, 6), slice(3, 9)))
    assert part.shape == (4, 6)
    assert part.survey.highest == 99
    assert np.array_equal(part.window((slice(1, 3), slice(0, 2))), plane[3:5, 3:5])


class Counting:
    """An array that knows what was read of it."""

    def __init__(self, data, chunks):
        self.data, self.chunks, self.keys = data, chunks, []
        self.shape, self.dtype = data.shape, data.dtype

    def __getitem__(self, key):
        self.keys.append(str(key))
        return self.data[key]


def test_strips_are_read_once_for_all_windows_of_a_row():
    plane = np.arange(3000 * 1500).reshape(1500, 3000)
    counting = Counting(plane, (8, 3000))
    whole = source(counting)
    for x in range(0, 3000, 500):
        box = (slice(100, 900), slice(x, x + 500))
        assert np.array_equal(whole.window(box), plane[box])
    assert len(counting.keys) == 1


@pytest.mark.parametrize("axes", ["TCYX", "TYXS"])
def test_a_plane_of_a_dask_stack_is_read_by_window(axes):
    shape = (2, 3, 40, 50) if axes == "TCYX" else (2, 40, 50, 3)
    stack = np.random.default_rng(0).integers(0, 99, shape)
    lazy = dask.array.from_array(stack, chunks=tuple(max(1, n // 3) for n in shape))
    frames = read_by_block(Frames.of(lazy, axes, 1))
    box = (slice(7, 31), slice(11, 44))
    expected = Frames.of(stack, axes, 1)[(1,)][box]
    assert np.array_equal(Source.of(frames, (1,)).window(box), expected)


def test_a_chunk_that_cannot_be_read_is_an_error_of_ours():
    class Broken(Counting):
        def __getitem__(self, key):
            raise RuntimeError("crc")

    with pytest.raises(UnreadableFile, match=r"rows|Rows.*crc"):
        source(Broken(np.zeros((9, 9)), (3, 3))).window((slice(0, 2), slice(0, 2)))
