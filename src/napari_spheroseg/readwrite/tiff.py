"""TIFF in, with axes and pixel size; planes out, and label TIFF as OME."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..errors import BadImage, UnreadableFile
from .atomic import replacing

_TO_MICROMETRES = {"nm": 1e-3, "µm": 1.0, "um": 1.0, "micron": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
_OME_AXES = set("TZCYXS")
_LARGEST = 40.0  # µm; 72 to 600 dots per inch are a printer's, not a microscope's


def read_tiff(path: Path) -> tuple[NDArray[Any], str, tuple[float, float] | None]:
    """First series of a TIFF file: data, axes, pixel size (µm, height and width) if it says.

    Raises
    ------
    UnreadableFile
        It is damaged or uses a compression that cannot be read.
    """
    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            data, axes = series.asarray(), series.axes
            size = _pixel_size(file)
        data, axes = _usual_order(data, axes)
    except Exception as error:  # tifffile raises whatever a damaged file makes it stumble over
        raise UnreadableFile(
            f"{path.name} is no TIFF that can be read: {error}",
            hint="Open it in Fiji and save it as TIFF.",
        ) from error
    return data, axes, size


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
    metadata: dict[str, Any] = {"axes": _ome_axes(axes)}
    if pixel_size is not None:
        metadata |= {"PhysicalSizeY": pixel_size[0], "PhysicalSizeYUnit": "µm"}
        metadata |= {"PhysicalSizeX": pixel_size[1], "PhysicalSizeXUnit": "µm"}
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            np.asarray(labels, np.int32),
            ome=True,
            photometric="minisblack",
            compression="zlib",
            metadata=metadata,
        )


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


def _ome_axes(axes: str) -> str:
    spare = iter(letter for letter in "TZC" if letter not in axes)
    return "".join(axis if axis in _OME_AXES else next(spare, axis) for axis in axes)


def _usual_order(data: NDArray[Any], axes: str) -> tuple[NDArray[Any], str]:
    """Y, X and samples last; letters that tifffile uses for unknown axes become T, Z, ..."""
    order = [i for i, axis in enumerate(axes) if axis not in "YXS"]
    order += [axes.index(axis) for axis in "YXS" if axis in axes]
    data, axes = data.transpose(order), "".join(axes[i] for i in order)
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
