import sys

import numpy as np
import pytest
import zarr

from napari_spheroseg.errors import MissingPackage, UnreadableFile
from napari_spheroseg.readwrite.images import is_zarr, open_image, stem_of
from napari_spheroseg.readwrite.napari_hooks import label_reader
from napari_spheroseg.readwrite.omezarr import open_levels, write_label_pyramid


def multiscale(path, data, axes, *, scale=None, version="0.4", zarr_format=2, unit="micrometer"):
    """An OME-Zarr image of two levels."""
    group = zarr.create_group(str(path), zarr_format=zarr_format)
    datasets = []
    for level, step in enumerate((1, 2)):
        values = data[..., ::step, ::step]
        array = group.create_array(
            str(level), shape=values.shape, dtype=values.dtype, chunks=values.shape
        )
        array[...] = values
        factors = [*(scale or [1.0] * data.ndim)]
        factors[-2:] = [each * step for each in factors[-2:]]
        step = {"type": "scale", "scale": factors}
        datasets.append({"path": str(level), "coordinateTransformations": [step]})
    named = [{"name": axis, **({"unit": unit} if axis in "yx" else {})} for axis in axes]
    said = {"multiscales": [{"version": version, "axes": named, "datasets": datasets}]}
    group.attrs.update({"ome": said} if version == "0.5" else said)
    return path


@pytest.fixture
def data():
    return np.arange(2 * 12 * 10, dtype=np.uint16).reshape(2, 12, 10)


@pytest.mark.parametrize(("version", "zarr_format"), [("0.4", 2), ("0.5", 3)])
def test_the_finest_level_is_opened_with_axes_and_pixel_size(version, zarr_format, data, tmp_path):
    path = multiscale(
        tmp_path / "a.ome.zarr",
        data,
        "tyx",
        scale=[1.0, 0.5, 0.25],
        version=version,
        zarr_format=zarr_format,
    )
    image = open_image(path)
    assert isinstance(image.data, zarr.Array)
    assert np.array_equal(image.data[:], data)
    assert (image.axes, image.pixel_size) == ("TYX", (0.5, 0.25))


@pytest.mark.parametrize(
    ("unit", "size"), [("nanometer", 5e-4), ("millimeter", 500.0), ("parsec", None), (None, None)]
)
def test_lengths_become_micrometres(unit, size, data, tmp_path):
    path = multiscale(tmp_path / "a.zarr", data, "tyx", scale=[1, 0.5, 0.5], unit=unit)
    assert open_image(path).pixel_size == (None if size is None else (size, size))


def test_a_scale_of_all_levels_counts_too(data, tmp_path):
    path = multiscale(tmp_path / "a.zarr", data, "tyx", scale=[1, 0.5, 0.5])
    group = zarr.open_group(str(path))
    image = group.attrs["multiscales"][0]
    image["coordinateTransformations"] = [{"type": "scale", "scale": [1, 2, 4]}]
    group.attrs["multiscales"] = [image]
    assert open_image(path).pixel_size == (1.0, 2.0)


def test_axes_in_another_order_are_put_right(data, tmp_path):
    path = multiscale(tmp_path / "a.zarr", data, "xyt")
    image = open_image(path)
    assert image.axes == "TYX"
    assert image.data.shape == (10, 12, 2)
    assert np.array_equal(image.data[3, 2:7, 0:1], data.transpose(2, 1, 0)[3, 2:7, 0:1])


def test_of_bioformats2raw_the_first_image_is_opened(data, tmp_path):
    group = zarr.create_group(str(tmp_path / "a.zarr"), zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    multiscale(tmp_path / "a.zarr" / "0", data, "tyx")
    assert np.array_equal(open_image(tmp_path / "a.zarr").data[:], data)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((8, 9), "YX"), ((2, 8, 9), "TYX"), ((8, 9, 3), "YXS"), ((2, 3, 8, 9), "TZYX")],
)
def test_a_plain_array_has_the_usual_axes(shape, axes, tmp_path):
    zarr.create_array(str(tmp_path / "a.zarr"), shape=shape, dtype=np.uint8)
    assert open_image(tmp_path / "a.zarr").axes == axes


def test_axes_that_an_array_names_are_used(tmp_path):
    zarr.create_array(
        str(tmp_path / "a"), shape=(3, 8, 9), dtype=np.uint8, dimension_names=("c", "y", "x")
    )
    assert open_image(tmp_path / "a").axes == "CYX"


def test_the_one_array_of_a_group_is_the_image(tmp_path):
    group = zarr.create_group(str(tmp_path / "a.zarr"))
    group.create_array("deep", shape=(8, 9), dtype=np.uint8)
    assert open_image(tmp_path / "a.zarr").data.shape == (8, 9)
    group.create_array("more", shape=(8, 9), dtype=np.uint8)
    with pytest.raises(UnreadableFile, match="2 arrays"):
        open_image(tmp_path / "a.zarr")


def test_a_folder_that_is_no_zarr_is_an_error(tmp_path):
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(UnreadableFile, match=r"a\.zarr"):
        open_image(tmp_path / "a.zarr")


def test_metadata_that_is_damaged_is_an_error(data, tmp_path):
    path = multiscale(tmp_path / "a.zarr", data, "tyx")
    (path / "0" / ".zarray").write_text("{")
    with pytest.raises(UnreadableFile, match=r"a\.zarr"):
        open_image(path)


def test_without_zarr_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(MissingPackage, match=r"napari-spheroseg\[large\]"):
        open_image(tmp_path / "a.zarr")


def test_a_zarr_is_known_by_its_name_or_contents(tmp_path):
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "plain").mkdir()
    zarr.create_array(str(tmp_path / "b"), shape=(2, 2), dtype=np.uint8)
    assert is_zarr(tmp_path / "a.zarr")
    assert is_zarr(tmp_path / "b")
    assert not is_zarr(tmp_path / "plain")


@pytest.mark.parametrize("name", ["slide.ome.zarr", "slide.zarr", "slide.tif"])
def test_both_endings_are_no_part_of_the_stem(name, tmp_path):
    assert stem_of(tmp_path / name) == "slide"


# ---------------------------------------------------------------- labels


def test_labels_come_back_with_all_they_said(tmp_path):
    labels = np.random.default_rng(0).integers(0, 9, (2, 700, 1100)).astype(np.int32)
    assert len(list(write_label_pyramid(tmp_path / "a.zarr", labels, "TYX", (0.5, 0.25)))) > 4
    image = open_image(tmp_path / "a.zarr")
    assert np.array_equal(image.data[:], labels)
    assert (image.axes, image.pixel_size) == ("TYX", (0.5, 0.25))


def test_a_level_shows_every_second_pixel_of_the_one_before(tmp_path):
    labels = np.random.default_rng(0).integers(0, 9, (1301, 1100)).astype(np.int32)
    list(write_label_pyramid(tmp_path / "a.zarr", labels, "YX", None))
    levels = open_levels(tmp_path / "a.zarr")
    assert [level.shape for level in levels] == [(1301, 1100), (651, 550), (326, 275)]
    for number, level in enumerate(levels):
        assert np.array_equal(level[:], labels[:: 2**number, :: 2**number])


def test_napari_gets_them_as_labels(tmp_path):
    path = tmp_path / "a_labels.ome.zarr"
    list(write_label_pyramid(path, np.ones((2, 700, 600), np.int32), "TYX", (0.5, 0.25)))
    ((data, arguments, kind),) = label_reader(str(path))(str(path))
    assert kind == "labels"
    assert [level.shape for level in data] == [(2, 700, 600), (2, 350, 300)]
    assert arguments["multiscale"]
    assert arguments["scale"] == [1, 0.5, 0.25]
    assert arguments["units"] == ["pixel", "um", "um"]
    assert arguments["axis_labels"] == ["t", "y", "x"]
    assert arguments["name"] == "a_labels"


def test_what_is_written_says_that_it_is_labels(tmp_path):
    list(write_label_pyramid(tmp_path / "a.zarr", np.ones((20, 20), np.int32), "YX", (2.0, 2.0)))
    said = dict(zarr.open_group(str(tmp_path / "a.zarr")).attrs)
    assert "image-label" in said
    assert said["multiscales"][0]["axes"][0] == {"name": "y", "type": "space", "unit": "micrometer"}
    assert said["multiscales"][0]["version"] == "0.4"
