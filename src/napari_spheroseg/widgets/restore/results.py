"""The layers that the widget adds, by image."""

from __future__ import annotations

from collections.abc import Iterator

from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.notifications import show_info, show_warning

from ...restoration.focus import FocusScore
from ...restoration.result import Restoration
from ..source import full_resolution
from . import focus_map, planes
from .jobs import RealPlane, RestoreJob
from .shown import ShownRestoration
from .swipe import Swipe


class Results:
    """Restored images, planes of stacks and focus maps.

    Parameters
    ----------
    viewer : ViewerModel

    Attributes
    ----------
    shown : dict of Image to ShownRestoration
    swipe : Swipe
    said : str
        What is known of the result that came last.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._maps = focus_map.FocusMaps(viewer)
        self._planes = planes.RealPlanes(viewer)
        self.swipe = Swipe(viewer)
        self.shown: dict[Image, ShownRestoration] = {}
        self.said = ""

    def show_restored(self, job: RestoreJob, result: Restoration) -> Iterator[None]:
        """Show a restored image; tell what happened to the image meanwhile."""
        image = job.image
        if image not in self._viewer.layers:
            show_info(f"'{image.name}' was removed meanwhile; its result is shown all the same.")
        elif full_resolution(image) is not job.frames.data:
            show_warning(f"'{image.name}' changed meanwhile; the result is that of the old image.")
        shown = self.shown.setdefault(image, ShownRestoration(self._viewer, image))
        self._planes.hide(image)
        yield from shown.show(result)
        self._tell(result.warnings)
        self.said = shown.sentence

    def show_plane(self, found: RealPlane) -> Iterator[None]:
        """Show a plane that comes of a stack."""
        yield from self._planes.show(found)
        self.said = planes.sentence(found)

    def show_map(self, image: Image, found: FocusScore) -> Iterator[None]:
        """Show a focus map."""
        yield from self._maps.show(image, found)
        self._tell(found.warnings)
        self.said = focus_map.sentence(found)

    def forget_gone(self) -> None:
        """Drop what belongs to images that are no longer there, and with it pixels."""
        for image, shown in list(self.shown.items()):
            if image not in self._viewer.layers and shown.layer is None:
                del self.shown[image]
        self._maps.forget_gone()
        self._planes.forget_gone()

    def _tell(self, warnings: tuple[str, ...]) -> None:
        for warning in warnings:
            show_warning(warning)
