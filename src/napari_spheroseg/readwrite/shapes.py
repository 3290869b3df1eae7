"""Polygons as the data of a napari Shapes layer, one shape a ring, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..polygon import Polygon, Ring

OUTLINE_COLOUR = "#ffd700"
_ELLIPSE_CORNERS = 64


def shape_arguments(polygons: Iterable[Polygon], ndim: int, size: float) -> dict[str, Any]:
    """Data, features and style of a Shapes layer.

    Features name the object and its part, and say which rings are holes.

    Parameters
    ----------
    polygons : iterable of Polygon
    ndim : int
        Axes of the layer: those of a polygon's frame, and two.
    size : float
        Longer side (px) of the image, from which lines take their width.

    Returns
    -------
    dict
        ``data`` and arguments of ``napari.layers.Shapes``.
    """
    import pandas as pd

    parts: Counter[tuple[int, ...]] = Counter()
    data, rows = [], []
    for polygon in polygons:
        parts[polygon.id, *polygon.frame] += 1
        for number, ring in enumerate(polygon.rings):
            data.append(_at_frame(ring, polygon.frame))
            rows.append(_row(polygon, parts[polygon.id, *polygon.frame], number > 0))
    return {
        "data": data,
        "ndim": ndim,
        "shape_type": "polygon",
        "features": pd.DataFrame(rows, columns=_COLUMNS),
        "face_color": "transparent",
        "edge_color": OUTLINE_COLOUR,
        "edge_width": max(1.0, size / 400),
        "text": {"string": "{number}", "color": "white", "size": 8},
    }


def polygons_of(data: Sequence[Any], attributes: dict[str, Any]) -> list[Polygon]:
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
    features = attributes.get("features")
    kinds = attributes.get("shape_type", "polygon")
    kinds = [kinds] * len(data) if isinstance(kinds, str) else list(kinds)
    labels = list(features["label"]) if features is not None and "label" in features else []
    labels = [_whole(labels[i]) if i < len(labels) else 0 for i in range(len(data))]
    spare = count(max(labels, default=0) + 1)
    found: dict[tuple[int, tuple[int, ...], int], Polygon] = {}
    for i, (corners, kind) in enumerate(zip(data, kinds, strict=True)):
        if kind in ("line", "path"):
            continue
        points = np.asarray(corners, float)
        ring = (_ellipse(points) if kind == "ellipse" else points)[:, -2:].astype(np.float32)
        frame = tuple(round(float(v)) for v in points[0, :-2])
        row = {} if features is None or i >= len(features) else features.iloc[i].to_dict()
        number, part = labels[i] or next(spare), _whole(row.get("part"))
        owner = found.get((number, frame, part))
        if owner is not None and row.get("ring") == "hole":
            found[number, frame, part] = replace(owner, holes=(*owner.holes, ring))
            continue
        if owner is not None:  # drawn by hand: napari copies the features of the last shape
            number = next(spare)
            row = {}
        found[number, frame, part] = Polygon(
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


def _at_frame(ring: Ring, frame: tuple[int, ...]) -> NDArray[np.float32]:
    """Corners (n, leading axes + 2): the ring, on its own frame."""
    leading = np.broadcast_to(np.asarray(frame, np.float32), (len(ring), len(frame)))
    return np.concatenate([leading, ring.astype(np.float32)], axis=1)


_COLUMNS = ("label", "part", "number", "ring", "class", "parent", "mean_probability")


def _row(polygon: Polygon, part: int, hole: bool) -> tuple[Any, ...]:
    """Features of one ring; only outer ones show their number."""
    shown = "" if hole else str(polygon.id)
    kind = "hole" if hole else "outer"
    parent = polygon.parent or 0
    return polygon.id, part, shown, kind, polygon.name, parent, polygon.mean_probability
