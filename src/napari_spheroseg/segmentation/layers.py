"""Where a result stands in napari, as arguments of its layers; napari itself is not needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inference.frames import Frames
from ..polygon import Polygon
from ..readwrite import shapes

_TURNS = ("rotate", "shear", "affine")


def layer_axes(frames: Frames) -> str:
    """Axes of the layers.

    A channel axis in front is left out: napari then shows the result with every channel. One
    between other axes keeps its place, with the channel that was segmented as its only position.
    """
    return "".join(
        axis for i, axis in enumerate(frames.axes) if axis != "S" and (axis != "C" or i > 0)
    )


def placement(
    frames: Frames, pixel_size: tuple[float, float] | None, like: Any = None
) -> dict[str, Any]:
    """scale, translate, units and axis_labels of the layers.

    Parameters
    ----------
    frames : Frames
        The image that was segmented.
    pixel_size : (float, float) or None
        µm, height and width; used without `like`.
    like : napari layer, optional
        The image's layer.
    """
    axes = layer_axes(frames)
    if like is None:
        lengths = dict.fromkeys(axes, (1.0, "pixel"))
        if pixel_size is not None:
            lengths |= {"Y": (pixel_size[0], "um"), "X": (pixel_size[1], "um")}
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
    if axes == of_image:
        placed |= {what: getattr(like, what) for what in _TURNS if hasattr(like, what)}
    if "C" in axes:
        at = axes.index("C")
        placed["translate"][at] += placed["scale"][at] * (frames.channel or 0)
    return placed


def label_placement(
    frames: Frames, pixel_size: tuple[float, float] | None, like: Any = None
) -> dict[str, Any]:
    """As `placement`, for labels: their first pixel lies where the region of the image begins."""
    placed = placement(frames, pixel_size, like)
    if frames.region is None:
        return placed
    axes = layer_axes(frames)
    corner = np.zeros(len(axes))
    corner[-2:] = frames.corner
    if "affine" in placed:  # turned, too: the corner moves as the image's layer says
        placed["translate"] = like.affine.inverse(like.data_to_world(corner))
    else:
        origin = placed.get("translate", [0.0] * len(axes))
        placed["translate"] = np.asarray(origin) + np.asarray(placed["scale"]) * corner
    return placed


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
