import os
import sys
import zlib

import cv2
import numpy as np
import pytest
import tifffile

from napari_spheroseg.errors import SpherosegError, UnreadableFile
from napari_spheroseg.readwrite.images import read_image
from napari_spheroseg.readwrite.tiff import look_into_tiff, write_stack


@pytest.fixture(scope="module")
def grey():
    return np.random.default_rng(0).integers(0, 4096, (40, 50), dtype=np.uint16)


def written(path, image, **options):
    tifffile.imwrite(path, image, **options)
    return read_image(path)


# ---------------------------------------------------------------- pixel size


@pytest.mark.parametrize(
    ("size", "unit", "micrometres"),
    [(0.65, "µm", 0.65), (650, "nm", 0.65), (0.002, "mm", 2), (0.65, None, 0.65)],
)
def test_the_pixel_size_is_that_of_ome(size, unit, micrometres, grey, tmp_path):
    metadata = {"axes": "YX", "PhysicalSizeX": size, "PhysicalSizeY": size}
    if unit:
        metadata |= {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    file = written(tmp_path / "a.ome.tif", grey, ome=True, metadata=metadata)
    assert file.pixel_size == pytest.approx((micrometres, micrometres))


def test_height_and_width_of_a_pixel_may_differ(grey, tmp_path):
    metadata = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.7}
    assert written(tmp_path / "a.ome.tif", grey, ome=True, metadata=metadata).pixel_size == (
        0.7,
        0.5,
    )


@pytest.mark.parametrize(
    ("unit", "micrometres"),
    [("um", 0.65), ("micron", 0.65), ("microns", 0.65), ("\\u00B5m", 0.65), ("nm", 0.65e-3)],
)
def test_the_pixel_size_is_that_of_imagej(unit, micrometres, grey, tmp_path):
    file = written(
        tmp_path / "a.tif",
        grey,
        imagej=True,
        resolution=(1 / 0.65, 1 / 0.65),
        metadata={"unit": unit},
    )
    assert file.pixel_size == pytest.approx((micrometres, micrometres), rel=1e-4)


@pytest.mark.parametrize("metadata", [{}, {"unit": "pixel"}, {"unit": "inch"}])
def test_an_image_that_imagej_did_not_calibrate_has_no_pixel_size(metadata, grey, tmp_path):
    file = written(tmp_path / "a.tif", grey, imagej=True, resolution=(1, 1), metadata=metadata)
    assert file.pixel_size is None


def test_the_pixel_size_is_that_of_the_resolution_per_centimetre(grey, tmp_path):
    file = written(
        tmp_path / "a.tif", grey, resolution=(20_000, 10_000), resolutionunit="CENTIMETER"
    )
    assert file.pixel_size == pytest.approx((1, 0.5))


def test_the_pixel_size_is_that_of_the_resolution_per_inch(grey, tmp_path):
    file = written(tmp_path / "a.tif", grey, resolution=(25_400, 25_400), resolutionunit="INCH")
    assert file.pixel_size == pytest.approx((1, 1))


@pytest.mark.parametrize("dpi", [1, 72, 96, 150, 300, 600])
def test_the_resolution_of_a_printer_is_no_pixel_size(dpi, grey, tmp_path):
    file = written(tmp_path / "a.tif", grey, resolution=(dpi, dpi), resolutionunit="INCH")
    assert file.pixel_size is None


def test_a_resolution_without_a_unit_is_no_pixel_size(grey, tmp_path):
    file = written(tmp_path / "a.tif", grey, resolution=(9e4, 9e4), resolutionunit="NONE")
    assert file.pixel_size is None


def test_a_plain_tiff_has_no_pixel_size(grey, tmp_path):
    assert written(tmp_path / "a.tif", grey).pixel_size is None


@pytest.mark.parametrize("size", ["0", "-1", "nan", "inf", "large", ""])
def test_an_impossible_pixel_size_of_a_file_counts_as_none(size, grey, tmp_path):
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16"'
        f' SizeX="50" SizeY="40" SizeC="1" SizeZ="1" SizeT="1" PhysicalSizeX="{size}"'
        f' PhysicalSizeY="{size}"><Channel ID="Channel:0:0" SamplesPerPixel="1"/><TiffData/>'
        "</Pixels></Image></OME>"
    )
    tifffile.imwrite(tmp_path / "a.ome.tif", grey, description=xml, metadata=None)
    file = read_image(tmp_path / "a.ome.tif")
    assert np.array_equal(file.data, grey)
    assert file.pixel_size is None


def test_a_file_whose_ome_is_cut_short_is_read_without_it(grey, tmp_path):
    xml = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><'
    tifffile.imwrite(tmp_path / "a.tif", grey, description=xml + "OME>", metadata=None)
    file = read_image(tmp_path / "a.tif")
    assert np.array_equal(file.data, grey)
    assert file.pixel_size is None


# ---------------------------------------------------------------- axes and values


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_tiff_is_read_exactly(compression, dtype, grey, tmp_path):
    file = written(tmp_path / "a.tif", grey.astype(dtype), compression=compression)
    assert np.array_equal(file.data, grey.astype(dtype))
    assert file.axes == "YX"


@pytest.mark.parametrize("axes", ["TYX", "ZYX", "CYX", "TCYX", "TZCYX"])
def test_axes_are_those_of_imagej_and_ome(axes, tmp_path):
    data = np.zeros([*[2, 3, 2][: len(axes) - 2], 20, 30], np.uint16)
    imagej = written(tmp_path / "a.tif", data, imagej=True, metadata={"axes": axes})
    ome = written(tmp_path / "a.ome.tif", data, ome=True, metadata={"axes": axes})
    assert (imagej.axes, imagej.data.shape) == (ome.axes, ome.data.shape) == (axes, data.shape)


def test_pages_of_unknown_meaning_are_frames(tmp_path):
    data = np.random.default_rng(0).integers(0, 255, (4, 20, 30), dtype=np.uint8)
    file = written(tmp_path / "a.tif", data, photometric="minisblack", metadata=None)
    assert file.axes == "TYX"
    assert np.array_equal(file.data, data)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours_of_a_tiff_come_last(planar, tmp_path):
    data = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    stored = data if planar == "contig" else data.transpose(2, 0, 1)
    file = written(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar)
    assert file.axes == "YXS"
    assert np.array_equal(file.data, data)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".PNG"])
def test_a_picture_is_read_exactly(suffix, tmp_path):
    grey = np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), grey)
    file = read_image(tmp_path / f"a{suffix}")
    assert np.array_equal(file.data, grey)
    assert (file.axes, file.pixel_size) == ("YX", None)


def test_a_png_may_have_16_bit(grey, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), grey)
    assert np.array_equal(read_image(tmp_path / "a.png").data, grey)


@pytest.mark.parametrize("samples", [3, 4])
def test_colours_of_a_png_are_red_green_blue(samples, tmp_path):
    data = np.random.default_rng(0).integers(0, 255, (20, 30, samples), dtype=np.uint8)
    order = [2, 1, 0, 3][:samples]
    cv2.imwrite(str(tmp_path / "a.png"), data[..., order])
    file = read_image(tmp_path / "a.png")
    assert file.axes == "YXS"
    assert np.array_equal(file.data, data)


def test_a_jpeg_is_read(tmp_path):
    cv2.imwrite(str(tmp_path / "a.jpg"), np.full((20, 30), 99, np.uint8))
    assert np.abs(read_image(tmp_path / "a.jpg").data.astype(int) - 99).max() < 4


def test_a_file_name_may_have_any_script(grey, tmp_path):
    assert np.array_equal(written(tmp_path / "Sphäroid 球 1.tif", grey).data, grey)
    cv2.imencode(".png", grey)[1].tofile(tmp_path / "Sphäroid 球 1.png")
    assert np.array_equal(read_image(tmp_path / "Sphäroid 球 1.png").data, grey)


# ---------------------------------------------------------------- what cannot be read


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg", ".bmp"])
@pytest.mark.parametrize("content", [b"", b"no picture", bytes(500)])
def test_a_file_that_is_no_image_is_refused(suffix, content, tmp_path):
    (tmp_path / f"a{suffix}").write_bytes(content)
    with pytest.raises(UnreadableFile, match=rf"a\{suffix}"):
        read_image(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", [".tif", ".png", ".bmp"])
@pytest.mark.parametrize("length", [8, 100])
def test_a_truncated_image_is_refused(suffix, length, grey, tmp_path):
    path = tmp_path / f"a{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(path, grey)
    else:
        cv2.imwrite(str(path), grey.astype(np.uint8))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UnreadableFile):
        read_image(path)


def test_a_picture_that_claims_to_be_gigantic_is_refused(tmp_path):
    content = cv2.imencode(".png", np.zeros((9, 9), np.uint8))[1].tobytes()
    size = (60_000).to_bytes(4, "big") * 2
    header = b"IHDR" + size + content[24:29]
    content = content[:12] + header + zlib.crc32(header).to_bytes(4, "big") + content[33:]
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnreadableFile):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.czi", "a.txt", "a", "Thumbs.db"])
def test_a_format_that_cannot_be_read_is_answered_with_those_that_can(name, tmp_path):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UnreadableFile, match=r"no format.*\.tif.*\.png"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["nowhere.tif", "nowhere.png"])
def test_a_missing_file_is_refused(name, tmp_path):
    with pytest.raises(UnreadableFile, match=f"no file .*{name}"):
        read_image(tmp_path / name)


def test_a_folder_is_no_image(tmp_path):
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(UnreadableFile):
        read_image(tmp_path / "a.tif")


def test_however_a_tiff_is_damaged_the_error_is_ours(grey, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", grey, imagej=True, metadata={"unit": "um"})
    whole = (tmp_path / "a.tif").read_bytes()
    draw = np.random.default_rng(0)
    for _ in range(60):
        changed = np.frombuffer(whole, np.uint8).copy()
        changed[draw.integers(0, 400, 12)] = draw.integers(0, 256, 12)
        (tmp_path / "a.tif").write_bytes(changed.tobytes())
        try:
            read_image(tmp_path / "a.tif")
        except SpherosegError:
            continue


# ---------------------------------------------------------------- images of any axes out


KINDS = ("bool", "uint8", "int16", "uint16", "uint32", "float32", "float64")
KINDS_THAT_OME_LACKS = ("float16", "int64", "uint64")


@pytest.mark.parametrize("kind", [*KINDS, *KINDS_THAT_OME_LACKS])
def test_a_stack_keeps_its_type_axes_and_pixel_size(kind, tmp_path):
    image = (np.random.default_rng(0).random((2, 3, 9, 11)) * 2).astype(kind)
    write_stack(tmp_path / "a.tif", image, "TZYX", (0.4, 0.5))
    file = read_image(tmp_path / "a.tif")
    assert file.data.dtype == kind
    assert np.array_equal(file.data, image)
    assert file.axes == "TZYX"
    assert file.pixel_size == pytest.approx((0.4, 0.5))


@pytest.mark.parametrize("axes", ["YXS", "TYXS"])
def test_colours_stay_colours(axes, tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (2, 9, 11, 3)[4 - len(axes) :], np.uint8)
    write_stack(tmp_path / "a.tif", image, axes)
    file = read_image(tmp_path / "a.tif")
    assert np.array_equal(file.data, image)
    assert file.axes == axes


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read anything")
def test_a_tiff_that_may_not_be_read_is_said(grey, tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey)
    path.chmod(0)
    with pytest.raises(UnreadableFile, match="cannot be read: Permission denied"):
        read_image(path)


def test_a_tiff_whose_drive_fails_is_said(grey, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise OSError(5, "Input/output error")

    tifffile.imwrite(tmp_path / "a.tif", grey)
    monkeypatch.setattr(tifffile, "TiffFile", fails)
    with pytest.raises(UnreadableFile, match=r"a\.tif cannot be read: Input/output error"):
        read_image(tmp_path / "a.tif")


def test_a_look_into_a_file_says_what_reading_it_says(tmp_path):
    path = tmp_path / "a.ome.tif"
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25}
    tifffile.imwrite(
        path, np.zeros((3, 2, 8, 9), np.uint8), ome=True, metadata={"axes": "ZCYX"} | size
    )
    read = read_image(path)
    assert look_into_tiff(path) == (read.axes, read.data.shape, read.pixel_size)


def test_a_look_into_what_is_read_in_another_order_says_nothing(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 9, 5), np.uint8), metadata={"axes": "YXZ"})
    assert look_into_tiff(tmp_path / "a.tif") is None


def test_a_look_into_a_damaged_file_says_nothing(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0nonsense")
    assert look_into_tiff(tmp_path / "a.tif") is None
