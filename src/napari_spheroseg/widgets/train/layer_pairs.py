"""Image layers and the Labels layers that belong to them, to learn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from napari.layers import Image, Labels, Layer

from ...errors import SpherosegError
from ...inference.frames import Frames
from ...training.layers_data import LabelledLayer, fit
from ..image_layers import images_of
from ..segment.shown import LABELS
from ..source import full_resolution, guess_axes


@dataclass(frozen=True)
class LayerPair:
    """An image layer and a Labels layer of the same planes.

    Attributes
    ----------
    image : napari.layers.Image
    labels : napari.layers.Labels
    sure : bool
        Whether no other image fits these labels.
    """

    image: Image
    labels: Labels
    sure: bool = field(default=True, compare=False)

    @property
    def name(self) -> str:
        """What it is called on screen."""
        if self.labels.name.startswith(self.image.name):
            return str(self.labels.name)  # says both, and is not cut off
        return f"{self.image.name}  +  {self.labels.name}"

    def labelled(self) -> LabelledLayer:
        """The pixels of both, as they are now."""
        return LabelledLayer.of(
            self.image.name,
            full_resolution(self.image),
            full_resolution(self.labels),
            **_axes_and_channel(self.image, self.labels),
        )


def matching_pairs(layers: Iterable[Layer]) -> list[LayerPair]:
    """Images and labels of the same shape; by name, too, where labels are named after an image."""
    layers = list(layers)
    images = images_of(layers)
    found = []
    for labels in layers:
        if isinstance(labels, Labels):
            fitting = [image for image in images if _fits(image, labels)]
            named = [i for i in fitting if labels.name.startswith(f"{i.name} {LABELS}")]
            chosen = named or fitting
            found += [LayerPair(image, labels, len(chosen) == 1) for image in chosen]
    return found


def _fits(image: Image, labels: Labels) -> bool:
    try:
        frames = Frames.of(full_resolution(image), **_axes_and_channel(image, labels))
    except SpherosegError:
        return False
    return fit(frames, full_resolution(labels).shape)


def _axes_and_channel(image: Image, labels: Labels) -> dict[str, Any]:
    """As the segment widget had them, where the labels are its result."""
    recipe = labels.metadata.get("spheroseg") or {}
    axes = recipe.get("axes")
    if axes is None or len(axes) != full_resolution(image).ndim:
        return {"axes": guess_axes(image)}
    return {"axes": axes, "channel": recipe.get("channel")}
