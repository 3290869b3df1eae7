"""Which plane a restored one is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magicgui.widgets import ComboBox
from napari.components import ViewerModel
from napari.layers import Image

from ...inference.frames import Frames, Index
from ...restoration.depth import Depth
from ...restoration.stack import sharpest_plane
from ..source import current_frame, full_resolution, guess_axes
from .jobs import SHARPEST, Plane

NONE = "none"


class ReferenceChoice(ComboBox):
    """None, the sharpest plane of the stack, or another image layer.

    Parameters
    ----------
    viewer : ViewerModel
    offers : callable
        Gives the image layers that can be taken.
    """

    def __init__(self, viewer: ViewerModel, offers: Callable[[], list[Image]]) -> None:
        self._viewer, self._offers = viewer, offers
        self._has_depth = False
        self._found: tuple[Any, ...] = ()  # where a sharpest plane was looked for last, and which
        super().__init__(
            name="reference",
            label="Reference",
            choices=self._choices,
            tooltip="A sharp image of the same field: PSNR and SSIM say how near the image and "
            "its restoration are to it.",
        )

    def offer(self, has_depth: bool) -> None:
        """Look which layers there are, and offer the sharpest plane of a stack or not."""
        self._has_depth, self._found = has_depth, ()
        self.reset_choices()

    def _choices(self, _: Any = None) -> list[tuple[str, Any]]:
        sharpest = [(SHARPEST, SHARPEST)] if self._has_depth else []
        return [(NONE, NONE), *sharpest, *((layer.name, layer) for layer in self._offers())]

    def reader(self, frames: Frames, index: Index, axis: str) -> Callable[[], Plane | None]:
        """What gives the plane, to be called in the worker's thread.

        Parameters
        ----------
        frames : Frames
            The image that was restored.
        index : tuple of int
            The frame on screen.
        axis : str
            Letter of the axis that goes through depth; empty where there is none.
        """
        chosen = self.value
        if chosen == NONE:
            return _nothing
        if chosen == SHARPEST:
            return lambda: self._sharpest(Depth(frames, axis, index))
        data, axes = full_resolution(chosen), guess_axes(chosen)
        if len(data.shape) == len(frames.axes):
            axes = frames.axes
        channel = frames.channel if "C" in axes or "S" in axes else None
        other = Frames.of(data, axes, channel)
        position = current_frame(chosen, other, self._viewer)
        return lambda: other[position]

    def _sharpest(self, depth: Depth) -> Plane:
        frames, others = depth.frames, depth.index(0)
        where = (frames.axes, frames.channel, depth.axis, others)
        if self._found[:1] != (where,) or self._found[1] is not frames.data:
            self._found = (where, frames.data, sharpest_plane(depth).index)
        return depth[self._found[2]]


def _nothing() -> None:
    return None
