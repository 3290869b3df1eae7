"""npe2 readers, writers and sample data: our formats as napari layer tuples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..synthetic import SyntheticImage, movie, spheroids
from .geojson import PolygonFile, read_geojson, write_geojson
from .tiff import read_tiff
from .tiff import write_labels as write_label_tiff

LayerTuple = tuple[Any, dict[str, Any], str]
Reader = Callable[[str | Sequence[str]], list[LayerTuple]]
_ELLIPSE_CORNERS = 64


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
    place = {
        "scale": [1.0] * leading + [drawn.pixel_size] * 2,
        "units": ["pixel"] * leading + ["um"] * 2,
        "axis_labels": ["t"] * leading + ["y", "x"],
    }
    return [
        (drawn.image, {"name": name, **place}, "image"),
        (drawn.labels, {"name": f"{name} truth", "visible": False, **place}, "labels"),
    ]


def polygon_reader(path: str | Sequence[str]) -> Reader | None:
    """Reader of GeoJSON, or None for anything else."""
    return _read_polygons if _single(path).lower().endswith(".geojson") else None


def label_reader(path: str | Sequence[str]) -> Reader | None:
    """Reader of label TIFF by its name, or None for anything else."""
    return _read_labels if _single(path).lower().endswith(("_labels.tif", "_labels.tiff")) else None


def _single(path: str | Sequence[str]) -> str:
    return path if isinstance(path, str) else path[0]


def _read_polygons(path: str | Sequence[str]) -> list[LayerTuple]:
    from ..segmentation.layers import at_frame, ring_arguments

    file = read_geojson(Path(_single(path)))
    rings = [
        (p, i, at_frame(ring, p.frame)) for p in file.polygons for i, ring in enumerate(p.rings)
    ]
    size = file.pixel_size or (1.0, 1.0)
    leading = len(file.polygons[0].frame) if file.polygons else 0
    arguments = {
        "name": Path(_single(path)).stem,
        "ndim": leading + 2,
        "scale": [1.0] * leading + [*size],
        "units": ["pixel"] * leading + ["um" if file.pixel_size else "pixel"] * 2,
        "metadata": {"spheroseg": file.recipe},
        "edge_width": max(1.0, max((ring[:, -2:].max() for *_, ring in rings), default=0) / 400),
        **ring_arguments([(polygon, number) for polygon, number, _ in rings]),
    }
    return [([ring for *_, ring in rings], arguments, "shapes")]


def _read_labels(path: str | Sequence[str]) -> list[LayerTuple]:
    file = read_tiff(Path(_single(path)))
    leading = file.data.ndim - 2
    arguments = {
        "name": Path(_single(path)).stem,
        "scale": [1.0] * leading + [*(file.pixel_size or (1.0, 1.0))],
        "units": ["pixel"] * leading + ["um" if file.pixel_size else "pixel"] * 2,
        "axis_labels": list(file.axes.lower()),
    }
    if file.data.dtype.kind not in "iu":
        return [(file.data, arguments, "image")]
    return [(file.data, arguments, "labels")]


def write_labels(path: str, data: NDArray[Any], attributes: dict[str, Any]) -> list[str]:
    """Write a Labels layer as OME-TIFF, with its pixel size where its units are lengths."""
    labels = np.asarray(data)
    letters = [str(label).upper() for label in attributes.get("axis_labels", ())]
    if len(letters) != labels.ndim or any(len(letter) != 1 for letter in letters):
        letters = [*"TZC"[: labels.ndim - 2], "Y", "X"]
    write_label_tiff(Path(path), labels, "".join(letters), _pixel_size(attributes))
    return [path]


def write_polygons(path: str, data: Sequence[Any], attributes: dict[str, Any]) -> list[str]:
    """Write a Shapes layer as GeoJSON; what is no ring of ours counts as an object of its own."""
    polygons = polygons_of(data, attributes)
    frame = len(polygons[0].frame) if polygons else 0
    recipe = (attributes.get("metadata") or {}).get("spheroseg", {})
    write_geojson(
        Path(path), PolygonFile(polygons, "TZPC"[:frame], _pixel_size(attributes), recipe)
    )
    return [path]


def polygons_of(data: Sequence[Any], attributes: dict[str, Any]) -> list[Any]:
    """Polygons of a Shapes layer: rings of one label and frame belong together.

    Parameters
    ----------
    data : sequence of ndarray, (n, axes)
        Corners of each shape; lines and paths are left out.
    attributes : dict
        As of `napari.layers.Layer.as_layer_data_tuple`: ``shape_type``, ``features``.

    Returns
    -------
    list of Polygon
    """
    from ..segmentation.polygons import Polygon

    features = attributes.get("features")
    kinds = attributes.get("shape_type", "polygon")
    kinds = [kinds] * len(data) if isinstance(kinds, str) else list(kinds)
    labels = list(features["label"]) if features is not None and "label" in features else []
    labels = [_whole(labels[i]) if i < len(labels) else 0 for i in range(len(data))]
    spare = iter(range(max(labels, default=0) + 1, max(labels, default=0) + 1 + len(data)))
    found: dict[tuple[int, tuple[int, ...]], Polygon] = {}
    for i, (corners, kind) in enumerate(zip(data, kinds, strict=True)):
        if kind in ("line", "path"):
            continue
        points = np.asarray(corners, float)
        ring = (_ellipse(points) if kind == "ellipse" else points)[:, -2:].astype(np.float32)
        frame = tuple(round(float(v)) for v in points[0, :-2])
        row = {} if features is None or i >= len(features) else features.iloc[i].to_dict()
        number = labels[i] or next(spare)
        owner = found.get((number, frame))
        if owner is not None and row.get("ring") == "hole":
            found[number, frame] = Polygon(**{**owner.__dict__, "holes": (*owner.holes, ring)})
            continue
        if owner is not None:  # drawn by hand: napari copies the features of the last shape
            number = next(spare)
            row = {}
        found[number, frame] = Polygon(
            number,
            ring,
            name=str(row.get("class") or "spheroid"),
            parent=_whole(row.get("parent")) or None,
            mean_probability=float(row.get("mean_probability", "nan")),
            frame=frame,
        )
    return list(found.values())


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _ellipse(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of the ellipse that napari stores as the corners of its box."""
    centre = corners.mean(axis=0)
    first, second = (corners[1] - corners[0]) / 2, (corners[2] - corners[1]) / 2
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_CORNERS, endpoint=False)[:, None]
    return np.asarray(centre + np.cos(angles) * first + np.sin(angles) * second)


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
