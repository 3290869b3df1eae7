import dask.array
import numpy as np
import pytest
import zarr

from napari_spheroseg.errors import BadImage, BadSetting
from napari_spheroseg.inference.frames import Frames


@pytest.mark.parametrize(
    ("shape", "channel", "axes"),
    [
        ((20, 30), None, "YX"),
        ((20, 30, 3), None, "YXS"),
        ((20, 30, 4), None, "YXS"),
        ((5, 20, 30), None, "TYX"),
        ((5, 20, 30, 3), None, "TYXS"),
        ((2, 5, 20, 30), None, "TZYX"),
        ((2, 2, 5, 20, 30), None, "PTZYX"),
        ((2, 20, 30), 1, "CYX"),
        ((5, 2, 20, 30), 1, "TCYX"),
        ((5, 2, 2, 20, 30), 1, "PTCYX"),
        ((20, 30, 3), 1, "YXS"),
    ],
)
def test_axes_are_guessed_from_the_shape(shape, channel, axes):
    assert Frames.of(np.zeros(shape, np.uint8), channel=channel).axes == axes


def test_given_axes_win_over_the_guess():
    frames = Frames.of(np.zeros((20, 30, 4), np.uint8).transpose(2, 0, 1), "zyx")
    assert (frames.axes, frames.leading_axes) == ("ZYX", "Z")


def test_a_stack_of_seven_axes_gets_a_letter_for_each():
    frames = Frames.of(np.zeros((1, 2, 1, 2, 1, 9, 9), np.uint8))
    assert len(set(frames.axes)) == 7
    assert frames.leading_shape == (1, 2, 1, 2, 1)


def test_a_plane_has_one_frame_without_index():
    frames = Frames.of(np.arange(600).reshape(20, 30))
    assert list(frames.indices()) == [()]
    assert np.array_equal(frames[()], np.arange(600).reshape(20, 30))


def test_frames_come_with_the_last_axis_fastest():
    frames = Frames.of(np.zeros((2, 2, 20, 30), np.uint8))
    assert list(frames.indices()) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_frame_is_the_plane_at_its_index():
    data = np.random.default_rng(0).integers(0, 255, (3, 2, 20, 30))
    assert np.array_equal(Frames.of(data)[2, 1], data[2, 1])


def test_a_channel_is_taken_out():
    data = np.random.default_rng(0).integers(0, 255, (3, 2, 20, 30))
    frames = Frames.of(data, "TCYX", channel=1)
    assert np.array_equal(frames[2,], data[2, 1])
    assert frames.shape == (3, 20, 30)


def test_channels_may_come_before_time():
    data = np.random.default_rng(0).integers(0, 255, (2, 3, 20, 30))
    assert np.array_equal(Frames.of(data, "CTYX", channel=1)[2,], data[1, 2])


def test_one_of_several_channels_must_be_chosen():
    with pytest.raises(BadSetting, match=r"2 channels.*0 to 1"):
        Frames.of(np.zeros((2, 20, 30)), "CYX")


def test_a_single_channel_needs_no_choice():
    assert Frames.of(np.zeros((1, 20, 30)), "CYX").shape == (20, 30)


@pytest.mark.parametrize(
    ("shape", "axes", "channel"),
    [
        ((2, 20, 30), "CYX", 2),
        ((2, 20, 30), "CYX", -1),
        ((20, 30, 3), "YXS", 3),
        ((20, 30), "YX", 1),
    ],
)
def test_a_channel_that_is_not_there_is_refused(shape, axes, channel):
    with pytest.raises(BadSetting, match=f"no channel {channel}"):
        Frames.of(np.zeros(shape), axes, channel)


@pytest.mark.parametrize("samples", [3, 4])
def test_of_a_colour_image_the_three_colours_are_shown(samples):
    data = np.random.default_rng(0).integers(0, 255, (20, 30, samples), dtype=np.uint8)
    assert np.array_equal(Frames.of(data)[()], data[..., :3])


def test_one_colour_can_be_chosen():
    data = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    assert np.array_equal(Frames.of(data, channel=2)[()], data[..., 2])


@pytest.mark.parametrize("samples", [1, 2])
def test_an_image_of_fewer_samples_than_colours_is_grey(samples):
    data = np.random.default_rng(0).integers(0, 255, (20, 30, samples), dtype=np.uint8)
    assert np.array_equal(Frames.of(data, "YXS")[()], data[..., 0])


def test_a_colour_image_is_measured_on_the_mean_of_its_colours():
    data = np.random.default_rng(0).integers(0, 255, (20, 30, 4), dtype=np.uint8)
    assert np.allclose(Frames.of(data).grey(()), data[..., :3].mean(axis=-1))


def test_a_dask_image_is_read_frame_by_frame():
    computed = []

    def block(block_id):
        computed.append(block_id[0])
        return np.full((1, 20, 30), block_id[0], np.uint16)

    lazy = dask.array.map_blocks(
        lambda block_info: block(block_info[None]["chunk-location"]),
        chunks=((1,) * 5, (20,), (30,)),
        dtype=np.uint16,
        meta=np.empty((0, 0, 0), np.uint16),
    )
    plane = Frames.of(lazy)[3,]
    assert type(plane) is np.ndarray
    assert (plane == 3).all()
    assert set(computed) <= {3}


def test_a_zarr_array_is_read_from_disk(tmp_path):
    data = np.random.default_rng(0).integers(0, 255, (3, 20, 30), dtype=np.uint16)
    array = zarr.open(
        str(tmp_path / "a.zarr"), mode="w", shape=data.shape, dtype=data.dtype, chunks=(1, 20, 30)
    )
    array[:] = data
    plane = Frames.of(zarr.open(str(tmp_path / "a.zarr"), mode="r"))[1,]
    assert type(plane) is np.ndarray
    assert np.array_equal(plane, data[1])


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int16", "uint16", "int64", "float16", "float64"]
)
def test_grey_values_of_any_real_type_are_taken(dtype):
    assert Frames.of(np.zeros((20, 30), dtype)).shape == (20, 30)


def test_a_list_of_lists_is_an_image():
    assert Frames.of([[1] * 9] * 8).shape == (8, 9)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((20, 30), complex), "complex"),
        (np.zeros((0, 30)), "empty"),
        (np.zeros((0, 20, 30)), "empty"),
        (np.zeros(30), "no plane"),
        (np.float32(3), "no plane"),
        (None, "no plane"),
        (np.zeros((20, 30), object), "no grey values"),
        (np.full((20, 30), "a"), "no grey values"),
        (np.zeros((20, 30), "datetime64[s]"), "no grey values"),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(BadImage, match=message):
        Frames.of(image)


@pytest.mark.parametrize("axes", ["Y", "YX", "TZYX", "TTY", "TZP", "", "YYX", "CTZ"])
def test_axes_that_do_not_fit_are_refused(axes):
    with pytest.raises(BadSetting, match="do not fit"):
        Frames.of(np.zeros((5, 20, 30)), axes)


@pytest.mark.parametrize("axes", ["YXT", "YXC", "SYX", "XYS", "TXY"])
def test_axes_of_another_order_are_refused(axes):
    with pytest.raises(BadSetting, match="do not end in YX"):
        Frames.of(np.zeros((10, 20, 30)), axes)


# --- a region ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "axes", "index", "channel"),
    [
        ((20, 30), "YX", (), None),
        ((20, 30, 4), "YXS", (), None),
        ((3, 20, 30), "TYX", (2,), None),
        ((3, 2, 20, 30), "TCYX", (1,), 1),
    ],
)
def test_a_region_is_the_same_part_of_every_frame(shape, axes, index, channel):
    data = np.random.default_rng(0).integers(0, 255, shape)
    whole = Frames.of(data, axes, channel)
    part = Frames.of(data, axes, channel, region=(4, 15, 7, 29))
    assert np.array_equal(part[index], whole[index][4:15, 7:29])
    assert np.array_equal(part.grey(index), whole.grey(index)[4:15, 7:29])
    assert part.plane_shape == (11, 22)
    assert part.shape == (*whole.leading_shape, 11, 22)
    assert part.corner == (4, 7)


def test_a_window_of_a_region_counts_from_its_corner():
    data = np.arange(600).reshape(20, 30)
    part = Frames.of(data, region=(4, 15, 7, 29))
    window = part.window((), (slice(2, 5), slice(3, None)))
    assert np.array_equal(window, data[4:15, 7:29][2:5, 3:])


def test_a_region_that_is_the_whole_image_is_none():
    assert Frames.of(np.zeros((20, 30)), region=(0, 20, 0, 30)).region is None


@pytest.mark.parametrize(
    "region", [(0, 21, 0, 30), (-1, 5, 0, 5), (5, 5, 0, 5), (9, 3, 0, 5), (0, 5, 31, 40)]
)
def test_a_region_that_does_not_lie_in_the_image_is_refused(region):
    with pytest.raises(BadSetting, match="does not lie in an image of 20 × 30 px"):
        Frames.of(np.zeros((20, 30)), region=region)


def test_of_a_dask_image_only_the_region_is_read():
    read = []

    def block(block_info):
        place = block_info[None]["chunk-location"]
        read.append(place)
        return np.full((100, 100), sum(place), np.uint16)

    lazy = dask.array.map_blocks(
        block,
        chunks=((100,) * 1000, (100,) * 1000),
        dtype=np.uint16,
        meta=np.empty((0, 0), np.uint16),
    )
    plane = Frames.of(lazy, region=(50_000, 50_100, 200, 250))[()]
    assert plane.shape == (100, 50)
    assert set(read) == {(500, 2)}
