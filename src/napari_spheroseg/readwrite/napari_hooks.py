"""npe2 readers, writers and sample data: our formats as napari layer tuples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..synthetic import SyntheticImage, movie, spheroids
from .geojson import PolygonFile, read_geojson, write_geojson
from .images import ZARR, open_image, read_image, stem_of
from .omezarr import open_levels
from .shapes import polygons_of, shape_arguments
from .tiff import write_labels as write_label_tiff

LayerTuple = tuple[Any, dict[str, Any], str]
Reader = Callable[[str | Sequence[str]], list[LayerTuple]]


def sample_brightfield() -> list[LayerTuple]:
    """Dark spheroids on a bright ground, with truth."""
    return _sample(spheroids(seed=1), "spheroids brightfield")


def sample_fluorescence() -> list[LayerTuple]:
    """Glowing spheroids on a dark ground, with truth."""
    return _sample(spheroids(modality="fluorescence", seed=2), "spheroids fluorescence")


def sample_movie() -> list[LayerTuple]:
    """Growing spheroids over six time points, with truth."""
    return _sample(movie(seed=3), "growing spheroids")


def _sample(drawn: SyntheticImage, name: str) -> list[LayerTuple]:
    leading = drawn.image.ndim - 2
    place = _placement((drawn.pixel_size, drawn.pixel_size), leading)
    place["axis_labels"] = ["t"] * leading + ["y", "x"]
    return [
        (drawn.image, {"name": name, **place}, "image"),
        (drawn.labels, {"name": f"{name} truth", "visible": False, **place}, "labels"),
    ]


def polygon_reader(path: str | Sequence[str]) -> Reader | None:
    """Reader of GeoJSON, or None for anything else."""
    return _read_polygons if _single(path).lower().endswith(".geojson") else None


def label_reader(path: str | Sequence[str]) -> Reader | None:
    """Reader of label TIFF and OME-Zarr by its name, or None for anything else."""
    name = _single(path).lower().rstrip("/\\")
    if name.endswith(f"_labels.ome{ZARR}"):
        return _read_label_pyramid
    return _read_labels if name.endswith(("_labels.tif", "_labels.tiff")) else None


def _single(path: str | Sequence[str]) -> str:
    return path if isinstance(path, str) else path[0]


def _read_polygons(path: str | Sequence[str]) -> list[LayerTuple]:
    file = read_geojson(Path(_single(path)))
    leading = len(file.axes)
    size = max((float(each.outer.max()) for each in file.polygons), default=0)
    arguments = {
        **shape_arguments(file.polygons, leading + 2, size),
        **_placement(file.pixel_size, leading),
        "name": Path(_single(path)).stem,
        "metadata": {"spheroseg": file.recipe},
    }
    return [(arguments.pop("data"), arguments, "shapes")]


def _read_labels(path: str | Sequence[str]) -> list[LayerTuple]:
    file = read_image(_single(path))
    arguments = {
        **_placement(file.pixel_size, file.data.ndim - 2),
        "name": Path(_single(path)).stem,
        "axis_labels": list(file.axes.lower()),
    }
    return [(file.data, arguments, "labels" if file.data.dtype.kind in "iu" else "image")]


def _read_label_pyramid(path: str | Sequence[str]) -> list[LayerTuple]:
    """Labels that stay in their folder until they are shown."""
    folder = Path(_single(path))
    levels, file = open_levels(folder), open_image(folder)
    arguments = {
        **_placement(file.pixel_size, file.data.ndim - 2),
        "name": stem_of(folder),
        "axis_labels": list(file.axes.lower()),
        "multiscale": len(levels) > 1,
    }
    return [(levels if len(levels) > 1 else levels[0], arguments, "labels")]


def _placement(pixel_size: tuple[float, float] | None, leading: int) -> dict[str, Any]:
    return {
        "scale": [1.0] * leading + [*(pixel_size or (1.0, 1.0))],
        "units": ["pixel"] * leading + ["um" if pixel_size else "pixel"] * 2,
    }


def write_labels(path: str, data: NDArray[Any], attributes: dict[str, Any]) -> list[str]:
    """Write a Labels layer as OME-TIFF, with its pixel size where its units are lengths."""
    labels = np.asarray(data)
    axes = _leading_axes(attributes, labels.ndim - 2) + "YX"
    write_label_tiff(Path(path), labels, axes, _pixel_size(attributes))
    return [path]


def write_polygons(path: str, data: Sequence[Any], attributes: dict[str, Any]) -> list[str]:
    """Write a Shapes layer as GeoJSON; what is no ring of ours counts as an object of its own."""
    polygons = polygons_of(data, attributes)
    axes = _leading_axes(attributes, len(polygons[0].frame) if polygons else 0)
    recipe = (attributes.get("metadata") or {}).get("spheroseg", {})
    write_geojson(Path(path), PolygonFile(polygons, axes, _pixel_size(attributes), recipe))
    return [path]


def _leading_axes(attributes: dict[str, Any], count: int) -> str:
    """The layer's own axis labels where they are single letters, else T, Z, C, ..."""
    letters = [str(label).upper() for label in attributes.get("axis_labels", ())][:-2]
    usable = len(letters) == count == len(set(letters))
    if not usable or any(len(letter) != 1 or letter in "YXS" for letter in letters):
        letters = list("TZCPABDEFGHIJKLMNOQRUVW"[:count])
    return "".join(letters)


def _pixel_size(attributes: dict[str, Any]) -> tuple[float, float] | None:
    """µm, height and width, where the layer's units are lengths."""
    scale, units = attributes.get("scale"), attributes.get("units")
    if scale is None or units is None:
        return None
    sizes = [
        abs(float(s)) * factor
        for s, u in zip(scale[-2:], units[-2:], strict=True)
        if (factor := _MICROMETRES.get(str(u)))
    ]
    return (sizes[0], sizes[1]) if len(sizes) == 2 else None


_MICROMETRES = {
    "micrometer": 1.0,
    "um": 1.0,
    "µm": 1.0,
    "nanometer": 1e-3,
    "nm": 1e-3,
    "millimeter": 1e3,
    "mm": 1e3,
    "centimeter": 1e4,
    "cm": 1e4,
    "meter": 1e6,
    "m": 1e6,
}
