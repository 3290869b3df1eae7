"""The result of a large image in the viewer: labels that are read as they are shown, outlines."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from qtpy.QtCore import QTimer

from ...segmentation.large.result import LargeSegmentation
from ...segmentation.layers import label_placement, placement, shape_arguments
from .outlines import DisplayedRings
from .result_layers import LABELS, POLYGONS, ResultLayers

MOST_OUTLINES = 2_000  # napari takes seconds for each thousand more
_TOGETHER = 100  # outlines that are added while the viewer waits: tenths of a second
_STYLE = ("edge_width", "edge_color", "face_color")
_THIN = 20  # times thinner than its object is an outline at least
_SOON = 500  # ms
_TEMPORARY = "Unless you save them, they are gone when you remove the labels or close napari."
_TOO_MANY = (
    f"More than {MOST_OUTLINES} outlines are not drawn: set the labels layer's contour instead."
)
CHANGED = "The image is large: what you changed takes effect with the next run."


class ShownLarge(ResultLayers):
    """The layers of one large image's result; nobody can correct them.

    Parameters
    ----------
    viewer : ViewerModel
    image : napari.layers.Image
        What was segmented; the results are named after it and take its place in the world.
    """

    focus = None  # what is too large for memory is not judged

    def __init__(self, viewer: ViewerModel, image: Image, *_: Any) -> None:
        super().__init__(viewer, image)
        self.segmentation: LargeSegmentation | None = None

    @property
    def measured(self) -> LargeSegmentation | None:
        """What the table is of."""
        return self.segmentation

    @property
    def gone(self) -> bool:
        """Whether the user removed the labels, and with them their files."""
        return self.labels is None

    @property
    def sentence(self) -> str:
        """What was found, and what is to be known of it."""
        if self.segmentation is None:
            return ""
        said = [self.segmentation.summary, _TEMPORARY]
        return " ".join(said if _count(self.segmentation) <= MOST_OUTLINES else [*said, _TOO_MANY])

    def show(self, result: LargeSegmentation) -> Iterator[None]:
        """Put a result into the layers, piece by piece."""
        self.segmentation = result
        ((data, arguments, kind),) = result.to_layers(name=self.image.name, like=self.image)
        shown = self.labels
        if shown is not None and _shapes(shown.data) == _shapes(data):
            shown.data = data
            place = label_placement(result.frames, result.settings.pixel_size, self.image)
            for what, value in {**place, "features": arguments["features"]}.items():
                setattr(shown, what, value)
            shown.metadata["spheroseg"] = result.recipe
        else:
            self._remove(LABELS)
            layer = Layer.create(data, arguments, kind)
            self._add(LABELS, layer)
            layer.editable = False  # the files are not written to
            _free_with(layer, self._viewer)
        yield
        self._remove(POLYGONS)
        if _count(result) <= MOST_OUTLINES:
            yield from self._show_outlines(result)
        self._viewer.layers.selection.active = self.labels  # the status bar tells measures
        _free_later()  # the files of the result before
        yield

    def _show_outlines(self, result: LargeSegmentation) -> Iterator[None]:
        """A few hundred at a time, or the viewer would stand still for seconds."""
        arguments = shape_arguments(result.frames, result.polygons)
        features, exact = arguments.pop("features"), arguments.pop("data")
        arguments["edge_width"] = min(arguments["edge_width"], _thin(exact))
        del arguments["text"]  # napari takes as long for numbers as for outlines
        rings = DisplayedRings().show(exact)
        style = {what: arguments[what] for what in _STYLE}
        layer = Layer.create(
            rings[:_TOGETHER],
            {
                **placement(result.frames, result.settings.pixel_size, self.image),
                **arguments,
                "features": features[:_TOGETHER],
                "metadata": {"spheroseg": result.recipe},
                "name": f"{self.image.name} {POLYGONS}",
            },
            "shapes",
        )
        self._add(POLYGONS, layer)
        yield
        for first in range(_TOGETHER, len(rings), _TOGETHER):
            if layer not in self._viewer.layers:  # removed meanwhile
                return
            layer.add_polygons(rings[first : first + _TOGETHER], **style)
            yield
        layer.features = features
        layer.selected_data = set()  # napari selects what was added
        layer.editable = False  # after all else: napari resets it

    def give_way(self) -> None:
        """Keep the layers, under another name, beside those of a part of the image."""
        for what in (LABELS, POLYGONS):
            if (layer := self._layer(what)) is not None:
                layer.name, layer.visible = f"{self.image.name} {what} (whole image)", False


def _free_with(layer: Layer, viewer: ViewerModel) -> None:
    """Delete the files soon after their layer was removed, even if our widget is closed by then."""
    name = weakref.ref(layer)

    def removed(event: Any) -> None:
        if event.value is name():
            viewer.layers.events.removed.disconnect(removed)
            _free_later()

    viewer.layers.events.removed.connect(removed)


def _free_later() -> None:
    """Files go with the last reference to their arrays, and layers refer to themselves."""
    QTimer.singleShot(_SOON, lambda: gc.collect() and None)


def _count(result: LargeSegmentation) -> int:
    return sum(len(each.rings) for each in result.polygons)


def _thin(rings: list[Any]) -> float:
    """A width of lines that suits the objects, where the image's size says nothing of theirs."""
    sizes = [np.ptp(ring[:, -2:], axis=0).max() for ring in rings]
    return max(1.0, float(np.median(sizes)) / _THIN) if sizes else 1.0


def _shapes(data: Any) -> list[tuple[int, ...]]:
    """Of all levels."""
    return [each.shape for each in (data if isinstance(data, Sequence) else [data])]
