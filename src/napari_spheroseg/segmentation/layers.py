"""What a result shows in napari, as arguments of its layers; napari itself is not needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inference.frames import Frames
from ..inference.placement import label_placement, layer_axes, placement
from ..polygon import Polygon
from ..readwrite import shapes

__all__ = [
    "label_arguments",
    "label_placement",
    "layer_axes",
    "placement",
    "result_frame",
    "shape_arguments",
]


def label_arguments(frames: Frames, labels: NDArray[np.int32], table: Any) -> dict[str, Any]:
    """Data and features of the Labels layer; napari wants the label as ``index``."""
    axes = layer_axes(frames)
    data = np.expand_dims(labels, axes.index("C")) if "C" in axes else labels
    return {"data": data, "features": table.rename(columns={"label": "index"})}


def shape_arguments(frames: Frames, polygons: list[Polygon]) -> dict[str, Any]:
    """Data, features and style of the Shapes layer."""
    axes = layer_axes(frames)
    at = axes.find("C")
    if at >= 0:
        polygons = [replace(p, frame=(*p.frame[:at], 0, *p.frame[at:])) for p in polygons]
    return shapes.shape_arguments(polygons, len(axes), max(frames.plane_shape))


def result_frame(frames: Frames, position: tuple[int, ...]) -> tuple[int, ...]:
    """Frame of the image at a position along the layer's leading axes; undoes `shape_arguments`."""
    at = layer_axes(frames).find("C")
    return position if at < 0 else (*position[:at], *position[at + 1 :])
