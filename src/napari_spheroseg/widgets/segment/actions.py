"""What can be done with a result: save it, copy the run as code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from magicgui.widgets import Container, PushButton
from napari.layers import Image
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QApplication, QFileDialog

from ... import models
from ...errors import SpherosegError
from ...readwrite.images import PLAIN, is_zarr, open_image
from ...segmentation.code import PLACEHOLDER
from ..source import full_resolution, in_file
from ..work import Work
from .shown import ShownResult
from .shown_large import ShownLarge


class ResultActions(Container):
    """Buttons below Run.

    Parameters
    ----------
    current : callable
        Gives the result of the chosen image, or None.

    Attributes
    ----------
    saving : Work
        The files of a large image are copied.
    """

    def __init__(self, current: Callable[[], ShownResult | ShownLarge | None]) -> None:
        self._current = current
        self.saving = Work(lambda _: None, self._on_saved, self._on_save_end)
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
        from ...batch.outputs import write_result

        shown = self._current()
        if shown is None:
            return
        stem = "".join(c if c.isalnum() or c in " -_." else "_" for c in shown.image.name)
        stem += _part(shown)
        if isinstance(shown, ShownLarge):
            self._copy_files(shown, Path(folder), stem)
            return
        try:
            write_result(shown.corrected(), Path(folder), stem, with_table=True)
        except SpherosegError as error:
            show_error(str(error))
        else:
            show_info(f"Saved {stem}_labels.tif, _polygons.geojson and _measurements.csv.")

    def _copy_files(self, shown: ShownLarge, folder: Path, stem: str) -> None:
        """In a worker: there may be thousands of files."""
        from ...segmentation.large.copies import copy_steps

        self._saved = f"Saved {stem}_labels.ome.zarr, _polygons.geojson and _measurements.csv."
        self.save.enabled = False
        steps = partial(copy_steps, shown.segmentation, folder, stem)
        self.saving.start(steps, title=f"Saving {shown.image.name}")

    def _on_saved(self, _: Any) -> Iterator[None]:
        show_info(self._saved)
        yield

    def _on_save_end(self) -> None:
        self.save.enabled = self._current() is not None

    def _ask_and_save(self) -> None:
        folder = QFileDialog.getExistingDirectory(self.native, "Save labels, polygons and table to")
        if folder:
            self.save_to(folder)

    def _copy(self, write: Callable[[ShownResult | ShownLarge], str]) -> None:
        shown = self._current()
        if shown is None:
            return
        try:
            code = write(shown)
        except SpherosegError as error:  # the model was removed meanwhile
            show_error(str(error))
            return
        QApplication.clipboard().setText(code)
        show_info(f"Copied. {_missing(shown, code)}".strip())


def _part(shown: ShownResult | ShownLarge) -> str:
    """Where labels of a part lie in the image, for the name of their file."""
    region = shown.segmentation.frames.region
    return "" if region is None else "_y{}-{}_x{}-{}".format(*region)


def _python(shown: ShownResult | ShownLarge) -> str:
    from ...segmentation.code import as_python

    recipe, image = shown.segmentation.settings, shown.image
    return as_python(
        recipe,
        models.info(recipe.model),
        _file(image),
        image.name,
        multiscale=image.multiscale,
        large=isinstance(shown, ShownLarge),
        focus=shown.focus is not None,
    )


def _command(shown: ShownResult | ShownLarge) -> str:
    from ...segmentation.code import as_command

    recipe, focus = shown.segmentation.settings, shown.focus is not None
    return as_command(recipe, models.info(recipe.model), _file(shown.image), focus=focus)


def _file(image: Image) -> str | None:
    """File that holds what the layer shows; not where it holds more, such as other channels."""
    path = image.source.path
    if path is None or Path(path).suffix.lower() in PLAIN:
        return path
    if not is_zarr(Path(path)):
        return None if in_file(image) is None else path
    try:
        whole = open_image(path).data.shape == full_resolution(image).shape
    except SpherosegError:
        return None
    return path if whole else None


def _missing(shown: ShownResult | ShownLarge, code: str) -> str:
    """What a command does not say."""
    if not code.startswith("spheroseg"):
        return ""
    recipe, missing = shown.segmentation.settings, []
    if recipe.region is not None or recipe.frames is not None:
        missing.append("It segments whole images: a command knows no region or current slice.")
    if PLACEHOLDER in code:
        missing.append(f"Put the path of your image in the place of {PLACEHOLDER}.")
    return " ".join(missing)
