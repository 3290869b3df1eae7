"""The two layers of an image's result, while they are in the viewer."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Shapes

LABELS, POLYGONS = "labels", "polygons"


class ResultLayers:
    """A Labels and a Shapes layer, named after their image.

    Parameters
    ----------
    viewer : ViewerModel
    image : napari.layers.Image
        What was segmented; the results take its place in the world.
    """

    def __init__(self, viewer: ViewerModel, image: Image) -> None:
        self._viewer = viewer
        self.image = image
        self._layers: dict[str, Layer] = {}

    @property
    def labels(self) -> Labels | None:
        """The Labels layer, while it is in the viewer."""
        return self._layer(LABELS)

    @property
    def polygons(self) -> Shapes | None:
        """The Shapes layer, while it is in the viewer."""
        return self._layer(POLYGONS)

    def _layer(self, what: str) -> Any:
        layer = self._layers.get(what)
        return layer if layer in self._viewer.layers else None

    def _add(self, what: str, layer: Layer) -> None:
        self._layers[what] = layer
        self._viewer.add_layer(layer)

    def _remove(self, what: str) -> None:
        layer = self._layers.pop(what, None)
        if layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
