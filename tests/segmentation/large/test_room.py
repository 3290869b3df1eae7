import errno

import numpy as np
import pytest

from napari_spheroseg.errors import SpherosegError, UnreadableFile
from napari_spheroseg.segmentation.large.room import Scratch, room


@pytest.mark.parametrize("key", [(1, slice(2, 5), slice(3, 7)), (0, slice(0, 6), slice(0, 8))])
def test_what_is_written_into_a_window_is_read_again(key, tmp_path):
    whole = np.zeros((2, 6, 8), np.float32)
    array = Scratch(tmp_path / "a", whole.shape, np.float32)
    values = np.random.default_rng(0).random(whole[key].shape).astype(np.float32)
    whole[key] = values
    array[key] = values
    for plane in range(2):
        assert np.array_equal(array[plane, slice(None), slice(None)], whole[plane])
        assert np.array_equal(array[plane, slice(1, 4), slice(2, 6)], whole[plane, 1:4, 2:6])


def test_an_array_may_have_no_leading_axis_and_is_zero_at_first(tmp_path):
    array = Scratch(tmp_path / "a", (5, 4), np.int32)
    array[1:3, 2:4] = np.array([[1, 2], [3, 4]])
    assert array[0:5, 0:4].sum() == 10
    assert array[3:5, :].sum() == 0


def test_a_room_is_gone_at_the_end(tmp_path):
    with room(tmp_path / "out", 64) as place:
        place.array((9, 9), np.int32)
        assert any((tmp_path / "out").iterdir())
    assert not any((tmp_path / "out").iterdir())


def test_a_room_is_gone_after_an_error(tmp_path):
    def fail():
        with room(tmp_path, 64) as place:
            place.array((9, 9), np.int32)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not any(tmp_path.iterdir())


def test_a_full_disk_is_an_error_with_a_hint(tmp_path):
    with pytest.raises(UnreadableFile, match=r"No space.*free space"), room(tmp_path, 64):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_error_of_ours_is_passed_on(tmp_path):
    with pytest.raises(SpherosegError, match=r"^Mine$"), room(tmp_path, 64):
        raise UnreadableFile("Mine")
