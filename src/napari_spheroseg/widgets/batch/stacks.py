"""Opened images as the frames that a batch works through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari.layers import Image

from ...batch.items import Frame
from ...errors import BadSetting
from ...inference.frames import Frames
from ..source import full_resolution, guess_axes, pixel_size
from .ranges import Ranges


@dataclass(frozen=True)
class Stacks:
    """Frames of opened images, and the layers that they are of, by name."""

    frames: tuple[Frame, ...]
    layers: dict[str, tuple[Image, Frames]]


def stacks_of(
    chosen: Sequence[Image], ranges: Ranges, how: dict[str, Any], size: Any, in_micrometres: bool
) -> Stacks:
    """Frames of layers, within the ranges.

    Parameters
    ----------
    chosen : sequence of napari.layers.Image
    ranges : Ranges
    how : dict
        Axes and channel of the first; axes of the others are these where they fit.
    size : float or (float, float) or None
        µm; None for each layer's own.
    in_micrometres : bool
        Whether layers' own sizes count.

    Raises
    ------
    SpherosegError
        No layer was chosen, its axes do not fit, or the ranges are empty.
    """
    if not chosen:
        raise BadSetting("No images were chosen", hint="Click on some in the list, or open one.")
    frames: list[Frame] = []
    layers = {}
    for layer in chosen:
        stack = _frames(layer, how, first=layer is chosen[0])
        layers[layer.name] = (layer, stack)
        own = pixel_size(layer) if size is None and in_micrometres else None
        frames += [Frame(layer.name, stack, index, own) for index in ranges.indices(stack)]
    if not frames:
        raise BadSetting("The ranges leave no slice", hint="First comes before last.")
    return Stacks(tuple(frames), layers)


def _frames(layer: Image, how: dict[str, Any], *, first: bool) -> Frames:
    data, axes = full_resolution(layer), how["axes"] or ""
    if not first and (len(axes) != data.ndim or layer.rgb != ("S" in axes)):
        axes = guess_axes(layer)
    channel = how["channel"] if set(axes.upper()) & {"C", "S"} else None
    return Frames.of(data, axes or None, channel)
