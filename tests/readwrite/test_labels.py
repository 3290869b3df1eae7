import numpy as np
import pytest
import tifffile

from napari_spheroseg.errors import SpherosegError
from napari_spheroseg.readwrite.images import read_image
from napari_spheroseg.readwrite.tiff import write_labels


def labels_of(shape, highest=5):
    return np.random.default_rng(0).integers(0, highest + 1, shape, dtype=np.int32)


@pytest.mark.parametrize("highest", [1, 300, 70_000, 2**31 - 1])
def test_labels_survive_the_way_through_a_file(highest, tmp_path):
    labels = labels_of((40, 50), highest - 1) + 1
    write_labels(tmp_path / "a.tif", labels)
    read = read_image(tmp_path / "a.tif")
    assert read.data.dtype == np.int32
    assert np.array_equal(read.data, labels)


@pytest.mark.parametrize("size", [(0.65, 0.65), (0.5, 0.7), (1e-3, 2e-3), (12.5, 12.5)])
def test_the_pixel_size_survives_the_way_through_a_file(size, tmp_path):
    write_labels(tmp_path / "a.tif", labels_of((40, 50)), pixel_size=size)
    assert read_image(tmp_path / "a.tif").pixel_size == pytest.approx(size)


def test_without_a_pixel_size_none_is_written(tmp_path):
    write_labels(tmp_path / "a.tif", labels_of((40, 50)))
    assert read_image(tmp_path / "a.tif").pixel_size is None


@pytest.mark.parametrize(
    ("axes", "expected"),
    [("TYX", "TYX"), ("ZYX", "ZYX"), ("TZYX", "TZYX"), ("PYX", "TYX"), ("PTYX", "ZTYX")],
)
def test_a_stack_keeps_its_shape_and_the_axes_that_ome_knows(axes, expected, tmp_path):
    labels = labels_of([*[2, 3][: len(axes) - 2], 40, 50])
    write_labels(tmp_path / "a.tif", labels, axes)
    read = read_image(tmp_path / "a.tif")
    assert np.array_equal(read.data, labels)
    assert read.axes == expected


@pytest.mark.parametrize("shape", [(40, 50, 3), (3, 40, 50), (4, 40, 3), (1, 40, 50)])
def test_labels_are_never_taken_for_colours(shape, tmp_path):
    labels = labels_of(shape)
    write_labels(tmp_path / "a.tif", labels, "TYX")
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif").reshape(shape), labels)


def test_empty_background_is_compressed(tmp_path):
    write_labels(tmp_path / "a.tif", np.zeros((1000, 1000), np.int32))
    assert (tmp_path / "a.tif").stat().st_size < 100_000


def test_folders_are_made(tmp_path):
    write_labels(tmp_path / "new" / "deep" / "a.tif", labels_of((20, 20)))
    assert (tmp_path / "new" / "deep" / "a.tif").is_file()


def test_where_a_file_bars_the_way_nothing_is_left_behind(tmp_path):
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(SpherosegError, match="cannot be written"):
        write_labels(tmp_path / "a.tif", labels_of((20, 20)))
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_a_stack_of_more_axes_than_ome_knows_is_written_or_refused_as_ours(tmp_path):
    labels = labels_of((1, 2, 1, 2, 20, 20))
    try:
        write_labels(tmp_path / "a.tif", labels, "ABDEYX")
    except SpherosegError:
        assert list(tmp_path.iterdir()) == []
    else:
        assert np.array_equal(read_image(tmp_path / "a.tif").data.reshape(labels.shape), labels)


@pytest.mark.parametrize("with_zlibng", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (257, 30), (2, 3, 300, 20)])
def test_strips_hold_the_labels_whatever_deflates_them(shape, with_zlibng, tmp_path, monkeypatch):
    import imagecodecs

    if not with_zlibng:
        monkeypatch.setattr(imagecodecs.ZLIBNG, "available", False)
    labels = np.random.default_rng(0).integers(0, 9, shape).astype(np.int32)
    write_labels(tmp_path / "a.tif", labels, "TCYX"[-len(shape) :])
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), labels)
