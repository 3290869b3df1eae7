"""OME-Zarr: images in, with axes and pixel size; labels out, with a pyramid.

zarr is imported on first use: it comes with the extra "large".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnreadableFile
from ..extras import require

_MICROMETRES = {
    "angstrom": 1e-4,
    "nanometer": 1e-3,
    "micrometer": 1.0,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "meter": 1e6,
    "nm": 1e-3,
    "um": 1.0,
    "µm": 1.0,
    "mm": 1e3,
}
_CHUNK = 1024
_SMALLEST = 512  # longest side of the last level of a pyramid


def require_zarr() -> None:
    """Check that what OME-Zarr, and images that do not fit into memory, need is installed.

    Raises
    ------
    MissingPackage
        It is not; the hint names the extra.
    """
    require("zarr", "large", "An image in OME-Zarr, or one too large for memory,")


def open_zarr(path: Path) -> tuple[Any, str, tuple[float, float] | None]:
    """The image in a zarr folder: array (nothing is read yet), axes, pixel size in µm if it says.

    Of a multiscale image (OME-Zarr 0.1 to 0.5) the finest level; else the one array that is there.

    Raises
    ------
    MissingPackage
        zarr is not installed.
    UnreadableFile
        There is no image in it, or it is damaged.
    """
    require_zarr()
    import zarr

    try:
        found = zarr.open(str(path), mode="r")
        if isinstance(found, zarr.Array):
            return found, _axes_of_array(found), None
        said = _said(found)
        if "multiscales" not in said and "0" in found and isinstance(found["0"], zarr.Group):
            found = found["0"]  # as bioformats2raw lays it out
            said = _said(found)
        if "multiscales" in said:
            return _finest(found, said["multiscales"][0])
        arrays = [array for _, array in found.arrays()]
        if len(arrays) == 1:
            return arrays[0], _axes_of_array(arrays[0]), None
    except UnreadableFile:
        raise
    except Exception as error:  # a damaged file makes zarr stumble over whatever
        raise UnreadableFile(
            f"{path.name} is no zarr that can be read: {error}",
            hint="Give the folder of an OME-Zarr image, or of a zarr array.",
        ) from error
    raise UnreadableFile(
        f"{path.name} holds {len(arrays)} arrays and does not say which is the image",
        hint="Give the folder of one of them.",
    )


def _said(group: Any) -> Mapping[str, Any]:
    attributes: dict[str, Any] = dict(group.attrs)
    said: dict[str, Any] = attributes.get("ome", attributes)
    return said


def _finest(group: Any, image: Mapping[str, Any]) -> tuple[Any, str, tuple[float, float] | None]:
    level = image["datasets"][0]
    array = group[level["path"]]
    axes = image.get("axes") or list("tczyx"[-array.ndim :])
    named = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in axes]
    letters = "".join(str(axis["name"]).upper()[:1] for axis in named)
    scale = np.ones(array.ndim)
    for step in (
        *level.get("coordinateTransformations", ()),
        *image.get("coordinateTransformations", ()),
    ):
        if step.get("type") == "scale" and "scale" in step:
            scale = scale * np.asarray(step["scale"], float)
    units = [_MICROMETRES.get(str(named[letters.index(axis)].get("unit"))) for axis in "YX"]
    sizes = [
        float(scale[letters.index(axis)] * unit)
        for axis, unit in zip("YX", units, strict=True)
        if unit is not None
    ]
    good = len(sizes) == 2 and all(0 < size < math.inf for size in sizes)
    return array, letters, (sizes[0], sizes[1]) if good else None


def _axes_of_array(array: Any) -> str:
    """Axes that the array names, or the usual ones of as many."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if names and all(names):
        letters = "".join(str(name).upper()[:1] for name in names)
        if len(set(letters)) == len(letters) and {"Y", "X"} <= set(letters):
            return letters
    rgb = array.ndim > 2 and array.shape[-1] in (3, 4)
    leading = array.ndim - (3 if rgb else 2)
    usual = {0: "", 1: "T", 2: "TZ", 3: "PTZ"}
    if leading not in usual:
        raise UnreadableFile(
            f"A zarr array of shape {array.shape} does not say which axes are rows and columns",
            hint="Name them, or give its planes one by one.",
        )
    return usual[leading] + ("YXS" if rgb else "YX")


def write_label_pyramid(
    path: Path, labels: Any, axes: str, pixel_size: tuple[float, float] | None
) -> Iterator[None]:
    """Write labels as OME-Zarr 0.4, chunk by chunk, each level half as large as the one before.

    Parameters
    ----------
    path : Path
        Made; must not be there.
    labels : array of integers
        Leading axes, then (Y, X); sliced, never read as a whole.
    axes : str
        One letter an axis.
    pixel_size : (float, float) or None
        µm, height and width.

    Yields
    ------
    None
        After every chunk.
    """
    require_zarr()
    import zarr

    group = zarr.create_group(store=str(path), zarr_format=2)
    shape, step, count = tuple(labels.shape), 1, 0
    fine: Any = labels
    while not count or max(fine.shape[-2:]) > _SMALLEST:
        shape = (*shape[:-2], *(-(-n // step) for n in fine.shape[-2:]))
        level = _create_level(path / str(count), shape)
        for where in _chunks(shape):
            # a label is no grey value: every second pixel, not the mean of four
            sides = (slice(step * side.start, step * side.stop) for side in where[-2:])
            values = np.asarray(fine[(*where[:-2], *sides)])[::step, ::step]
            if values.any():
                level[where] = values
            yield
        fine, step, count = level, 2, count + 1
    group.attrs.update(_attributes(axes, pixel_size, count))


def _create_level(path: Path, shape: tuple[int, ...]) -> Any:
    """Chunks that stay 0 are not written."""
    import zarr
    from numcodecs import Blosc

    return zarr.create_array(
        store=str(path),
        shape=shape,
        chunks=tuple([1] * (len(shape) - 2) + [min(_CHUNK, n) for n in shape[-2:]]),
        dtype=np.int32,
        fill_value=0,
        compressors=Blosc(cname="zstd", clevel=3),
        zarr_format=2,
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )


def _attributes(axes: str, pixel_size: tuple[float, float] | None, levels: int) -> dict[str, Any]:
    named: list[dict[str, str]] = []
    for axis in axes.lower():
        kind = {"t": "time", "c": "channel"}.get(axis, "space" if axis in "zyx" else "")
        unit = {"unit": "micrometer"} if pixel_size and axis in "yx" else {}
        named.append({"name": axis, **({"type": kind} if kind else {}), **unit})
    leading, size = [1.0] * (len(axes) - 2), pixel_size or (1.0, 1.0)
    datasets = [
        {
            "path": str(number),
            "coordinateTransformations": [
                {"type": "scale", "scale": [*leading, *(each * 2**number for each in size)]}
            ],
        }
        for number in range(levels)
    ]
    multiscale = {"version": "0.4", "name": "labels", "axes": named, "datasets": datasets}
    return {"multiscales": [multiscale], "image-label": {"version": "0.4"}}


def _chunks(shape: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    """Windows of a chunk each, with a number for every leading axis."""
    leading = product(*(range(n) for n in shape[:-2]))
    for index in leading:
        for y, x in product(range(0, shape[-2], _CHUNK), range(0, shape[-1], _CHUNK)):
            rows = slice(y, min(y + _CHUNK, shape[-2]))
            yield (*index, rows, slice(x, min(x + _CHUNK, shape[-1])))


def open_levels(path: Path) -> list[Any]:
    """All levels of a pyramid, the finest first."""
    require_zarr()
    import zarr

    group = zarr.open_group(str(path), mode="r")
    return [group[each["path"]] for each in _said(group)["multiscales"][0]["datasets"]]
