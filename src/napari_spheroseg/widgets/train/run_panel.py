"""The part of the training widget that watches runs, and acts on them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

from magicgui.widgets import Container, PushButton
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QMessageBox

from ...errors import SpherosegError
from ...models import ModelMetadata
from ...training.installed import install_run
from ...training.process import require_trainer
from ...training.runs import Run, Status
from ..closing import STAY, STOP, ask_about
from ..news import news
from ..parts import row
from ..work import Work
from .run_list import RunList
from .run_view import RunView
from .run_watch import RunWatch


class RunPanel(Container):
    """The list of runs, what can be done with the selected one, and how it goes.

    Attributes
    ----------
    runs : RunList
    stop, resume, install, remove_run : PushButton
        For the selected run.
    view : RunView
    watch : RunWatch
    """

    def __init__(self) -> None:
        self._installing = Work(lambda _: None, self._on_installed, self._install_next)
        self._to_install: list[Run] = []
        self._left: set[Path] = set()  # runs that the user was asked about
        self.stop = PushButton(text="Stop", tooltip="Finish the batch and save; can be resumed")
        self.resume = PushButton(text="Resume", tooltip="Go on exactly where it stopped")
        self.install = PushButton(text="Install", tooltip="Offer its model for segmentation")
        self.remove_run = PushButton(text="Remove…", tooltip="Delete the run's folder")
        self.runs, self.view = RunList(), RunView()
        buttons = row(self.stop, self.resume, self.install, self.remove_run)
        super().__init__(widgets=[buttons, self.view], labels=False)
        layout = self.native.layout()
        layout.insertWidget(0, self.runs)
        layout.addStretch()
        self.watch = RunWatch(self.native)
        self._connect()
        self.watch.look()

    def _connect(self) -> None:
        self.stop.changed.connect(self._stop)
        self.resume.changed.connect(self._resume)
        self.install.changed.connect(lambda: self._install_later(self.runs.selected))
        self.remove_run.changed.connect(self._remove)
        self.runs.chosen.connect(self._show_selected)
        self.watch.changed.connect(lambda: self.runs.show_runs(self.watch.runs))
        self.watch.ended.connect(self._on_ended)
        news.models_changed.connect(self._on_models)

    def start(self, run: Run) -> None:
        """Start or resume a run, and show it.

        Raises
        ------
        SpherosegError
            The extra is not installed, or the run goes on already, or is finished.
        """
        require_trainer()
        self._left.discard(run.folder)
        self.watch.start(run)
        self.runs.selected = run

    # --- the selected run ---------------------------------------------------------------------

    def _stop(self) -> None:
        run = self.runs.selected
        if run is not None:
            self.watch.stop(run)
            self._show_selected()

    def _resume(self) -> None:
        run = self.runs.selected
        if run is None:
            return
        try:
            self.start(run)
        except SpherosegError as error:
            show_error(str(error))

    def _remove(self) -> None:
        run = self.runs.selected
        if run is None or not self.ask_to_remove(run):
            return
        try:
            run.remove()
        except SpherosegError as error:
            show_error(str(error))
        self.watch.look()

    def ask_to_remove(self, run: Run) -> bool:
        """Whether the user really wants to delete a run."""
        text = f"Delete the run '{run.name}' with its checkpoints and pictures?"
        yes = QMessageBox.StandardButton.Yes
        return QMessageBox.question(self.native, "Remove run", text) == yes

    def _show_selected(self) -> None:
        run, status = self.runs.selected, self.runs.status
        self.view.show_run(run, status)
        state = "" if status is None else status.state
        going = run is not None and status is not None and self.watch.goes_on(run, status)
        stopping = going and run.wants_to_stop
        self.stop.text = "Stopping…" if stopping else "Stop"
        self.stop.enabled = going and not stopping
        self.resume.enabled = not going and state in ("waiting", "stopped", "failed", "stale")
        self.install.enabled = state == "finished"
        self.remove_run.enabled = run is not None and not going

    def _on_ended(self, run: Run, status: Status) -> None:
        if status.state == "finished":
            self._install_later(run)
        elif status.state == "stopped":
            show_info(f"'{run.name}' has stopped and can be resumed.")
        else:
            hint = "What was saved is kept: Resume goes on, once the cause is mended."
            show_error(str(SpherosegError(f"'{run.name}': {status.message}", hint=hint)))

    # --- the model that it leaves -------------------------------------------------------------

    def _install_later(self, run: Run | None) -> None:
        if run is not None:
            self._to_install.append(run)
            self._install_next()

    def _install_next(self) -> None:
        if self._to_install and not self._installing.running:
            run = self._to_install.pop(0)
            self._installing.start(lambda: _install_steps(run), title=f"Installing {run.name}")

    def _on_installed(self, model: ModelMetadata) -> Iterator[None]:
        news.models_changed.emit()
        show_info(f"Installed '{model.name}': Segment spheroids offers it.")
        yield

    def _on_models(self) -> None:
        self.runs.forget_installed()
        self.watch.look()

    # --- closing --------------------------------------------------------------------------------

    def may_close(self, can_stay: bool) -> bool:
        """Ask what shall become of runs that were started here; whether to close."""
        self.watch.look()  # one may just have ended
        going = [run for run in self.watch.ours if run.folder not in self._left]
        if not going:
            return True
        answer = self.ask_on_closing([run.name for run in going], can_stay)
        if answer == STAY:
            return False
        self._left |= {run.folder for run in going}
        if answer == STOP:
            for run in going:
                self.watch.stop(run)
        return True

    def ask_on_closing(self, names: list[str], can_stay: bool) -> str:
        """What the user wants for the runs of these names: "leave", "stop" or "stay"."""
        return ask_about(names, can_stay, self.native)

    def abandon(self) -> None:
        """The widget is gone: listen no more."""
        news.models_changed.disconnect(self._on_models)
        self._installing.abandon()


def _install_steps(run: Run) -> Generator[None, None, ModelMetadata]:
    yield
    return install_run(run)
