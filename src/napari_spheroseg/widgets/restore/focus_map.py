"""How well an image is in focus, as a layer over it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

from ...inference.placement import label_placement, layer_axes
from ...restoration.focus import FocusScore
from ..image_layers import only_shows
from .place import add_quietly


class FocusMaps:
    """The layers of focus maps, one an image, updated in place.

    Parameters
    ----------
    viewer : ViewerModel
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: dict[Image, Image] = {}

    def show(self, image: Image, found: FocusScore) -> Iterator[None]:
        """Put a map over its image; slices that were looked at before stay."""
        axes = layer_axes(found.frames)
        data = np.expand_dims(found.map, axes.index("C")) if "C" in axes else found.map
        layer = self._layers.get(image)
        if layer in self._viewer.layers and layer.data.shape == data.shape:
            np.copyto(layer.data, data, where=np.isfinite(data))
            layer.refresh(extent=False)
            layer.metadata["spheroseg"] = dict(found.recipe)
        else:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
            layer = self._layers[image] = Image(
                data,
                name=f"{image.name} focus map",
                colormap="viridis",
                contrast_limits=(0, 1),
                opacity=0.4,
                blending="translucent_no_depth",
                metadata={"spheroseg": dict(found.recipe)},
                **label_placement(found.frames, None, image),
            )
            only_shows(layer, "focus map")
            layer.colorbar.visible = True
            add_quietly(self._viewer, layer)
        yield

    def forget_gone(self) -> None:
        """Drop the layers of images that are no longer there."""
        for image in list(self._layers):
            if image not in self._viewer.layers:
                del self._layers[image]


def sentence(found: FocusScore) -> str:
    """The score of the slices, as one sentence."""
    scores = np.array([each.score for each in found.fields.values()])
    known = scores[np.isfinite(scores)]
    if not known.size:
        return "There is nothing to see in it: it has no focus score."
    limit = f"in focus from {found.threshold:.2g}"
    if scores.size == 1:
        return f"Focus score {known[0]:.2f} ({limit})."
    sharp = int((known >= found.threshold).sum())
    return f"{sharp} of {scores.size} slices are in focus (score from {found.threshold:.2g})."
