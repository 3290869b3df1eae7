"""An item of a batch on screen: its file opened with its results, or the slider moved to it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer

from ...batch.items import Frame, Item
from ...inference.frames import Frames
from ...readwrite.images import ImageFile
from ...segmentation.layers import label_placement, layer_axes, placement, shape_arguments
from ..segment.outlines import DisplayedRings
from ..segment.shown import LABELS, POLYGONS
from ..work import Work
from .stored import Stored, read_stored


@dataclass(frozen=True, eq=False)
class _Opened:
    item: Item
    file: ImageFile
    frames: Frames
    stored: Stored


class ItemOpener:
    """Opens items of a batch in a viewer.

    Parameters
    ----------
    viewer : ViewerModel
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._shown: dict[str, list[Layer]] = {}
        self._work = Work(lambda _: None, self._show, lambda: None)

    @property
    def running(self) -> bool:
        """Whether a file is being read."""
        return self._work.running

    def open_file(self, item: Item, folder: Path, axes: str | None, channel: int | None) -> None:
        """Add an image with its labels and polygons; layers that show it already are replaced."""
        if not self._work.running:
            steps = lambda: _open_steps(item, folder, axes, channel)  # noqa: E731
            self._work.start(steps, title=f"Opening {item.name}")

    def show_frame(self, frame: Frame, image: Image) -> None:
        """Move the viewer's sliders to a frame of an opened stack."""
        frames, steps = frame.frames, iter(frame.index)
        position = [
            next(steps) if axis in frames.leading_axes else (frames.channel or 0)
            for axis in frames.axes.replace("S", "")[:-2]
        ]
        world = image.data_to_world([*position, 0, 0])
        leading = range(len(position))
        offset = self._viewer.dims.ndim - image.ndim
        self._viewer.dims.set_point([offset + i for i in leading], [world[i] for i in leading])

    def abandon(self) -> None:
        """The widget is gone."""
        self._work.abandon()

    def _show(self, opened: _Opened) -> Iterator[None]:
        for layer in self._shown.pop(opened.item.key, []):
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        image = _image_layer(opened)
        self._shown[opened.item.key] = [image]
        self._viewer.add_layer(image)
        yield
        for layer in _result_layers(opened, image):
            self._shown[opened.item.key].append(layer)
            self._viewer.add_layer(layer)
            yield
        self._viewer.layers.selection.active = image
        self._viewer.reset_view()


def _open_steps(
    item: Item, folder: Path, axes: str | None, channel: int | None
) -> Generator[None, None, _Opened]:
    from ...readwrite.images import open_image

    yield
    file = open_image(item.path)
    chosen = axes or file.axes
    several = "C" in chosen and channel is None
    frames = Frames.of(file.data, chosen, 0 if several else channel)  # failed for want of one
    yield
    return _Opened(item, file, frames, read_stored(folder, item.stem))


def _image_layer(opened: _Opened) -> Image:
    frames = opened.frames
    all_axes = replace(frames, axes=frames.axes.replace("C", "K"), channel=None)
    place = placement(all_axes, opened.file.pixel_size)  # K: a channel in front is an axis, too
    place["axis_labels"] = list(frames.axes.replace("S", "").lower())
    arguments = {
        **place,
        "name": opened.item.stem,
        "rgb": "S" in frames.axes,
        "metadata": {"spheroseg_item": opened.item.key},
    }
    return Layer.create(opened.file.data, arguments, "image")


def _result_layers(opened: _Opened, image: Image) -> Iterator[Layer]:
    stored, frames, name = opened.stored, opened.frames, opened.item.stem
    metadata = {"spheroseg": stored.recipe} if stored.recipe else {}
    if stored.labels is not None:
        axes = layer_axes(frames)
        labels = stored.labels
        if "C" in axes:
            labels = np.expand_dims(np.asarray(labels), axes.index("C"))
        place: dict[str, Any] = label_placement(frames, stored.pixel_size, image)
        arguments = {
            **place, "name": f"{name} {LABELS}", "opacity": 0.4, "metadata": dict(metadata)
        }  # fmt: skip
        yield Layer.create(labels, arguments, "labels")
    if stored.polygons:
        arguments = shape_arguments(frames, stored.polygons)
        rings = DisplayedRings().show(arguments.pop("data"))
        arguments |= {
            **placement(frames, stored.pixel_size, image),
            "name": f"{name} {POLYGONS}",
            "metadata": dict(metadata),
        }
        yield Layer.create(rings, arguments, "shapes")
