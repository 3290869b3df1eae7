"""The part of the batch widget that says which images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari.viewer
from magicgui.widgets import ComboBox, Container, LineEdit, PushButton, Select
from napari.layers import Image
from psygnal import Signal
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QAbstractItemView, QFileDialog, QSizePolicy

from ...errors import BadSetting
from ..image_layers import images_of
from ..parts import row, text
from ..source import full_resolution, guess_axes
from ..work import Work
from .look import Found, look_steps
from .ranges import Ranges
from .stacks import Stacks, stacks_of

LAYERS, FILES = "Opened images", "Files"
BETWEEN = ";"
_LIST_HEIGHT = 84  # px
_LOOK_AFTER = 400  # ms without another letter


class ImageChoice(Container):
    """Opened images, with a range of positions along each leading axis; or files.

    Parameters
    ----------
    viewer : napari.Viewer
        Its image layers are offered.

    Attributes
    ----------
    chosen : Signal
        Other images were chosen, or files were looked at.
    found : Found
        What the files are.

    Notes
    -----
    Children that scripts can set: ``source``, ``layers`` (a list of image layers), ``ranges`` (by
    the letter of an axis, each with ``first`` and ``last``), ``folder`` (a folder, a pattern, or
    files with ``;`` between them).
    """

    chosen = Signal()

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer: Any = viewer
        self.found = Found()
        self._look = Work(lambda _: None, self._on_found, self._on_look_end)
        self._look_again = False
        self.source = ComboBox(
            name="source",
            label="Images",
            choices=[LAYERS, FILES],
            tooltip="Slices of stacks that are open in napari, or files on the disk",
        )
        self.layers = Select(
            name="layers",
            label=" ",
            choices=self._choices,
            tooltip="Click to choose, click again to leave out. Every slice is an image.",
        )
        self.layers.native.setSelectionMode(QAbstractItemView.SelectionMode.MultiSelection)
        self.layers.native.setFixedHeight(_LIST_HEIGHT)
        self.layers.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.ranges = Ranges()
        self.folder = LineEdit(
            name="folder",
            label=" ",
            tooltip="A folder; or a pattern such as /data/**/*.tif; or files with ; between them.",
        )
        self.folder.native.setPlaceholderText("folder, pattern or files")
        self.choose_folder = PushButton(text="Folder…")
        self.choose_files = PushButton(text="Files…")
        self._buttons = row(self.choose_folder, self.choose_files)
        self._buttons.label = " "
        self.told = text("told")
        self.told.label = " "
        super().__init__(
            widgets=[
                self.source, self.layers, self.ranges, self.folder, self._buttons, self.told
            ],
            labels=True,
        )  # fmt: skip
        self.margins = (0, 0, 0, 0)
        self._timer = QTimer(self.native)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_LOOK_AFTER)
        self._timer.timeout.connect(self._look_at_files)
        self._connect()
        self.refresh()
        active = viewer.layers.selection.active
        images = [layer for _, layer in self._choices()]
        self.layers.value = [active] if active in images else images[:1]
        self.source.value = LAYERS if images else FILES
        self._show_source()

    def _connect(self) -> None:
        self.source.changed.connect(self._show_source)
        self.layers.changed.connect(self._on_layers)
        self.folder.changed.connect(lambda: self._timer.start())
        self.choose_folder.changed.connect(self._ask_folder)
        self.choose_files.changed.connect(self._ask_files)
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.connect(self.refresh)

    # --- what is chosen -----------------------------------------------------------------------

    @property
    def of_layers(self) -> bool:
        """Whether opened images are chosen, not files."""
        return self.source.value == LAYERS

    @property
    def first(self) -> Image | None:
        """Of the layers that are chosen."""
        return next(iter(self.layers.value), None) if self.of_layers else None

    def inputs(self) -> tuple[str, ...]:
        """Files, folders and patterns.

        Raises
        ------
        BadSetting
            None was chosen.
        """
        whole = self.folder.value.strip()
        if not whole:
            raise BadSetting("No images were chosen", hint="Choose a folder or files.")
        if Path(whole).exists():
            return (whole,)
        return tuple(each.strip() for each in whole.split(BETWEEN) if each.strip())

    def stacks(self, how: dict[str, Any], size: Any, in_micrometres: bool) -> Stacks:
        """Frames of the layers that are chosen; see `stacks_of`."""
        return stacks_of(self.layers.value, self.ranges, how, size, in_micrometres)

    # --- layers -------------------------------------------------------------------------------

    def refresh(self, _: Any = None) -> None:
        """Offer the layers that there are now."""
        if self._viewer is None:
            return
        for _, layer in self._choices():
            layer.events.name.disconnect(self.refresh)
            layer.events.name.connect(self.refresh)
        chosen, before = list(self.layers.value), self.layers.choices
        images = [layer for _, layer in self._choices()]
        kept = [layer for layer in images if layer in chosen]
        begins = bool(images) and not before and not self.folder.value
        with self.layers.changed.blocked():
            self.layers.reset_choices()
            self.layers.value = images[:1] if begins else kept
        if begins:  # somebody opened the first image: that is what is meant
            self.source.value = LAYERS
        if list(self.layers.value) != chosen:
            self._on_layers()

    def show_axes(self, axes: str) -> None:
        """Offer a range for every leading axis of the layers that are chosen."""
        lengths: dict[str, int] = {}
        for layer in self.layers.value if self.of_layers else ():
            shape = full_resolution(layer).shape
            own = axes.upper() if len(axes) == len(shape) else guess_axes(layer)
            for axis, length in zip(own, shape, strict=True):
                if axis not in "YXSC":
                    lengths[axis] = max(length, lengths.get(axis, 0))
        self.ranges.show_lengths(lengths)

    def _choices(self, _: Any = None) -> list[tuple[str, Image]]:
        layers = () if self._viewer is None else self._viewer.layers
        return [(layer.name, layer) for layer in images_of(layers)]

    def _on_layers(self, _: Any = None) -> None:
        self.chosen.emit()

    def _show_source(self, _: Any = None) -> None:
        of_layers = self.of_layers
        self.layers.visible = of_layers
        self.folder.visible = self._buttons.visible = self.told.visible = not of_layers
        if not of_layers:
            self.ranges.visible = False
        self.chosen.emit()

    # --- files --------------------------------------------------------------------------------

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self.native, "Folder of images")
        if folder:
            self.folder.value = folder

    def _ask_files(self) -> None:
        files, _ = QFileDialog.getOpenFileNames(self.native, "Images")
        if files:
            self.folder.value = f" {BETWEEN} ".join(files)

    def _look_at_files(self) -> None:
        if self._look.running:
            self._look_again = True
            return
        if not self.folder.value.strip():
            self.found = Found()
            self.told.value = ""
            self.chosen.emit()
            return
        inputs = self.inputs()
        self.told.value = "Looking…"
        self._look.start(lambda: look_steps(inputs))

    def _on_found(self, found: Found) -> Any:
        self.found = found
        self.told.value = found.summary
        self.chosen.emit()
        yield

    def _on_look_end(self) -> None:
        if self._look_again:
            self._look_again = False
            self._look_at_files()

    def abandon(self) -> None:
        """The widget is gone: look at layers no more."""
        self._viewer = None
        self._look.abandon()
