"""The part of the training widget that says what to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari.viewer
from magicgui.widgets import ComboBox, Container, FileEdit, Select
from qtpy.QtWidgets import QSizePolicy

from ...errors import BadSetting
from ...training.layers_data import LabelledLayer
from ...training.settings import Data
from ..parts import text
from .layer_pairs import LayerPair, matching_pairs

LAYERS, FOLDERS, MANIFEST = "Layers", "Folders", "Manifest"
_NO_PAIR = (
    "No Labels layer has the shape of an image. Segment one and correct the labels, "
    "or draw some yourself."
)
_LIST_HEIGHT = 84  # px


class DataChoice(Container):
    """Layers, folders or a manifest.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are offered.

    Notes
    -----
    Children that scripts can set: ``kind``, ``layers`` (a list of `LayerPair`), ``images`` and
    ``masks`` (folders), ``manifest``.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer = viewer
        self._offered: list[LayerPair] = []
        self.kind = ComboBox(
            name="kind",
            label="Learn from",
            choices=[LAYERS, FOLDERS, MANIFEST],
            tooltip="Layers: images with labels, such as results corrected by hand. Folders: "
            "image and mask files of the same name. Manifest: a CSV with the columns file and "
            "mask_file.",
        )
        self.layers = Select(
            name="layers",
            label="Layers",
            choices=self._choices,
            tooltip="Each plane that has labels is learnt from.",
        )
        self.layers.native.setFixedHeight(_LIST_HEIGHT)
        self.layers.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.none = text("none")
        self.none.label, self.none.value = " ", _NO_PAIR
        self.images = FileEdit(
            name="images", label="Images", mode="d", nullable=True, tooltip="Folder of image files"
        )
        self.masks = FileEdit(
            name="masks",
            label="Masks",
            mode="d",
            nullable=True,
            tooltip="Files have the name of their image, or that and _mask or _labels.",
        )
        self.manifest = FileEdit(
            name="manifest", label="CSV file", mode="r", filter="*.csv", nullable=True
        )
        super().__init__(
            widgets=[
                self.kind, self.layers, self.none, self.images, self.masks, self.manifest
            ],
            labels=True,
        )  # fmt: skip
        self.margins = (0, 0, 0, 0)
        self.kind.changed.connect(self.refresh)
        events = viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.connect(self.refresh)
        self.refresh()

    def chosen(self) -> Data | list[LabelledLayer]:
        """What the user chose.

        Raises
        ------
        SpherosegError
            Nothing, or something that cannot be learnt from.
        """
        if self.kind.value == LAYERS:
            if not self.layers.value:
                raise BadSetting(
                    "No layers were chosen to learn from",
                    hint="Choose images with labels, or folders.",
                )
            return [pair.labelled() for pair in self.layers.value]
        if self.kind.value == FOLDERS:
            return Data(
                images=_path(self.images, "a folder of images"),
                masks=_path(self.masks, "a folder of masks"),
            )
        return Data(manifest=_path(self.manifest, "a CSV file"))

    def refresh(self, _: Any = None) -> None:
        """Offer the pairs that there are now; those that are new and sure are chosen."""
        if self._viewer is None:
            return
        for layer in self._viewer.layers:
            layer.events.name.disconnect(self.refresh)
            layer.events.name.connect(self.refresh)
        before, chosen = self._offered, list(self.layers.value)
        self._offered = matching_pairs(self._viewer.layers)
        self.layers.reset_choices()
        self.layers.value = [
            pair for pair in self._offered if (pair in chosen if pair in before else pair.sure)
        ]
        kind = self.kind.value
        self.layers.visible = kind == LAYERS and bool(self._offered)
        self.none.visible = kind == LAYERS and not self._offered
        self.images.visible = self.masks.visible = kind == FOLDERS
        self.manifest.visible = kind == MANIFEST

    def abandon(self) -> None:
        """The widget is gone: look at layers no more."""
        self._viewer = None

    def _choices(self, _: Any = None) -> list[tuple[str, LayerPair]]:
        return [(pair.name, pair) for pair in self._offered]


def _path(field: FileEdit, what: str) -> Path:
    path = field.value
    if path is None or path == Path():
        raise BadSetting(f"Choose {what} to learn from")
    return Path(path)
