"""A segmentation as napari layer tuples; napari itself is not needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from ..inference.frames import Frames
    from .polygons import Polygon
    from .result import Segmentation

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
    shown = result.layer_data
    labels = {**shared, "name": f"{name} labels", **shown["labels"], "opacity": 0.4}
    polygons = {**shared, "name": f"{name} polygons", **shown["shapes"]}
    return [(labels.pop("data"), labels, "labels"), (polygons.pop("data"), polygons, "shapes")]


def _layer_axes(frames: Frames) -> str:
    """Axes of the layers.

    A channel axis in front is left out: napari then shows the result with every channel. One
    between other axes keeps its place, with the channel that was segmented as its only position.
    """
    return "".join(
        axis for i, axis in enumerate(frames.axes) if axis != "S" and (axis != "C" or i > 0)
    )


def placement(result: Segmentation, like: Any = None) -> dict[str, Any]:
    """scale, translate, units and axis_labels for the axes of the layers."""
    frames = result.frames
    axes = _layer_axes(frames)
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
    of_image = frames.axes.replace("S", "")
    placed = {
        what: [getattr(like, what)[of_image.index(axis)] for axis in axes]
        for what in ("scale", "translate", "units", "axis_labels")
    }
    if "C" in axes:
        at = axes.index("C")
        placed["translate"][at] += placed["scale"][at] * (frames.channel or 0)
    return placed


def label_arguments(result: Segmentation) -> dict[str, Any]:
    """Data and features of the Labels layer."""
    labels, axes = result.labels, _layer_axes(result.frames)
    data = np.expand_dims(labels, axes.index("C")) if "C" in axes else labels
    return {"data": data, "features": label_features(result.table)}


def label_features(table: pd.DataFrame) -> pd.DataFrame:
    """The table as napari's Labels layer wants it: ``index`` is the label."""
    return table.rename(columns={"label": "index"})


def shape_arguments(result: Segmentation) -> dict[str, Any]:
    """Data, features and colours of the Shapes layer: one shape a ring."""
    rings = [
        (polygon, number, ring)
        for polygon in result.polygons
        for number, ring in enumerate(polygon.rings)
    ]
    axes = _layer_axes(result.frames)
    channel = axes.index("C") if "C" in axes else None

    def place(frame: tuple[int, ...]) -> tuple[int, ...]:
        return frame if channel is None else (*frame[:channel], 0, *frame[channel:])

    return {
        "data": [at_frame(ring, place(polygon.frame)) for polygon, _, ring in rings],
        "ndim": len(axes),
        "edge_width": edge_width(result.frames.plane_shape),
        **ring_arguments([(polygon, number) for polygon, number, _ in rings]),
    }


def ring_arguments(rings: list[tuple[Polygon, int]]) -> dict[str, Any]:
    """Features, colour and text of rings, each named by its polygon and place (0: outer)."""
    return {
        "shape_type": "polygon",
        "features": _ring_features(rings),
        "face_color": "transparent",
        "edge_color": OUTLINE_COLOUR,
        "text": {"string": "{number}", "color": "white", "size": 8},
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
