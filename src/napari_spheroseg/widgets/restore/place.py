"""Where layers go: beside the image in the world, and above it in the list."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer


def plane_placement(layer: Image) -> dict[str, Any]:
    """Arguments that lay a single plane over the rows and columns of a layer.

    Parameters
    ----------
    layer : napari.layers.Image
        Of any number of axes, its last two rows and columns.
    """
    origin = np.asarray(layer.data_to_world(np.zeros(layer.ndim)))[-2:]
    steps = np.zeros((2, layer.ndim))
    steps[0, -2] = steps[1, -1] = 1
    ways = np.stack([np.asarray(layer.data_to_world(step))[-2:] - origin for step in steps], axis=1)
    scale = np.asarray(layer.scale)[-2:]
    placed = {"units": layer.units[-2:], "axis_labels": layer.axis_labels[-2:], "scale": scale}
    if np.allclose(ways, np.diag(scale)):
        return {**placed, "translate": origin}
    turned = np.eye(3)
    turned[:2, :2], turned[:2, 2] = ways / scale, origin
    return {**placed, "affine": turned}


def add_quietly(viewer: ViewerModel, layer: Layer, above: Layer | None = None) -> None:
    """Add a layer without taking the selection from another.

    Parameters
    ----------
    viewer : ViewerModel
    layer : napari.layers.Layer
    above : napari.layers.Layer, optional
        It goes right above this one, if that is there; else on top.
    """
    active = viewer.layers.selection.active
    if above in viewer.layers:
        viewer.layers.insert(viewer.layers.index(above) + 1, layer)
    else:
        viewer.add_layer(layer)
    if active is not None:
        viewer.layers.selection.active = active
