"""Where a result stands in napari beside its image, as arguments of its layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .frames import Frames

_TURNS = ("rotate", "shear", "affine")


def layer_axes(frames: Frames) -> str:
    """Axes of the layers.

    A channel axis in front is left out: napari then shows the result with every channel. One
    between other axes keeps its place, with the channel that was chosen as its only position.
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
        The image.
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
    """As `placement`, for what is of a frame's size: it begins where the image's region does."""
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
