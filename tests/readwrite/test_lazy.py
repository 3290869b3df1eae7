import numpy as np
import pytest
import tifffile

from napari_spheroseg.errors import UnreadableFile
from napari_spheroseg.readwrite.images import open_image, read_image
from napari_spheroseg.readwrite.lazy import Transposed
from napari_spheroseg.readwrite.tiff import write_large_labels

KINDS = {
    "strips": {"rowsperstrip": 4},
    "one strip": {},
    "compressed": {"compression": "zlib", "rowsperstrip": 4},
    "tiles": {"tile": (16, 16)},
    "compressed tiles": {"tile": (16, 16), "compression": "lzw", "predictor": True},
    "big-endian": {"byteorder": ">"},
    "bigtiff": {"bigtiff": True, "tile": (16, 16)},
}


def write(path, data, axes="YX", **how):
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, data, ome=True, metadata={"axes": axes, **size}, **how)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_large_tiff_is_sliced_as_it_would_be_read(kind, dtype, tmp_path):
    data = np.random.default_rng(0).integers(0, 250, (50, 40)).astype(dtype)
    path = write(tmp_path / "a.tif", data, **KINDS[kind])
    large, whole = open_image(path, above=100), read_image(path)
    assert not isinstance(large.data, np.ndarray)
    assert (large.axes, large.pixel_size) == (whole.axes, whole.pixel_size)
    assert large.data.shape == whole.data.shape
    assert large.data.dtype == whole.data.dtype
    assert np.array_equal(large.data[10:31, 7:22], data[10:31, 7:22])


def test_a_stack_is_sliced_plane_by_plane(tmp_path):
    data = np.random.default_rng(0).integers(0, 250, (3, 2, 50, 40)).astype(np.uint16)
    large = open_image(write(tmp_path / "a.tif", data, "TCYX", tile=(16, 16)), above=100)
    assert large.axes == "TCYX"
    assert np.array_equal(large.data[2, 1, 3:9, 4:5], data[2, 1, 3:9, 4:5])


def test_samples_in_planes_of_their_own_come_last(tmp_path):
    data = np.random.default_rng(0).integers(0, 250, (3, 50, 40)).astype(np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data, photometric="rgb", planarconfig="separate", tile=(16, 16))
    large = open_image(path, above=100)
    assert large.axes == "YXS"
    assert np.array_equal(large.data[5:9, 6:30, 0:3], data.transpose(1, 2, 0)[5:9, 6:30])


def test_the_finest_level_of_a_pyramid_is_opened(tmp_path):
    data = np.random.default_rng(0).integers(0, 250, (64, 64)).astype(np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(data, subifds=1, tile=(16, 16))
        file.write(data[::2, ::2], subfiletype=1, tile=(16, 16))
    large = open_image(tmp_path / "a.tif", above=100)
    assert large.data.shape == (64, 64)
    assert np.array_equal(large.data[3:40, 5:6], data[3:40, 5:6])


def test_a_small_tiff_is_read(tmp_path):
    path = write(tmp_path / "a.tif", np.ones((5, 4), np.uint8))
    assert isinstance(open_image(path).data, np.ndarray)


def test_a_damaged_tiff_is_an_error(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0nothing")
    with pytest.raises(UnreadableFile, match=r"a\.tif"):
        open_image(tmp_path / "a.tif", above=0)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(UnreadableFile, match="no file"):
        open_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "key", [(1, slice(2, 5), slice(None)), (slice(0, 2), 2), (), (slice(None), 1, 2), (2, 1, 0)]
)
@pytest.mark.parametrize("order", [[2, 0, 1], [1, 2, 0], [2, 1, 0]])
def test_axes_in_another_order_are_sliced_as_numpy_does(key, order):
    data = np.arange(3 * 6 * 5).reshape(3, 6, 5)
    whole = data.transpose(order)
    lazy = Transposed(data, order)
    assert lazy.shape == whole.shape
    assert np.array_equal(lazy[key], whole[key])
    assert np.array_equal(np.asarray(lazy), whole)


def test_large_labels_are_written_by_tile(tmp_path):
    labels = np.random.default_rng(0).integers(0, 2**20, (2, 700, 530)).astype(np.int32)
    write_large_labels(tmp_path / "a.tif", labels, "TYX", (0.5, 0.7))
    read = read_image(tmp_path / "a.tif")
    assert np.array_equal(read.data, labels)
    assert (read.axes, read.pixel_size) == ("TYX", (0.5, 0.7))
