"""What can be done with a result: save it, copy the run as code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from magicgui.widgets import Container, PushButton
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QApplication, QFileDialog

from .. import models
from ..errors import SpherosegError
from .shown import ShownResult


class ResultActions(Container):
    """Buttons below Run.

    Parameters
    ----------
    current : callable
        Gives the result of the chosen image, or None.
    """

    def __init__(self, current: Callable[[], ShownResult | None]) -> None:
        self._current = current
        self.save = PushButton(text="Save results…", tooltip="Labels, polygons and table")
        self.copy_python = PushButton(
            text="Copy as Python", tooltip="Code that does the last run again"
        )
        self.copy_command = PushButton(
            text="Copy as command", tooltip="A command line that does the last run again"
        )
        copies = Container(
            widgets=[self.copy_python, self.copy_command], layout="horizontal", labels=False
        )
        super().__init__(widgets=[self.save, copies], labels=False, enabled=False)
        for each in (self, copies):
            each.margins = (0, 0, 0, 0)
        self.save.changed.connect(self._ask_and_save)
        self.copy_python.changed.connect(lambda: self._copy(_python))
        self.copy_command.changed.connect(lambda: self._copy(_command))

    def save_to(self, folder: str | Path) -> None:
        """Write labels, polygons and table into a folder, named after the image."""
        from ..batch.outputs import write_result

        shown = self._current()
        if shown is None:
            return
        stem = "".join(c if c.isalnum() or c in " -_." else "_" for c in shown.image.name)
        stem += _part(shown)
        try:
            write_result(shown.corrected(), Path(folder), stem, with_table=True)
        except SpherosegError as error:
            show_error(str(error))
        else:
            show_info(f"Saved {stem}_labels.tif, _polygons.geojson and _measurements.csv.")

    def _ask_and_save(self) -> None:
        folder = QFileDialog.getExistingDirectory(self.native, "Save labels, polygons and table to")
        if folder:
            self.save_to(folder)

    def _copy(self, write: Callable[[ShownResult], str]) -> None:
        shown = self._current()
        if shown is None:
            return
        try:
            QApplication.clipboard().setText(write(shown))
        except SpherosegError as error:  # the model was removed meanwhile
            show_error(str(error))
        else:
            show_info("Copied.")


def _part(shown: ShownResult) -> str:
    """Where labels of a part lie in the image, for the name of their file."""
    region = shown.segmentation.frames.region
    return "" if region is None else "_y{}-{}_x{}-{}".format(*region)


def _python(shown: ShownResult) -> str:
    from ..segmentation.code import as_python

    recipe = shown.segmentation.settings
    path = shown.image.source.path
    return as_python(recipe, models.info(recipe.model), path, shown.image.name)


def _command(shown: ShownResult) -> str:
    from ..segmentation.code import as_command

    recipe = shown.segmentation.settings
    return as_command(recipe, models.info(recipe.model), shown.image.source.path)
