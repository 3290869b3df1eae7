"""Polygons as GeoJSON that QuPath opens, and back.

Coordinates are pixels with the origin at the corner of the first pixel, x before y, as QuPath
has them; ours (`Polygon`) count from the centre of the first pixel, so half a pixel lies between.
Rings are closed. The collection's member ``spheroseg`` states unit, pixel size and recipe.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnreadableFile
from ..polygon import Polygon, Ring
from .atomic import write_text

_HALF = 0.5  # from the centre of a pixel to its corner
_RED_GREEN_BLUE = [255, 215, 0]


@dataclass(frozen=True, eq=False)
class PolygonFile:
    """What a GeoJSON file holds.

    Attributes
    ----------
    polygons : list of Polygon
    axes : str
        Names of the axes that lead to a polygon's frame, such as "T" or "TZ".
    pixel_size : (float, float) or None
        µm, height and width.
    recipe : dict
        How they were made; empty where the file does not say.
    """

    polygons: list[Polygon]
    axes: str = ""
    pixel_size: tuple[float, float] | None = None
    recipe: Mapping[str, Any] | None = None


def write_geojson(
    path: Path, content: PolygonFile, measures: Iterable[Mapping[str, Any]] = ()
) -> None:
    """Write polygons.

    Parameters
    ----------
    path : Path
    content : PolygonFile
    measures : iterable of mapping
        Rows of the table; each goes, by label and frame, into the measurements of its polygon.

    Raises
    ------
    UnreadableFile
        It cannot be written.
    """
    rows = {_place(row, content.axes): row for row in measures}
    size = content.pixel_size
    collection = {
        "type": "FeatureCollection",
        "spheroseg": {
            "format_version": 1,
            "unit": "px",
            "origin": "corner of the first pixel",
            "axes": content.axes,
            "pixel_size_um": None if size is None else {"y": size[0], "x": size[1]},
            "recipe": dict(content.recipe or {}),
        },
        "features": [
            _feature(each, content.axes, rows.get((each.id, *each.frame)))
            for each in content.polygons
        ],
    }
    write_text(path, json.dumps(collection))


def read_geojson(path: Path) -> PolygonFile:
    """Read polygons that we or QuPath wrote.

    Raises
    ------
    UnreadableFile
        It is missing or no GeoJSON.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        features = content["features"] if isinstance(content, dict) else content
        ours = content.get("spheroseg", {}) if isinstance(content, dict) else {}
        placed = [each for each in features if (each.get("geometry") or {}).get("coordinates")]
        if features and not placed:
            raise ValueError("no feature has coordinates")
        features = placed
        axes = ours["axes"] if "axes" in ours else _axes_of_planes(features)
        ids = (_id(each) for each in features)
        first = max((number for number in ids if number is not None), default=0) + 1
        polygons = [
            polygon
            for number, feature in enumerate(features, start=first)
            for polygon in _polygons(feature, axes, number)
        ]
        size = ours.get("pixel_size_um")
        pair = None if size is None else (float(size["y"]), float(size["x"]))
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read", hint="Check the path.") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UnreadableFile(
            f"{path.name} is no GeoJSON with polygons: {error}",
            hint="Export a FeatureCollection of Polygon or MultiPolygon.",
        ) from error
    return PolygonFile(polygons, axes, pair, ours.get("recipe") or {})


def _place(row: Mapping[str, Any], axes: str) -> tuple[int, ...]:
    """Label and frame of a row of the table."""
    return tuple(int(row[name]) for name in ("label", *axes.lower()))


def _feature(polygon: Polygon, axes: str, row: Mapping[str, Any] | None) -> dict[str, Any]:
    geometry: dict[str, Any] = {
        "type": "Polygon",
        "coordinates": [_close(ring) for ring in polygon.rings],
    }
    if polygon.frame:
        position = dict(zip(axes.lower(), polygon.frame, strict=False))
        geometry["plane"] = {"c": -1, "z": position.get("z", 0), "t": position.get("t", 0)}
    properties = {
        "objectType": "annotation",
        "name": str(polygon.id),
        "classification": {"name": polygon.name, "color": _RED_GREEN_BLUE},
        "id": polygon.id,
        "parent": polygon.parent,
        "mean_probability": _number(polygon.mean_probability),
        "frame": list(polygon.frame),
    }
    if row is not None:
        numbers = {key: _number(value) for key, value in row.items() if key != "label"}
        properties["measurements"] = {k: v for k, v in numbers.items() if v is not None}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _number(value: Any) -> float | None:
    """None for what is no number, such as the class."""
    if value is None or isinstance(value, str):
        return None
    return float(value) if np.isfinite(value) else None


def _close(ring: Ring) -> list[list[float]]:
    points = np.round(ring[:, ::-1].astype(float) + _HALF, 3).tolist()
    closed: list[list[float]] = [*points, points[0]]
    return closed


def _open(coordinates: list[list[float]]) -> Ring:
    points = np.asarray(coordinates, np.float64)[:, 1::-1] - _HALF
    if len(points) > 1 and (points[0] == points[-1]).all():
        points = points[:-1]
    if len(points) < 3:
        raise ValueError("a ring has fewer than three corners")
    return np.asarray(points, np.float32)


def _polygons(feature: Mapping[str, Any], axes: str, number: int) -> list[Polygon]:
    geometry, properties = feature["geometry"], feature.get("properties") or {}
    parts = geometry["coordinates"]
    if geometry["type"] == "Polygon":
        parts = [parts]
    elif geometry["type"] != "MultiPolygon":
        return []
    probability = properties.get("mean_probability")
    plane = geometry.get("plane", {})
    frame = properties.get("frame", [plane.get(axis, 0) for axis in axes.lower()])
    return [
        Polygon(
            id=_id(feature) or number,
            outer=_open(rings[0]),
            holes=tuple(_open(ring) for ring in rings[1:]),
            name=(properties.get("classification") or {}).get("name", "spheroid"),
            parent=properties.get("parent"),
            mean_probability=float("nan") if probability is None else float(probability),
            frame=tuple(int(position) for position in frame),
        )
        for rings in parts
    ]


def _id(feature: Mapping[str, Any]) -> int | None:
    """The number that we gave it; QuPath's own ids are no numbers."""
    value = (feature.get("properties") or {}).get("id")
    return int(value) if isinstance(value, int | float) else None


def _axes_of_planes(features: Iterable[Mapping[str, Any]]) -> str:
    """Leading axes of a file that QuPath wrote: those along which its planes differ from 0."""
    planes = [each["geometry"].get("plane") or {} for each in features]
    return "".join(axis for axis in "TZ" if any(plane.get(axis.lower()) for plane in planes))
