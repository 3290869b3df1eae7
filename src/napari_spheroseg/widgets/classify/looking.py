"""Show one object among many: slices, the middle of the view, and a box around it."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels

from ...classification.lesson import Place
from ...classification.stock import Box
from .pair import Pair

_ROOM = 3  # px between an object and the box around it
_LEAST_SIZE = 40  # px on screen; what is smaller is zoomed in on


def look_at(pair: Pair, place: Place, box: Box, viewer: ViewerModel) -> None:
    """Move sliders and camera so that an object stands in the middle."""
    index, _ = place
    top, bottom, left, right = box
    world = pair.world(index, (top + bottom - 1) / 2, (left + right - 1) / 2)
    offset = viewer.dims.ndim - pair.labels.ndim
    displayed = viewer.dims.displayed
    for axis, at in enumerate(world):
        if axis + offset not in displayed:
            viewer.dims.set_point(axis + offset, at)
    camera = viewer.scene.camera
    centre = [world[axis - offset] if axis >= offset else 0.0 for axis in displayed]
    camera.center = (*camera.center[: 3 - len(centre)], *centre)
    corner = pair.world(index, bottom - 0.5, right - 0.5)
    longest = 2 * float(np.abs(corner - world)[-2:].max())
    if longest * camera.zoom < _LEAST_SIZE:
        camera.zoom = _LEAST_SIZE / longest


def draw_box(layer: Labels, box: Box | None) -> None:
    """A box around an object, by the overlay that every layer of napari has; None: no box."""
    overlay: Any = layer._overlays["selection_box"]
    if box is not None:
        top, bottom, left, right = box
        overlay.bounds = (
            (top - 0.5 - _ROOM, left - 0.5 - _ROOM),
            (bottom - 0.5 + _ROOM, right - 0.5 + _ROOM),
        )
    overlay.visible = box is not None
