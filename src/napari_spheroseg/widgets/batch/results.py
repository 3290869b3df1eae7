"""Results of a stack's frames in the viewer: one Labels and one Shapes layer, filled as they come.

Each frame counts its objects from 1, as its files do.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Shapes
from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, QTimer

from ...inference.frames import Frames, Index
from ...segmentation.layers import label_placement, layer_axes, placement, shape_arguments
from ..segment.outlines import DisplayedRings
from ..segment.shown import LABELS, POLYGONS
from .job import Told
from .stored import LAZY_ABOVE, lazy_labels

_MOST_RINGS = 5_000  # napari takes seconds for each more thousand; files hold all
_STYLE = ("edge_width", "edge_color", "face_color")
_LEAST_PAUSE = 300  # ms
_SHARE = 4  # the viewer has so many times the time that layers take


def is_large(frames: Frames) -> bool:
    """Whether labels of a stack had better stay in their files."""
    return int(np.prod(frames.shape, dtype=np.int64)) * 4 > LAZY_ABOVE


class StackResult:
    """The layers of one stack.

    Parameters
    ----------
    viewer : ViewerModel
    image : napari.layers.Image
        The results are named after it and take its place in the world.
    """

    def __init__(self, viewer: ViewerModel, image: Image) -> None:
        self._viewer, self.image = viewer, image
        self._layers: dict[str, Layer] = {}
        self._edited: set[str] = set()
        self._updating = False

    @property
    def labels(self) -> Labels | None:
        """The Labels layer, while it is in the viewer."""
        return self._layer(LABELS)

    @property
    def polygons(self) -> Shapes | None:
        """The Shapes layer, while it is in the viewer."""
        return self._layer(POLYGONS)

    def begin(self, frames: Frames, folder: Path) -> None:
        """Empty layers for a new run; those that were corrected by hand are set aside."""
        self.frames, self._folder = frames, folder
        self._stems: dict[Index, str] = {}
        self._new: list[Told] = []
        self._features: list[pd.DataFrame] = []
        self._full = False
        self._lazy = is_large(frames)
        # of zeros, memory is taken when they are written to
        self._array = None if self._lazy else np.zeros(frames.shape, np.int32)
        self._set_corrections_aside()
        self._begin_labels()
        self._begin_polygons()

    def put(self, told: Told) -> None:
        """A frame is done; it is shown by the next `flush`."""
        self._new.append(told)

    def flush(self) -> None:
        """Show what has come."""
        new, self._new = self._new, []
        if not new:
            return
        for told in new:
            assert told.frame is not None
            self._stems[told.frame.index] = told.item.stem
            if self._array is not None and told.labels is not None:
                self._array[told.frame.index] = told.labels
        recipe = next((each.recipe for each in new if each.recipe), None)
        if recipe is not None:
            recipe = {**recipe, "axes": self.frames.axes, "channel": self.frames.channel}
            for layer in filter(None, (self.labels, self.polygons)):
                layer.metadata["spheroseg"] = recipe
        if self.labels is not None:
            if self._lazy:
                self.labels.data = self._data()
            else:
                self.labels.refresh(extent=False)
        if self.polygons is not None:
            self._add_polygons(self.polygons, new)

    def _layer(self, what: str) -> Any:
        layer = self._layers.get(what)
        return layer if layer in self._viewer.layers else None

    def _data(self) -> Any:
        """With an axis for the channel, where the layer of the image has one in its midst."""
        if self._array is None:
            data = lazy_labels(self.frames, self._folder, self._stems)
        else:
            data = self._array
        axes = layer_axes(self.frames)
        return data[(slice(None),) * axes.index("C") + (None,)] if "C" in axes else data

    def _begin_labels(self) -> None:
        place = label_placement(self.frames, None, self.image)
        layer = self.labels
        if layer is not None and layer.ndim == len(place["scale"]):
            layer.data = self._data()
            _put(layer, place)
            return
        arguments = {**place, "name": f"{self.image.name} {LABELS}", "opacity": 0.4}
        self._add(LABELS, Layer.create(self._data(), arguments, "labels"))
        self.labels.events.paint.connect(lambda: self._on_edit(LABELS))

    def _begin_polygons(self) -> None:
        place = placement(self.frames, None, self.image)
        arguments = shape_arguments(self.frames, [])
        layer = self.polygons
        if layer is not None and layer.ndim == arguments["ndim"]:
            self._updating = True
            layer.data = []
            layer.features = arguments["features"]
            self._updating = False
            _put(layer, place)
            return
        data = arguments.pop("data")
        arguments |= {**place, "name": f"{self.image.name} {POLYGONS}"}
        self._add(POLYGONS, Layer.create(data, arguments, "shapes"))
        self.polygons.events.data.connect(lambda: self._on_edit(POLYGONS))
        self._viewer.layers.selection.active = self.image

    def _add(self, what: str, layer: Layer) -> None:
        before = self._layers.get(what)
        if before is not None and before in self._viewer.layers:
            self._viewer.layers.remove(before)
        self._layers[what] = layer
        self._viewer.add_layer(layer)

    def _add_polygons(self, layer: Shapes, new: list[Told]) -> None:
        polygons = [
            replace(polygon, frame=told.frame.index)
            for told in new
            if told.frame is not None
            for polygon in told.polygons
        ]
        if not polygons or self._full:
            return
        arguments = shape_arguments(self.frames, polygons)
        if layer.nshapes + len(arguments["data"]) > _MOST_RINGS:
            self._full = True
            show_info(
                f"'{layer.name}' shows no more than {layer.nshapes} outlines, for napari would "
                "become slow; the files, and the labels, hold all."
            )
            return
        rings = DisplayedRings().show(arguments["data"])
        self._features.append(arguments["features"])
        self._updating = True
        try:
            layer.add_polygons(rings, **{what: arguments[what] for what in _STYLE})
            layer.features = pd.concat(self._features, ignore_index=True)
            layer.selected_data = set()  # napari selects what was added
        finally:
            self._updating = False

    def _on_edit(self, what: str) -> None:
        if not self._updating:
            self._edited.add(what)

    def _set_corrections_aside(self) -> None:
        for what in self._edited:
            layer = self._layers.pop(what, None)
            if layer in self._viewer.layers:
                layer.name = f"{self.image.name} {what} (corrected)"
                show_info(f"Your corrections are kept in '{layer.name}'.")
        self._edited.clear()


class StackResults:
    """The layers of all stacks of a batch, brought up to date now and then.

    Parameters
    ----------
    viewer : ViewerModel
    parent : QObject
        The clock stops with it.
    """

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        self._viewer = viewer
        self._shown: dict[Image, StackResult] = {}
        self._of: dict[str, StackResult] = {}
        self._pause = _LEAST_PAUSE
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.flush)

    def begin(self, stacks: dict[str, tuple[Image, Frames]], folder: Path) -> None:
        """Empty layers for these stacks, by the name that their frames have."""
        self._shown = {k: v for k, v in self._shown.items() if k in self._viewer.layers}
        self._of = {}
        for name, (image, frames) in stacks.items():
            if image in self._viewer.layers:
                shown = self._shown.setdefault(image, StackResult(self._viewer, image))
                shown.begin(frames, folder)
                self._of[name] = shown

    def put(self, told: Told) -> None:
        """Show a frame, soon."""
        shown = self._of.get(told.frame.layer) if told.frame is not None else None
        if shown is not None and told.item.state in ("done", "skipped"):
            shown.put(told)
            if not self._timer.isActive():
                self._timer.start(self._pause)

    def flush(self) -> None:
        """Show what has come; then the viewer has its turn for longer than this took."""
        clock = time.perf_counter()
        for shown in self._of.values():
            shown.flush()
        took = 1000 * (time.perf_counter() - clock)
        self._pause = max(_LEAST_PAUSE, int(took * _SHARE))

    def image_of(self, name: str) -> Image | None:
        """The image layer that frames of this name are of."""
        shown = self._of.get(name)
        return None if shown is None or shown.image not in self._viewer.layers else shown.image


def _put(layer: Layer, place: dict[str, Any]) -> None:
    for what, value in place.items():
        setattr(layer, what, value)
