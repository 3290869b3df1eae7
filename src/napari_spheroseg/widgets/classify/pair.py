"""A Labels layer with the image that it is of: frames, places, and what lies under the mouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from numpy.typing import NDArray

from ...classification.lesson import Place
from ...classification.stock import Subject
from ...errors import SpherosegError
from ...inference.frames import Frames, Index
from ...inference.placement import layer_axes
from ...training.layers_data import fit
from ..preferences import preferences
from ..source import full_resolution, guess_axes, pixel_size


@dataclass(frozen=True, eq=False)
class Pair:
    """Two layers, as they were when somebody asked.

    Attributes
    ----------
    labels : napari.layers.Labels
    image : napari.layers.Image or None
    subject : Subject
    axes : str
        A letter for each axis of the labels.
    """

    labels: Labels
    image: Image | None
    subject: Subject
    axes: str

    @classmethod
    def of(cls, labels: Labels, image: Image | None, viewer: ViewerModel) -> Pair:
        """Check that they belong together.

        Raises
        ------
        SpherosegError
            They do not, or one of them cannot be used.
        """
        data = full_resolution(labels)
        size = None if preferences().units == "pixels" else _size(labels)
        frames = None if image is None else _frames(image, labels, viewer)
        subject = Subject.of(data, frames, guess_axes(labels), size)
        axes = subject.frames.axes if frames is None else layer_axes(frames)
        if len(axes) != data.ndim:  # somebody left out, or added, axes of length 1
            axes = guess_axes(labels)
        return cls(labels, image, subject, axes)

    @property
    def leading(self) -> list[int]:
        """Axes of the Labels layer that lead from frame to frame."""
        return [self.axes.index(axis) for axis in self.subject.frames.leading_axes]

    def frame(self, viewer: ViewerModel) -> Index:
        """The frame that the viewer's sliders stand on."""
        position = self.labels.world_to_data(viewer.dims.point[-self.labels.ndim :])
        return self._index(position)

    def place_at(self, position: Sequence[float], viewer: ViewerModel) -> Place | None:
        """The object at a position in the world; None on the background."""
        found = self.labels.get_value(
            position,
            view_direction=viewer.scene.camera.view_direction,
            dims_displayed=list(viewer.dims.displayed),
            world=True,
        )
        label = found[1] if self.labels.multiscale and found is not None else found
        if not label:
            return None
        at = self.labels.world_to_data(np.asarray(position)[-self.labels.ndim :])
        return self._index(at), int(label)

    def world(self, index: Index, row: float, column: float) -> NDArray[np.float64]:
        """Position in the world of a place in a frame."""
        at = np.zeros(self.labels.ndim)
        at[self.leading] = index
        at[-2:] = row, column
        return np.array(self.labels.data_to_world(at))

    def _index(self, position: Sequence[float]) -> Index:
        shape = self.subject.frames.leading_shape
        return tuple(
            min(max(round(float(position[axis])), 0), length - 1)
            for axis, length in zip(self.leading, shape, strict=True)
        )


def fitting(labels: Labels, images: Sequence[Image], viewer: ViewerModel) -> Image | None:
    """The image that labels are of: by shape, and by name where several fit."""
    fits = [image for image in images if _fits(labels, image, viewer)]
    named = [image for image in fits if labels.name.startswith(image.name)]
    named.sort(key=lambda image: len(image.name), reverse=True)  # 'plate 10' is not of 'plate 1'
    return next(iter(named or fits), None)


def _size(labels: Labels) -> tuple[float, float] | None:
    """As the layer has it, or as it was given to the segment widget."""
    return pixel_size(labels) or (labels.metadata.get("spheroseg") or {}).get("pixel_size")


def _fits(labels: Labels, image: Image, viewer: ViewerModel) -> bool:
    try:
        frames = _frames(image, labels, viewer)
    except SpherosegError:
        return False
    return fit(frames, full_resolution(labels).shape)


def _frames(image: Image, labels: Labels, viewer: ViewerModel) -> Frames:
    """As the segment widget had them where the labels are its result; else what is on screen."""
    data, recipe = full_resolution(image), labels.metadata.get("spheroseg") or {}
    axes = recipe.get("axes")
    if axes is not None and len(axes) == data.ndim:
        try:
            whole = Frames.of(data, axes, recipe.get("channel"))
            part = Frames.of(data, axes, recipe.get("channel"), recipe.get("region"))
        except SpherosegError:  # a recipe of another image
            pass
        else:
            shape = full_resolution(labels).shape
            return part if fit(part, shape) else whole
    axes = guess_axes(image)
    channel = None
    if "C" in axes:
        position = image.world_to_data(viewer.dims.point[-image.ndim :])
        at = axes.index("C")
        channel = min(max(round(float(position[at])), 0), data.shape[at] - 1)
    return Frames.of(data, axes, channel)
