"""The widget ``Model manager``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from magicgui.widgets import Container, ProgressBar, PushButton
from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QSplitter

from ..news import news
from ..work import Work
from . import jobs
from .actions import ModelActions
from .details import Details, as_markdown
from .folders import FoldersDialog
from .install import InstallForm
from .jobs import Done
from .table import ModelTable

_LEAST_WIDTH = 400  # px
_FORMATS = (
    "TorchScript (*.pt);;ONNX (*.onnx);;OpenVINO (*.xml);;BioImage Model Zoo (*.zip);;All files (*)"
)
_INSTEAD = "Move that one to the trash?"


class ModelsWidget(Container):
    """Look at, install, verify, export, bundle, choose, rename and remove models.

    Notes
    -----
    Scripts can select in ``table`` (`ModelTable`: ``table.selected = "unet"``, or several names),
    set ``install_path`` or ``install_url``, and ``install_name``, press ``install``, ``verify``,
    ``try_out``, ``export``, ``bundle``, ``make_default``, ``rename``, ``remove``, ``trash``,
    ``folders`` and ``check``, or go past their dialogs by `export_to`, `bundle_to`, `rename_to`,
    `bring_back`, `share` and `unshare`. ``cancel`` stops a download. ``details`` shows the
    selected model.
    """

    def __init__(self) -> None:
        self._work = Work(self._on_step, self._on_result, self._on_end)
        self._wanted: tuple[Path | str, str | None] | None = None  # what is being installed
        self._again: Callable[[], None] | None = None  # what is being tried, but overwriting
        self._taken = ""  # why that was refused, until the user was asked
        self.table, self.details, self.form = ModelTable(), Details(), InstallForm()
        self.install_path, self.install_name = self.form.path, self.form.model_name
        self.install_url, self.install = self.form.url, self.form.install
        self.actions = ModelActions()
        self.verify, self.check = self.actions.verify, self.actions.check
        self.try_out = self.actions.try_out
        self.export, self.bundle = self.actions.export, self.actions.bundle
        self.rename, self.remove = self.actions.rename, self.actions.remove
        self.make_default, self.trash = self.actions.make_default, self.actions.trash
        self.folders = self.actions.folders
        self.progress = ProgressBar(name="progress", value=0, max=1, visible=False)
        self.cancel = PushButton(text="Cancel", tooltip="Stop the download", visible=False)
        super().__init__(
            widgets=[self.actions, self.progress, self.cancel, self.form], labels=False
        )
        panes = QSplitter(Qt.Orientation.Vertical)
        for pane in (self.table, self.details):
            panes.addWidget(pane)
        panes.setStretchFactor(1, 1)
        self.native.layout().insertWidget(0, panes)
        self.native.setMinimumWidth(_LEAST_WIDTH)
        self._connect()
        self.table.refresh()

    def _connect(self) -> None:
        self.install.changed.connect(self._install)
        self.verify.changed.connect(self._verify)
        self.try_out.changed.connect(self._try_out)
        self.export.changed.connect(self._ask_and_export)
        self.bundle.changed.connect(self._ask_and_bundle)
        self.rename.changed.connect(self._ask_and_rename)
        self.remove.changed.connect(self._remove)
        self.trash.changed.connect(self._ask_and_bring_back)
        self.make_default.changed.connect(self._make_default)
        self.folders.changed.connect(self._show_folders)
        self.cancel.changed.connect(self._work.cancel)
        self.check.changed.connect(lambda: self._start(jobs.check_steps, "Checking this machine"))
        self.table.chosen.connect(self._show_selected)
        news.models_changed.connect(self.table.refresh)
        self.native.destroyed.connect(self._closed)

    # --- the selected models --------------------------------------------------------------------

    def _show_selected(self) -> None:
        chosen = self.table.selected_rows
        self.actions.allow(chosen)
        self.details.show_markdown("\n\n---\n\n".join(as_markdown(each) for each in chosen))

    def _verify(self) -> None:
        self._start(partial(jobs.verify_steps, self.table.selected_rows), "Verifying models")

    def _try_out(self) -> None:
        (name,) = self.table.selected
        self._start(partial(jobs.try_steps, name), f"Trying {name}")

    def export_to(self, path: str | Path) -> None:
        """Write the selected model in the format that the file's ending stands for."""
        (name,) = self.table.selected
        self._start(partial(jobs.export_steps, name, Path(path)), f"Exporting {name}")

    def bundle_to(self, path: str | Path) -> None:
        """Pack the selected models into a zip."""
        names = self.table.selected
        self._start(partial(jobs.bundle_steps, names, Path(path)), "Bundling models")

    def rename_to(self, name: str) -> None:
        """Give the selected model another name."""
        (old,) = self.table.selected
        self._start(partial(jobs.rename_steps, old, name), f"Renaming {old}")

    def _ask_and_export(self) -> None:
        (name,) = self.table.selected
        path, _ = QFileDialog.getSaveFileName(self.native, "Export model", f"{name}.pt", _FORMATS)
        if path:
            self.export_to(path)

    def _ask_and_bundle(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self.native, "Bundle models", "models.zip", "Collection (*.zip)"
        )
        if path:
            self.bundle_to(path)

    def _ask_and_rename(self) -> None:
        (old,) = self.table.selected
        name, is_given = QInputDialog.getText(self.native, "Rename model", "New name:", text=old)
        if is_given and name.strip() not in ("", old):
            self.rename_to(name.strip())

    def _remove(self) -> None:
        names = self.table.selected
        if names and self.ask("Remove model", f"Move {', '.join(names)} to the trash?"):
            self._start(partial(jobs.remove_steps, names), "Removing models")

    def bring_back(self, key: str, overwrite: bool = False) -> None:
        """Bring a removed or replaced model back: by its name, or the key of one of several."""
        self._again = partial(self.bring_back, key, overwrite=True)
        self._start(partial(jobs.restore_steps, key, overwrite), "Bringing a model back")

    def _ask_and_bring_back(self) -> None:
        if not (removed := jobs.removed()):
            show_info("The trash is empty.")
            return
        said, is_given = QInputDialog.getItem(
            self.native, "Trash", "Bring back:", list(removed), editable=False
        )
        if is_given:
            self.bring_back(removed[said])

    def share(self, folder: str | Path) -> None:
        """List the models of another folder too."""
        self._start(partial(jobs.share_steps, Path(folder)), "Looking into a folder")

    def unshare(self, folder: str | Path) -> None:
        """No longer list the models of a folder that was added."""
        self._start(partial(jobs.unshare_steps, Path(folder)), "Forgetting a folder")

    def _show_folders(self) -> None:
        dialog = FoldersDialog(self.native)
        dialog.exec_()
        if dialog.add is not None:
            self.share(dialog.add)
        elif dialog.drop is not None:
            self.unshare(dialog.drop)

    def _make_default(self) -> None:
        (name,) = self.table.selected
        self._start(partial(jobs.default_steps, name), "Choosing the default")

    def ask(self, title: str, question: str) -> bool:
        """Whether the user wants that."""
        yes = QMessageBox.StandardButton.Yes
        return QMessageBox.question(self.native, title, question) == yes

    # --- installing -----------------------------------------------------------------------------

    def _install(self) -> None:
        self._wanted = self.form.chosen()
        if self._wanted is not None:
            self._start_install(overwrite=False)

    def _start_install(self, overwrite: bool) -> None:
        assert self._wanted is not None
        self._again = partial(self._start_install, overwrite=True)
        steps = partial(jobs.install_steps, *self._wanted, overwrite)
        self._start(steps, "Installing a model")

    # --- work -----------------------------------------------------------------------------------

    def _start(self, steps: Callable[[], Any], title: str) -> None:
        if self._work.running:
            return
        self._enable(False)
        self.progress.visible, self.progress.max, self.progress.value = True, 0, 0
        self._work.start(steps, title=title)

    def _on_step(self, step: Any) -> None:
        if step is None:
            return
        self.cancel.visible = step.done < step.total or not step.total
        # in KiB: Qt counts no further than 2 GB
        self.progress.max, self.progress.value = step.total >> 10, step.done >> 10

    def _on_result(self, done: Done) -> Iterator[None]:
        if done.taken:
            self._taken = done.said
            return
        if done.changed:
            news.models_changed.emit()  # the table listens, like the other widgets
        if done.select:
            self.table.selected = done.select
        if self._wanted is not None:
            self.form.clear_fields()
        if done.verified:
            self.table.show_verified(done.verified)
            bad = [f"{each.name}: {each.problem}" for each in done.verified.values() if each]
            if bad:
                show_warning(f"Damaged: {'; '.join(bad)}")
        if done.report:
            self.details.show_markdown(done.report)
        if done.picture is not None:
            self.details.show_picture(done.picture)
        if done.said:
            show_info(done.said)
        yield

    def _on_end(self) -> None:
        self.progress.visible = self.cancel.visible = False
        self._enable(True)
        question, self._taken = self._taken, ""
        again, self._again = self._again, None
        if again and question and self.ask("Name taken", f"{question}. {_INSTEAD}"):
            again()
        else:
            self._wanted = None

    def _enable(self, enabled: bool) -> None:
        self.actions.enabled = self.form.enabled = enabled

    def _closed(self) -> None:
        news.models_changed.disconnect(self.table.refresh)
        self._work.abandon()
