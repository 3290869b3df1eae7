"""An image layer as something to segment: pixels, axes, pixel size, the slice on screen."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from napari.layers import Image

from ..inference.frames import Frames, Index

_LETTERS = "TZPABDEFGHIJKLMNOQRUVW"


def full_resolution(layer: Image) -> Any:
    """The layer's array; of a multiscale layer the finest level."""
    return layer.data[0] if layer.multiscale else layer.data


def guess_axes(layer: Image) -> str:
    """Axes of a layer: its own labels where they are single letters, else T, Z, ... in front."""
    letters = [label.upper() for label in layer.axis_labels[:-2]]
    usable = all(len(a) == 1 and a.isalpha() and a not in "YXS" for a in letters)
    if not usable or len(set(letters)) < len(letters):
        letters = list("T" if len(letters) == 1 else _LETTERS[: len(letters)])
    return "".join(letters) + ("YXS" if layer.rgb else "YX")


def pixel_size(layer: Image) -> tuple[float, float] | None:
    """µm, height and width, where the layer's units are lengths."""
    sizes = []
    for scale, unit in zip(layer.scale[-2:], layer.units[-2:], strict=True):
        if not unit.is_compatible_with("um"):
            return None
        sizes.append(abs(float((scale * unit).to("um").magnitude)))
    return sizes[0], sizes[1]


def current_frame(layer: Image, frames: Frames, viewer: ViewerModel) -> Index:
    """The frame that the viewer's sliders stand on, clipped to the layer."""
    world = viewer.dims.point[-layer.ndim :]
    position = layer.world_to_data(world)
    axes = frames.axes.replace("S", "")
    return tuple(
        min(max(round(float(position[axes.index(axis)])), 0), length - 1)
        for axis, length in zip(frames.leading_axes, frames.leading_shape, strict=True)
    )
