"""TIFF in, with axes and pixel size; planes out, and label TIFF as OME."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..errors import BadImage, MissingPackage, UnreadableFile
from .atomic import replacing
from .lazy import Mapped, usual_order
from .omezarr import require_zarr

_TO_MICROMETRES = {"nm": 1e-3, "µm": 1.0, "um": 1.0, "micron": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
_OME_AXES = set("TZCYXS")
_NOT_OME = ("float16", "int64", "uint64")
_TILE = 512
_ROWS = 256
_LEVEL = 3  # labels are flat: more effort makes them hardly smaller
_LARGEST = 40.0  # µm; 72 to 600 dots per inch are a printer's, not a microscope's


def read_tiff(path: Path) -> tuple[NDArray[Any], str, tuple[float, float] | None]:
    """First series of a TIFF file: data, axes, pixel size (µm, height and width) if it says.

    Raises
    ------
    UnreadableFile
        It is damaged or uses a compression that cannot be read.
    """
    return open_tiff(path, math.inf)


def open_tiff(path: Path, above: float) -> tuple[Any, str, tuple[float, float] | None]:
    """`read_tiff`, but a series whose planes have more pixels than `above` stays in its file.

    Raises
    ------
    UnreadableFile
        As of `read_tiff`.
    MissingPackage
        It needs zarr, which is not installed: it is tiled or compressed.
    """
    by_tile = ""
    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            size = _pixel_size(file)
            if above < math.inf and _pixels(series) > above:
                by_tile = " by tile"
            else:
                data, axes = series.asarray(), series.axes
        data, axes = _usual_order(*(_in_file(path) if by_tile else (data, axes)))
    except MissingPackage:
        raise
    except OSError as error:
        raise UnreadableFile(
            f"{path.name} cannot be read: {error.strerror or error}",
            hint="Check its permissions, and that the drive is there.",
        ) from error
    except Exception as error:  # tifffile raises whatever a damaged file makes it stumble over
        raise UnreadableFile(
            f"{path.name} is no TIFF that can be read{by_tile}: {error}",
            hint="Open it in Fiji and save it as TIFF.",
        ) from error
    return data, axes, size


def look_into_tiff(
    path: Path,
) -> tuple[str, tuple[int, ...], tuple[float, float] | None] | None:
    """Axes, shape and pixel size as `read_tiff` has them, without reading the image.

    None where it is no TIFF, or `read_tiff` puts its axes into another order.
    """
    try:
        with tifffile.TiffFile(path) as file:
            series, size = file.series[0], _pixel_size(file)
            pixels = np.broadcast_to(np.False_, series.shape)
            data, axes = _usual_order(pixels, series.axes)
    except Exception:  # tifffile raises whatever a damaged file makes it stumble over
        return None
    return (axes, data.shape, size) if data is pixels else None


def _pixels(series: Any) -> int:
    """Of a plane."""
    sides = (n for axis, n in zip(series.axes, series.shape, strict=True) if axis in "YX")
    return math.prod(sides)


def _in_file(path: Path) -> tuple[Any, str]:
    """First series of a file, of its pyramid the finest level: nothing is read yet."""
    file = tifffile.TiffFile(path)  # stays open as long as the array
    series = file.series[0]
    page = series.keyframe
    if series.dataoffset is not None and page.compression == 1 and not page.is_tiled:
        file.close()
        dtype = series.dtype.newbyteorder(file.byteorder)
        return Mapped(path, series.dataoffset, series.shape, dtype), series.axes
    require_zarr()
    import zarr

    return zarr.open_array(series.aszarr(level=0), mode="r"), series.axes


def write_large_labels(
    path: Path,
    labels: Any,
    axes: str = "YX",
    pixel_size: tuple[float, float] | None = None,
) -> None:
    """Write labels as tiled OME-TIFF (BigTIFF), reading them tile by tile.

    Parameters
    ----------
    path, axes, pixel_size
        As of `write_labels`.
    labels : array of int32
        Sliced, never read as a whole.

    Raises
    ------
    UnreadableFile
        It cannot be written.
    """
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            _tiles(labels),
            shape=labels.shape,
            dtype=np.int32,
            tile=(_TILE, _TILE),
            bigtiff=True,
            ome=True,
            photometric="minisblack",
            compression="zlib",
            metadata=_label_metadata(axes, pixel_size),
        )


def _tiles(labels: Any) -> Iterator[NDArray[np.int32]]:
    *leading, height, width = labels.shape
    for index in product(*(range(n) for n in leading)):
        for y, x in product(range(0, height, _TILE), range(0, width, _TILE)):
            tile = np.asarray(labels[(*index, slice(y, y + _TILE), slice(x, x + _TILE))], np.int32)
            missing = [(0, _TILE - n) for n in tile.shape]
            yield np.pad(tile, missing)


def _label_metadata(axes: str, pixel_size: tuple[float, float] | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": _ome_axes(axes)}
    if pixel_size is not None:
        metadata |= {"PhysicalSizeY": pixel_size[0], "PhysicalSizeYUnit": "µm"}
        metadata |= {"PhysicalSizeX": pixel_size[1], "PhysicalSizeXUnit": "µm"}
    return metadata


def write_labels(
    path: Path,
    labels: NDArray[Any],
    axes: str = "YX",
    pixel_size: tuple[float, float] | None = None,
) -> None:
    """Write labels as compressed OME-TIFF.

    Parameters
    ----------
    path : Path
        Ends in .tif or .tiff.
    labels : ndarray of integers
        Written as int32.
    axes : str
        One letter an axis; those that OME lacks are written as T.
    pixel_size : (float, float), optional
        µm, height and width.

    Raises
    ------
    UnreadableFile
        It cannot be written.
    """
    labels = np.asarray(labels)
    if labels.size and int(labels.max()) > np.iinfo(np.int32).max:
        raise BadImage(
            f"Label {labels.max()} is too large for a label TIFF", hint="Number the labels anew."
        )
    labels = np.asarray(labels, np.int32)
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            _deflated(labels) if labels.size else labels,
            shape=labels.shape,
            dtype=np.int32,
            rowsperstrip=_ROWS,
            ome=True,
            photometric="minisblack",
            compression="zlib",
            metadata=_label_metadata(axes, pixel_size),
        )


def _deflated(labels: NDArray[np.int32]) -> Iterator[bytes]:
    """Strips of a label image, by zlib-ng where it is there: five times faster."""
    import imagecodecs

    encode = imagecodecs.zlibng_encode if imagecodecs.ZLIBNG.available else imagecodecs.zlib_encode
    for plane in labels.reshape(-1, *labels.shape[-2:]):
        for top in range(0, len(plane), _ROWS):
            yield bytes(encode(plane[top : top + _ROWS].tobytes(), level=_LEVEL))


def write_image(path: Path, image: NDArray[Any]) -> None:
    """Write one plane as compressed TIFF.

    Parameters
    ----------
    path : Path
        Ends in .tif or .tiff.
    image : ndarray, (Y, X) or (Y, X, 3)
        Written as it is where programs can read that, else as float32.

    Raises
    ------
    UnreadableFile
        It cannot be written.
    """
    if image.dtype == bool:
        image = image.astype(np.uint8)
    elif image.dtype.itemsize > 4 or image.dtype == np.float16:
        image = image.astype(np.float32)
    kind = "rgb" if image.ndim == 3 else "minisblack"
    with replacing(path) as temporary:
        tifffile.imwrite(temporary, image, photometric=kind, compression="zlib")


def write_stack(
    path: Path,
    image: NDArray[Any],
    axes: str,
    pixel_size: tuple[float, float] | None = None,
) -> None:
    """Write an image of any axes as compressed OME-TIFF, in its own type.

    Parameters
    ----------
    path : Path
        Ends in .tif or .tiff.
    image : ndarray
        Boolean, integers or floats; of types that OME lacks (float16, int64, uint64) the file is
        a TIFF that tells axes and pixel size in its tags.
    axes : str
        One letter an axis, S last for the samples of RGB; those that OME lacks are written as T.
    pixel_size : (float, float), optional
        µm, height and width.

    Raises
    ------
    UnreadableFile
        It cannot be written.
    """
    how: dict[str, Any] = {"ome": True, "metadata": _label_metadata(axes, pixel_size)}
    if image.dtype.name in _NOT_OME:
        how = {"metadata": {"axes": _ome_axes(axes)}}
        if pixel_size is not None:
            per_cm = (1e4 / pixel_size[1], 1e4 / pixel_size[0])
            how |= {"resolution": per_cm, "resolutionunit": "CENTIMETER"}
    colours = axes.endswith("S") and image.shape[-1] in (3, 4)
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            image,
            photometric="rgb" if colours else "minisblack",
            planarconfig="contig" if axes.endswith("S") else None,
            compression="zlib",
            **how,
        )


def _ome_axes(axes: str) -> str:
    spare = iter(letter for letter in "TZC" if letter not in axes)
    return "".join(axis if axis in _OME_AXES else next(spare, axis) for axis in axes)


def _usual_order(data: Any, axes: str) -> tuple[Any, str]:
    """Y, X and samples last; letters that tifffile uses for unknown axes become T, Z, ..."""
    data, axes = usual_order(data, axes)
    spare = iter(letter for letter in "TZPABDEFGHIJKLMNOQRUVW" if letter not in axes)
    return data, "".join(next(spare) if axis in "IQ" else axis for axis in axes)


def _pixel_size(file: tifffile.TiffFile) -> tuple[float, float] | None:
    """µm, height and width, from OME, ImageJ or resolution tags."""
    return _from_ome(file) or _from_resolution(file)


def _from_ome(file: tifffile.TiffFile) -> tuple[float, float] | None:
    if not file.ome_metadata:
        return None
    try:
        pixels = ElementTree.fromstring(file.ome_metadata).find(".//{*}Pixels")
    except ElementTree.ParseError:
        return None  # the image may be sound all the same
    if pixels is None:
        return None
    sizes = [
        _micrometres(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit"))
        for axis in "YX"
    ]
    return None if None in sizes else (float(sizes[0] or 0), float(sizes[1] or 0))


def _micrometres(value: str | None, unit: str | None) -> float | None:
    try:
        size = float(value or "nan") * _TO_MICROMETRES.get(unit or "µm", math.nan)
    except ValueError:
        return None
    return size if 0 < size < math.inf else None


def _from_resolution(file: tifffile.TiffFile) -> tuple[float, float] | None:
    tags = file.pages[0].tags
    if "XResolution" not in tags or "YResolution" not in tags:
        return None
    per_unit = []
    for name in ("YResolution", "XResolution"):
        numerator, denominator = tags[name].value
        if not numerator or not denominator:
            return None
        per_unit.append(numerator / denominator)
    unit = str((file.imagej_metadata or {}).get("unit", "")).strip()
    unit = re.sub(r"\\u00[bB]5|μ", "µ", unit).removesuffix("s")
    if file.imagej_metadata is not None:
        factor = _TO_MICROMETRES.get(unit)
    else:
        code = int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 2
        factor = {2: 25_400.0, 3: 10_000.0}.get(code)
        if factor is not None and factor / min(per_unit) > _LARGEST:
            return None
    return None if factor is None else (factor / per_unit[0], factor / per_unit[1])
