"""A result in the viewer: a Labels and a Shapes layer, updated in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer, Shapes
from napari.utils.notifications import show_info
from numpy.typing import NDArray

from ...inference.frames import Index, Region
from ...polygon import Polygon
from ...readwrite.shapes import polygons_of
from ...restoration.focus import FocusScore
from ...segmentation.layers import label_placement, result_frame
from ...segmentation.polygons import moved, rasterise
from ...segmentation.result import Segmentation
from .outlines import DisplayedRings
from .result_layers import LABELS, POLYGONS, ResultLayers


class ShownResult(ResultLayers):
    """The layers of one image's result, and whether somebody corrected them.

    Parameters
    ----------
    viewer : ViewerModel
    image : napari.layers.Image
        What was segmented; the results are named after it and take its place in the world.
    on_edit : callable
        Called with this when somebody paints on the labels or moves a polygon.
    """

    def __init__(
        self, viewer: ViewerModel, image: Image, on_edit: Callable[[ShownResult], None]
    ) -> None:
        super().__init__(viewer, image)
        self._tell = on_edit
        self.segmentation: Segmentation | None = None
        self.measured: Segmentation | None = None  # the same, or as it was corrected
        self.focus: FocusScore | None = None
        self._rings = DisplayedRings()
        self._array: NDArray[np.int32] | None = None
        self._region: Region | None = None  # where the Labels layer lies
        self._updating = False
        self._edited: str | None = None
        self.previewed = False

    @property
    def gone(self) -> bool:
        """Whether the user removed both layers."""
        return self.labels is None and self.polygons is None

    @property
    def edited(self) -> str | None:
        """Which of the two layers somebody corrected last: "labels", "polygons", or None."""
        if self._edited is None and self.labels is not None:
            return None if self.labels.data is self._array else LABELS
        return self._edited

    def preview(self, frame: Index, labels: NDArray[np.int32]) -> None:
        """Show the labels of the frame on screen while the others are still computed."""
        layer = self.labels
        if layer is not None and not self.edited and layer.ndim == labels.ndim + len(frame):
            layer.data[frame] = labels
            layer.refresh(extent=False)
            self.previewed = True

    @property
    def judged(self) -> Segmentation:
        """The segmentation, with what is known of its focus."""
        assert self.segmentation is not None
        if self.segmentation.focus is not self.focus:
            self.segmentation = self.segmentation.with_focus(self.focus)
        return self.segmentation

    def forget_focus(self, frames: list[Index] | None) -> None:
        """Of frames that were segmented anew; of all if None."""
        if self.focus is not None:
            left = {i: v for i, v in self.focus.fields.items() if frames and i not in frames}
            self.focus = replace(self.focus, fields=left) if left else None

    @property
    def followed(self) -> bool:
        """Whether polygons and measures are those of the labels as somebody painted them."""
        measured = self.measured
        if measured is None or measured.corrections is None or self.edited != LABELS:
            return False
        return measured.focus is self.focus and np.array_equal(
            self.labels.data.reshape(measured.corrections.shape), measured.corrections
        )

    def corrected(self) -> Segmentation:
        """The segmentation as somebody corrected it in the viewer."""
        result = self.judged
        if self.edited == LABELS and self.labels is not None:
            shape = result.frames.shape
            return result.corrected(np.asarray(self.labels.data).reshape(shape))
        if self.edited == POLYGONS and self.polygons is not None:
            return result.corrected(self._painted(self.polygons, result))
        return result

    def show(self, result: Segmentation) -> Iterator[None]:
        """Put a result into the layers, piece by piece.

        Layers that were removed, or corrected by hand, are made anew.
        """
        if self.edited:
            self._set_corrections_aside()
        self.segmentation = self.measured = result
        self.previewed = False
        labels, polygons = result.to_layers(name=self.image.name, like=self.image)
        if self.labels is None:
            self._add_labels(labels, result.frames.region)
        else:
            self._update_labels(result)
        yield
        if self.polygons is None:
            self._add_polygons(polygons)
            self._viewer.layers.selection.active = self.labels  # the status bar tells measures
        else:
            self._update_polygons(result)
        yield

    def show_measures(self, result: Segmentation) -> Iterator[None]:
        """Measures of what is shown, and the other layer made to follow what somebody corrected.

        What is being corrected is never written to: another stroke may have come meanwhile.
        """
        self.measured = result
        if self.labels is not None and self.edited == POLYGONS:
            self._update_labels(result)
        elif self.labels is not None:
            self.labels.features = result.layer_data["labels"]["features"]
        yield
        if self.polygons is not None and self.edited != POLYGONS:
            self._update_polygons(result)
        yield

    def give_way(self) -> None:
        """Leave the viewer to another kind of result; what was corrected by hand stays."""
        if self.edited:
            self._set_corrections_aside()
        for what in (LABELS, POLYGONS):
            self._remove(what)

    def _add_labels(self, layer_tuple: tuple[Any, ...], region: Region | None) -> None:
        data, arguments, kind = layer_tuple
        self._array = data
        self._region = region
        layer = Layer.create(data, arguments, kind)
        self._add(LABELS, layer)
        layer.events.paint.connect(lambda: self._on_edit(LABELS, layer))
        layer.events.set_data.connect(self._on_refresh)

    def _add_polygons(self, layer_tuple: tuple[Any, ...]) -> None:
        rings, arguments, kind = layer_tuple
        layer = Layer.create(self._rings.show(rings), arguments, kind)
        self._add(POLYGONS, layer)
        layer.events.data.connect(lambda: self._on_edit(POLYGONS, layer))

    def _update_labels(self, result: Segmentation) -> None:
        """New labels in the layer's own array, several times faster than another array."""
        layer, arguments = self.labels, result.layer_data["labels"]
        assert layer is not None
        if layer.data.shape != arguments["data"].shape:
            self._array = layer.data = arguments["data"].copy()
        elif not np.array_equal(layer.data, arguments["data"]):
            np.copyto(layer.data, arguments["data"])
            layer.refresh(extent=False)
        if result.frames.region != self._region:
            self._region = result.frames.region
            place = label_placement(result.frames, result.settings.pixel_size, self.image)
            for what, value in place.items():
                setattr(layer, what, value)
        layer.features = arguments["features"]
        layer.metadata["spheroseg"] = result.recipe

    def _update_polygons(self, result: Segmentation) -> None:
        """New rings; those that are more than before need a width and colours of their own."""
        layer, arguments = self.polygons, result.layer_data["shapes"]
        assert layer is not None
        rings, before = self._rings.show(arguments["data"]), layer.nshapes
        if not _same(layer.data, rings):
            self._updating = True
            try:
                layer.data = rings[:before]
                if len(rings) > before:
                    style = ("edge_width", "edge_color", "face_color")
                    layer.add_polygons(rings[before:], **{what: arguments[what] for what in style})
            finally:
                self._updating = False
        layer.features = arguments["features"]
        layer.metadata["spheroseg"] = result.recipe

    def _painted(self, layer: Shapes, result: Segmentation) -> NDArray[np.int32]:
        """Labels of the polygons as they are now."""
        labels = np.zeros(result.frames.shape, np.int32)
        attributes = {"shape_type": layer.shape_type, "features": layer.features}
        by_frame: dict[Index, list[Polygon]] = {}
        for polygon in polygons_of(self._rings.exact(layer.data), attributes):
            frame = result_frame(result.frames, polygon.frame)
            by_frame.setdefault(frame, []).append(moved(polygon, np.negative(result.frames.corner)))
        for frame, polygons in by_frame.items():
            if all(0 <= i < n for i, n in zip(frame, labels.shape, strict=False)):
                labels[frame] = rasterise(polygons, result.frames.plane_shape)
        return labels

    def _on_edit(self, what: str, layer: Layer) -> None:
        if not self._updating and self._layers.get(what) is layer:
            self._edited = what
            self._tell(self)

    def _on_refresh(self) -> None:
        """Undo and redo tell nobody but the canvas; another slice looks the same from here."""
        if self._edited == LABELS and not self._updating:
            self._tell(self)

    def _set_corrections_aside(self) -> None:
        """Rename corrected layers, so that the next result does not overwrite them."""
        names = []
        for what, layer in self._layers.items():
            if layer in self._viewer.layers:
                layer.name = f"{self.image.name} {what} (corrected)"
                layer.visible = layer.visible and what == self.edited
                names.append(f"'{layer.name}'")
        self._layers = {}
        self._edited = None
        show_info(f"Your corrections are kept in {' and '.join(names)}.")


def _same(shown: list[NDArray[Any]], rings: list[NDArray[Any]]) -> bool:
    pairs = zip(shown, rings, strict=False)
    return len(shown) == len(rings) and all(np.array_equal(a, b) for a, b in pairs)
