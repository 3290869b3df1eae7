"""What somebody does on the canvas: a click on an object, a key over one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from psygnal import Signal

from ...classification.lesson import Place
from .pair import Pair

_STILL = 4  # px that a hand may move within a click
_MODES = ("pan_zoom", "pick")  # in others a click paints


class CanvasInput:
    """Tells of clicks and keys.

    Parameters
    ----------
    viewer : ViewerModel
    pair : callable
        Gives the layers that are looked at, or None.

    Attributes
    ----------
    clicked : Signal(object)
        Place of an object.
    pressed : Signal(str, object)
        A key, and the place of the object under the mouse, or that `aim` was taken at.
    """

    clicked = Signal(object)
    pressed = Signal(str, object)

    def __init__(self, viewer: ViewerModel, pair: Callable[[], Pair | None]) -> None:
        self._viewer, self._pair = viewer, pair
        self._aim: Place | None = None
        self._bound: tuple[Labels, list[str]] | None = None
        viewer.mouse_drag_callbacks.append(self._on_drag)
        viewer.mouse_move_callbacks.append(self._on_move)

    def aim(self, place: Place | None) -> None:
        """Keys mean this object until the mouse moves over the canvas again."""
        self._aim = place

    def bind(self, layer: Labels | None, keys: Iterable[str] = ()) -> None:
        """Listen to keys on a layer, and no longer to those of before."""
        if self._bound is not None:
            for key in self._bound[1]:
                self._bound[0].bind_key(key, None)
            self._bound = None
        if layer is not None:
            keys = list(keys)
            for key in keys:
                layer.bind_key(key, partial(self._on_key, key), overwrite=True)
            self._bound = layer, keys

    def close(self) -> None:
        """Listen to nothing any more."""
        self.bind(None)
        self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        self._viewer.mouse_move_callbacks.remove(self._on_move)

    def _on_drag(self, viewer: ViewerModel, event: Any) -> Generator[None, None, None]:
        pair = self._pair()
        if pair is None or not pair.labels.visible or pair.labels.mode not in _MODES:
            return
        if event.button != 1 or len(event.modifiers):
            return
        where, position = np.array(event.pos), np.array(event.position)
        yield
        while event.type == "mouse_move":
            if np.abs(np.array(event.pos) - where).max() > _STILL:
                return  # the view is being moved
            yield
        place = pair.place_at(position, self._viewer)
        if place is not None:
            self.clicked.emit(place)

    def _on_move(self, viewer: ViewerModel, event: Any) -> None:
        self._aim = None

    def _on_key(self, key: str, layer: Labels) -> None:
        pair = self._pair()
        if pair is None or pair.labels is not layer:
            return
        place = self._aim or pair.place_at(self._viewer.cursor.position, self._viewer)
        if place is not None:
            self.pressed.emit(key, place)
