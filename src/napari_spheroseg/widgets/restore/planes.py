"""Planes that come of a z-stack, as layers beside it."""

from __future__ import annotations

from collections.abc import Iterator

from napari.components import ViewerModel
from napari.layers import Image

from .jobs import SHARPEST, RealPlane
from .place import add_quietly, plane_placement

_LOOK = ("contrast_limits", "gamma", "colormap")


class RealPlanes:
    """The layers of sharpest planes and of extended depths of field, updated in place.

    Parameters
    ----------
    viewer : ViewerModel
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: dict[tuple[Image, str], Image] = {}

    def show(self, found: RealPlane) -> Iterator[None]:
        """Put a plane into its layer; the slider goes to the sharpest."""
        image, where = found.image, (found.image, found.what)
        layer = self._layers.get(where)
        if layer in self._viewer.layers and layer.data.shape == found.plane.shape:
            layer.data, layer.visible = found.plane, True
            layer.metadata["spheroseg"] = found.recipe
        else:
            rgb = found.plane.ndim == 3
            look = {} if rgb else {what: getattr(image, what) for what in _LOOK}
            layer = self._layers[where] = Image(
                found.plane,
                name=f"{image.name} {found.what}",
                rgb=rgb,
                metadata={"spheroseg": found.recipe},
                **look,
                **plane_placement(image),
            )
            add_quietly(self._viewer, layer, above=image)
        yield
        if found.what == SHARPEST and image in self._viewer.layers:
            self._go_to(found)
            yield

    def hide(self, image: Image) -> None:
        """Make room for another result of the image: a plane covers every slice of it."""
        for (of, _), layer in self._layers.items():
            if of is image:
                layer.visible = False

    def forget_gone(self) -> None:
        """Drop layers of images that are no longer there."""
        for image, what in list(self._layers):
            if image not in self._viewer.layers:
                del self._layers[image, what]

    def _go_to(self, found: RealPlane) -> None:
        image, dims = found.image, self._viewer.dims
        axis = found.frames.axes.replace("S", "").index(found.axis)
        position = list(image.world_to_data(dims.point[-image.ndim :]))
        position[axis] = found.number
        dims.set_point(dims.ndim - image.ndim + axis, image.data_to_world(position)[axis])


def sentence(found: RealPlane) -> str:
    """What was found, and where it is shown."""
    layer = f"'{found.image.name} {found.what}'"
    if found.what == SHARPEST:
        return f"Plane {found.number} (from 0) is the sharpest, shown as {layer}."
    return f"Made of all planes, shown as {layer}."
