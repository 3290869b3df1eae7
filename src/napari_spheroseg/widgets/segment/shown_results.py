"""The results of a viewer's images that are on screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from napari.components import ViewerModel
from napari.layers import Image

from ...segmentation.focus import focus_warning
from ...segmentation.settings import PostProcessing
from .shown import ShownResult
from .shown_large import CHANGED, ShownLarge

Shown = TypeVar("Shown", ShownResult, ShownLarge)


class ShownResults:
    """One result an image: in memory, or of a large image.

    Parameters
    ----------
    viewer : ViewerModel
    on_edit : callable
        Called with a result when somebody corrects it.
    """

    def __init__(self, viewer: ViewerModel, on_edit: Callable[[ShownResult], None]) -> None:
        self._viewer, self._on_edit = viewer, on_edit
        self._of: dict[Image, ShownResult | ShownLarge] = {}

    def __len__(self) -> int:
        return len(self._of)

    def get(self, image: Image | None) -> ShownResult | ShownLarge | None:
        """The result of an image."""
        return None if image is None else self._of.get(image)

    def in_memory(self) -> Iterator[ShownResult]:
        """All but those of large images."""
        return (each for each in self._of.values() if isinstance(each, ShownResult))

    def place(self, image: Image, kind: type[Shown]) -> Shown:
        """Where a result of an image goes; one of another kind makes room for it."""
        shown = self._of.get(image)
        if isinstance(shown, kind):
            return shown
        if shown is not None:
            shown.give_way()
        new: Shown = kind(self._viewer, image, self._on_edit)
        self._of[image] = new
        return new

    def forget_gone(self) -> bool:
        """Let go of probability and pixels of what was removed, and of labels in files.

        Returns
        -------
        bool
            Whether there was any.
        """
        before = len(self._of)
        for image, shown in list(self._of.items()):
            large = isinstance(shown, ShownLarge)
            if shown.gone and (large or image not in self._viewer.layers):
                del self._of[image]
        return len(self._of) < before


def sentence(shown: ShownResult | ShownLarge | None, wanted: PostProcessing) -> str:
    """What was found, and what the user should know of it.

    Parameters
    ----------
    shown : ShownResult or ShownLarge or None
    wanted : PostProcessing
        As the settings are now; a result in memory follows them by itself.
    """
    if shown is None or shown.segmentation is None:
        return ""
    if isinstance(shown, ShownResult):
        return " ".join(filter(None, [shown.measured.summary, focus_warning(shown.measured)]))
    changed = wanted != shown.segmentation.settings.post_processing()
    return f"{shown.sentence} {CHANGED}" if changed else shown.sentence
