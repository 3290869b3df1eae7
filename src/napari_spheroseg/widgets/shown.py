"""A result in the viewer: a Labels and a Shapes layer, updated in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Shapes
from napari.utils.notifications import show_info
from numpy.typing import NDArray

from ..inference.frames import Index
from ..segmentation.result import Segmentation


class ShownResult:
    """The layers of one image's result.

    Parameters
    ----------
    viewer : ViewerModel
    image : napari.layers.Image
        What was segmented; the results are named after it and take its place in the world.
    on_edit : callable
        Called when somebody paints on the labels.
    """

    def __init__(
        self, viewer: ViewerModel, image: Image, on_edit: Callable[[], None] = lambda: None
    ) -> None:
        self._viewer = viewer
        self._tell = on_edit
        self.image = image
        self.segmentation: Segmentation | None = None
        self._layers: dict[str, Layer] = {}
        self.edited = False

    @property
    def labels(self) -> Labels | None:
        """The Labels layer, while it is in the viewer."""
        return self._layer("labels")

    @property
    def polygons(self) -> Shapes | None:
        """The Shapes layer, while it is in the viewer."""
        return self._layer("polygons")

    @property
    def gone(self) -> bool:
        """Whether the user removed both layers."""
        return self.labels is None and self.polygons is None

    def preview(self, frame: Index, labels: NDArray[np.int32]) -> None:
        """Show the labels of the frame on screen while the others are still computed."""
        if (
            self.labels is not None
            and not self.edited
            and labels.ndim == self.labels.ndim - len(frame)
        ):
            self.labels.data[frame] = labels
            self.labels.refresh()

    def corrected(self) -> Segmentation:
        """The segmentation, with the labels as somebody corrected them in the viewer."""
        assert self.segmentation is not None
        if not self.edited or self.labels is None:
            return self.segmentation
        data = np.asarray(self.labels.data).reshape(self.segmentation.frames.shape)
        return self.segmentation.corrected(data)

    def show(self, result: Segmentation) -> Iterator[None]:
        """Put a result into the layers, piece by piece.

        Layers that were removed, or corrected by hand, are made anew.
        """
        if self.edited:
            self._set_corrections_aside()
        self.segmentation = result
        new = result.to_layers(name=self.image.name, like=self.image)
        if self.labels is None:
            self._add("labels", new[0])
        else:
            self._update_labels(result)
        yield
        if self.polygons is None:
            self._add("polygons", new[1])
            self._viewer.layers.selection.active = self.labels  # the status bar tells measures
        else:
            _update_polygons(self.polygons, result)
        yield

    def show_measures(self, result: Segmentation) -> Iterator[None]:
        """Table and polygons of labels that were corrected in the viewer."""
        if self.labels is not None:
            self.labels.features = result.layer_data["labels"]["features"]
        if self.polygons is not None:
            _update_polygons(self.polygons, result)
        yield

    def _layer(self, what: str) -> Any:
        layer = self._layers.get(what)
        return layer if layer in self._viewer.layers else None

    def _add(self, what: str, layer_tuple: tuple[Any, ...]) -> None:
        data, arguments, kind = layer_tuple
        if kind == "labels":
            data = data.copy()  # what is painted on must not be the result's own
        layer = Layer.create(data, arguments, kind)
        self._layers[what] = layer
        self._viewer.add_layer(layer)
        if kind == "labels":
            layer.events.paint.connect(self._on_edit)

    def _update_labels(self, result: Segmentation) -> None:
        """New labels in the layer's own array, several times faster than another array."""
        layer, arguments = self.labels, result.layer_data["labels"]
        assert layer is not None
        if layer.data.shape == arguments["data"].shape:
            np.copyto(layer.data, arguments["data"])
            layer.refresh(extent=False)
        else:
            layer.data = arguments["data"].copy()
        layer.features = arguments["features"]
        layer.metadata["spheroseg"] = result.recipe

    def _on_edit(self) -> None:
        self.edited = True
        self._tell()

    def _set_corrections_aside(self) -> None:
        """Rename corrected layers, so that the next result does not overwrite them."""
        for what, layer in list(self._layers.items()):
            if layer in self._viewer.layers:
                layer.name = f"{self.image.name} {what} (corrected)"
                layer.visible = what == "labels" and layer.visible
            del self._layers[what]
        self.edited = False
        show_info(f"Your corrections are kept in '{self.image.name} labels (corrected)'.")


def _update_polygons(layer: Shapes, result: Segmentation) -> None:
    """New rings; those that are more than before need a width and colours of their own."""
    arguments = result.layer_data["shapes"]
    rings, before = arguments["data"], layer.nshapes
    layer.data = rings[:before]
    if len(rings) > before:
        layer.add_polygons(
            rings[before:],
            **{what: arguments[what] for what in ("edge_width", "edge_color", "face_color")},
        )
    layer.features = arguments["features"]
    layer.metadata["spheroseg"] = result.recipe
