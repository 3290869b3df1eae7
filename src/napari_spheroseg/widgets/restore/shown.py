"""A restored image in the viewer: one layer, updated in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer

from ...restoration.result import Restoration
from .place import add_quietly

_CAUTION = "Compare before you measure: what was out of focus is estimated, not seen."
_OF_THE_PLACE = ("scale", "translate", "units", "axis_labels")


class ShownRestoration:
    """The layer of one image's restoration.

    Parameters
    ----------
    viewer : ViewerModel
    image : napari.layers.Image
        What was restored; the result is named after it and takes its place in the world.
    """

    def __init__(self, viewer: ViewerModel, image: Image) -> None:
        self._viewer = viewer
        self.image = image
        self.restoration: Restoration | None = None
        self._layer: Image | None = None

    @property
    def layer(self) -> Image | None:
        """The restored image, while it is in the viewer."""
        return self._layer if self._layer in self._viewer.layers else None

    def show(self, result: Restoration) -> Iterator[None]:
        """Put a result into the layer; one of another shape or type becomes a layer anew."""
        ((data, arguments, kind),) = result.to_layers(name=self.image.name, like=self.image)
        layer = self.layer
        if layer is not None and _fits(layer, data, arguments):
            layer.data = data
            for what in _OF_THE_PLACE:
                setattr(layer, what, arguments[what])
            layer.metadata["spheroseg"] = arguments["metadata"]["spheroseg"]
        else:
            if layer is not None:
                self._viewer.layers.remove(layer)
            self._layer = Layer.create(data, arguments, kind)
            add_quietly(self._viewer, self._layer, above=self.image)
        self.restoration = result
        yield

    @property
    def sentence(self) -> str:
        """How much was restored, and what to beware of."""
        if self.restoration is None:
            return ""
        if not any(self.restoration.shares.values()):
            return f"{self.restoration.summary}."
        return f"{self.restoration.summary}. {_CAUTION}"


def _fits(layer: Image, data: np.ndarray, arguments: dict[str, Any]) -> bool:
    return (layer.data.shape, layer.data.dtype, layer.rgb) == (
        data.shape,
        data.dtype,
        arguments["rgb"],
    )
