"""Classes as colours of a Labels layer: undo, painting and saving go on as without them."""

from __future__ import annotations

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from ...classification.colours import Colour


class LayerColours:
    """The colours of one layer.

    Parameters
    ----------
    layer : napari.layers.Labels
        Gets its own colours back by `restore`.
    """

    def __init__(self, layer: Labels) -> None:
        self._layer = layer
        self._own = layer.colormap
        self._shown: dict[int | None, Colour] | None = None

    def show(self, colours: dict[int | None, Colour]) -> None:
        """Colours by label; None stands for all others."""
        if colours == self._shown and self._layer.colormap is self._ours:
            return
        if self._shown is None:
            self._own = self._layer.colormap
        arrays = {label: np.array(each, np.float32) for label, each in colours.items()}
        self._layer.colormap = DirectLabelColormap(color_dict=arrays)
        self._ours = self._layer.colormap
        self._shown = colours

    def restore(self) -> None:
        """The colours that the layer had."""
        if self._shown is not None:
            self._layer.colormap = self._own
            self._shown = None
