"""A segmentation as napari layer tuples; napari itself is not needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from .polygons import Polygon
    from .result import Segmentation

HOLE_COLOUR = "#ff7f0e"
OUTLINE_COLOUR = "#ffd700"


def layer_tuples(result: Segmentation, name: str, like: Any = None) -> list[tuple[Any, ...]]:
    """Labels and polygons as ``(data, arguments, type)``.

    Parameters
    ----------
    result : Segmentation
    name : str
        Of the image; layers are called ``<name> labels`` and ``<name> polygons``.
    like : napari layer, optional
        Image whose scale, translate, units and axis labels they take; without it, those of the
        recipe's pixel size.

    Returns
    -------
    list of tuple
        For ``viewer.add_layer(napari.layers.Layer.create(*each))``.
    """
    shared = {**placement(result, like), "metadata": {"spheroseg": result.recipe}}
    labels = {
        **shared,
        "name": f"{name} labels",
        "features": label_features(result.table),
        "opacity": 0.4,
    }
    polygons = {**shared, "name": f"{name} polygons", **shape_arguments(result)}
    return [
        (result.labels, labels, "labels"),
        (polygons.pop("data"), polygons, "shapes"),
    ]


def placement(result: Segmentation, like: Any = None) -> dict[str, Any]:
    """scale, translate, units and axis_labels for the axes of the result."""
    axes = result.frames.leading_axes + "YX"
    if like is None:
        pair = result.settings.pixel_size
        lengths = dict.fromkeys(axes, (1.0, "pixel"))
        if pair is not None:
            lengths |= {"Y": (pair[0], "um"), "X": (pair[1], "um")}
        return {
            "scale": [lengths[axis][0] for axis in axes],
            "units": [lengths[axis][1] for axis in axes],
            "axis_labels": list(axes.lower()),
        }
    of_layer = [axis for axis in result.frames.axes if axis != "S"]
    kept = [of_layer.index(axis) for axis in axes]
    return {
        what: [getattr(like, what)[i] for i in kept]
        for what in ("scale", "translate", "units", "axis_labels")
    }


def label_features(table: pd.DataFrame) -> pd.DataFrame:
    """The table as napari's Labels layer wants it: ``index`` is the label."""
    return table.rename(columns={"label": "index"})


def shape_arguments(result: Segmentation) -> dict[str, Any]:
    """Data, features and colours of the Shapes layer: one shape a ring, holes in another colour."""
    rings = [
        (polygon, number, ring)
        for polygon in result.polygons
        for number, ring in enumerate(polygon.rings)
    ]
    ndim = len(result.frames.shape)
    return {
        "data": [at_frame(ring, polygon.frame) for polygon, _, ring in rings],
        "ndim": ndim,
        "shape_type": "polygon",
        "features": _ring_features([(polygon, number) for polygon, number, _ in rings]),
        "face_color": "transparent",
        "edge_color": [HOLE_COLOUR if number else OUTLINE_COLOUR for _, number, _ in rings]
        or OUTLINE_COLOUR,
        "edge_width": edge_width(result.frames.plane_shape),
        "text": {"string": "{number}", "color": OUTLINE_COLOUR, "size": 9},
    }


def at_frame(ring: NDArray[Any], frame: tuple[int, ...]) -> NDArray[np.float32]:
    """Corners (n, leading axes + 2): the ring, on its own frame."""
    leading = np.broadcast_to(np.asarray(frame, np.float32), (len(ring), len(frame)))
    return np.concatenate([leading, ring.astype(np.float32)], axis=1)


def edge_width(shape: tuple[int, int]) -> float:
    """Line width (px) that is seen when the whole image is on screen."""
    return max(1.0, max(shape) / 400)


def _ring_features(rings: list[tuple[Polygon, int]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "label": [polygon.id for polygon, _ in rings],
            "number": ["" if number else str(polygon.id) for polygon, number in rings],
            "ring": ["hole" if number else "outer" for _, number in rings],
            "class": [polygon.name for polygon, _ in rings],
            "parent": [polygon.parent or 0 for polygon, _ in rings],
            "mean_probability": [polygon.mean_probability for polygon, _ in rings],
        }
    )
