"""Before and after in one picture: the restored image left of a line, the original right of it."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from napari.experimental import link_layers, unlink_layers
from napari.layers import Image, Layer

from ..image_layers import only_shows
from .place import add_quietly
from .shown import ShownRestoration

_LINE = "#ffd60a"
_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
_OPAQUE = ("opaque", "translucent", "translucent_no_depth")
_LOOK = ("contrast_limits", "gamma", "colormap", "interpolation2d")


class Swipe:
    """A layer that shows the left columns of a restored image, above the original.

    It shows them by a view into the restored array: nothing is copied or composed, however large
    the stack is. The layer of the whole restored image, and others that would cover the two, are
    hidden meanwhile.

    Parameters
    ----------
    viewer : ViewerModel
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Image | None = None
        self._shown: ShownRestoration | None = None
        self._restored: Image | None = None
        self._linked = False
        self._covering: list[Image] = []
        self._away: Image | None = None  # restored, but not on this slice

    @property
    def layer(self) -> Image | None:
        """The left part, while it is in the viewer."""
        return self._layer if self._layer in self._viewer.layers else None

    @property
    def gone(self) -> bool:
        """Whether the user removed it."""
        return self._layer is not None and self.layer is None

    def show(self, shown: ShownRestoration | None, percent: float, here: bool = True) -> None:
        """Draw the line.

        Parameters
        ----------
        shown : ShownRestoration or None
            What is compared with its image.
        percent : float
            Where the line is, from the left; at 100 the restored image alone is there.
        here : bool
            Whether the slice on screen was restored; otherwise the original is seen throughout.
        """
        restored = None if shown is None else shown.layer
        if restored is None or percent >= 100:
            self.end()
            if restored is not None and restored.visible and not here:
                self._away, restored.visible = restored, False
            return
        if self.layer is None or self._restored is not restored:
            self.end()
            self._begin(shown)
        width = restored.data.shape[-2 if restored.rgb else -1]
        columns = round(width * percent / 100)
        self._layer.visible = here and columns > 0
        if columns:
            self._layer.data = _left(restored, columns)

    def end(self) -> None:
        """Only the restored image again."""
        layer, restored, shown = self.layer, self._restored, self._shown
        hidden = [*self._covering, *(each for each in (restored, self._away) if each is not None)]
        self._layer = self._restored = self._shown = self._away = None
        self._covering = []
        if layer is not None:
            if self._linked:
                unlink_layers([shown.image, layer], _LOOK)
            self._viewer.layers.remove(layer)
        for each in hidden:
            each.visible = True

    def _begin(self, shown: ShownRestoration) -> None:
        restored, image = shown.layer, shown.image
        self._linked = shown.restoration.settings.rescale and not restored.rgb
        seen_as = image if self._linked else restored
        like: dict[str, Any] = {what: getattr(restored, what) for what in _PLACE}
        like |= {what: getattr(seen_as, what) for what in (() if restored.rgb else _LOOK)}
        name = f"{image.name} swipe"
        layer = Image(_left(restored, 1), name=name, rgb=restored.rgb, **like)
        only_shows(layer, "swipe")
        line = layer.bounding_box
        line.line_color, line.line_thickness, line.points, line.visible = _LINE, 2, False, True
        self._layer, self._restored, self._shown = layer, restored, shown
        self._covering = [each for each in self._viewer.layers if _covers(each, (image, restored))]
        add_quietly(self._viewer, layer, above=restored)
        image.visible = True
        for each in (restored, *self._covering):
            each.visible = False
        if self._linked:
            link_layers([image, layer], _LOOK)  # both halves at the same contrast


def _covers(layer: Layer, pair: tuple[Image, Image]) -> bool:
    opaque = layer.opacity == 1 and str(layer.blending) in _OPAQUE
    return isinstance(layer, Image) and layer.visible and opaque and layer not in pair


def _left(restored: Image, columns: int) -> Any:
    return restored.data[..., :columns, :] if restored.rgb else restored.data[..., :columns]
