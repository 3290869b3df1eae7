"""The widget ``Train model``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import napari.viewer
from magicgui.widgets import Container, ProgressBar, PushButton
from napari.utils.notifications import show_error
from qtpy.QtWidgets import QTabWidget

from ...errors import SpherosegError
from ...training.process import require_trainer
from ...training.runs import Run
from ..closing import ClosingGuard
from ..news import news
from ..parts import align, row, text, widen
from ..picture import Picture
from ..scroll import Scroll
from ..work import Work
from .data import DataChoice
from .form import TrainingForm
from .job import Checked, TrainingJob
from .run_panel import RunPanel

_LEAST_WIDTH = 380  # px; no number is cut off
_SHOWN = 8  # problems; the others are counted


class TrainWidget(Container):
    """Train a model from images and masks, in a process of its own, and watch it.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are offered to learn from.

    Notes
    -----
    Scripts can set ``data`` (`DataChoice`) and ``form`` (`TrainingForm`), press ``check`` and
    ``start`` (each becomes Cancel while it prepares), select a run in ``runs`` (`RunList`), and
    press ``stop``, ``resume``, ``install`` and ``remove_run``. ``view`` shows the selected run.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        viewer = getattr(viewer, "__wrapped__", viewer)  # layers are compared by identity
        self._work = Work(self._on_step, self._on_result, self._on_work_end)
        self.data, self.form, self.panel = DataChoice(viewer), TrainingForm(), RunPanel()
        self.runs, self.view = self.panel.runs, self.panel.view
        self.stop, self.resume = self.panel.stop, self.panel.resume
        self.install, self.remove_run = self.panel.install, self.panel.remove_run
        super().__init__(widgets=[self._new_page(), self.panel], labels=False)
        self.margins = (0, 0, 0, 0)
        self.tabs = QTabWidget()
        for page, title in zip(self, ("New training", "Runs"), strict=True):
            self.tabs.addTab(Scroll(page.native), title)
        self.native.layout().addWidget(self.tabs)
        widen(self, _LEAST_WIDTH)
        self._guard = ClosingGuard(self.native, self.panel.may_close)
        self.check.changed.connect(lambda: self._prepare(self.check))
        self.start.changed.connect(lambda: self._prepare(self.start))
        self.tabs.currentChanged.connect(self._on_tab)
        self.panel.watch.ended.connect(self.form.refresh_estimate)
        news.models_changed.connect(self.form.refresh_models)
        self.native.destroyed.connect(self._closed)

    def _new_page(self) -> Container:
        self.check = PushButton(
            text="Check data", tooltip="Look at all images, and draw samples to learn from"
        )
        self.start = PushButton(text="Start", tooltip="Train in a process of its own")
        self.progress = ProgressBar(name="progress", value=0, max=1, visible=False)
        self.found = text("found")
        self.found.visible = False
        self.samples = Picture()
        buttons = row(self.check, self.start)
        page = Container(
            widgets=[self.data, self.form, self.form.estimate, buttons, self.progress, self.found],
            labels=False,
        )
        align(self.data, self.form, self.form.more)
        layout = page.native.layout()
        layout.insertWidget(2, self.form.collapsible)
        layout.addWidget(self.samples)
        layout.addStretch()
        return page

    def _prepare(self, button: PushButton) -> None:
        """Check the data, or start: both read them in a worker first."""
        if self._work.running:
            self._work.cancel()
            button.text, button.enabled = "Cancelling…", False
            return
        try:
            require_trainer()
            job = TrainingJob(self.form.values(), self.data.chosen())
        except SpherosegError as error:
            show_error(str(error))
            return
        checking = button is self.check
        (self.start if checking else self.check).enabled = False
        button.text = "Cancel"
        self.progress.visible, self.progress.max, self.progress.value = True, 0, 0
        self._show_found(None)
        title = "Checking data" if checking else "Preparing the training"
        self._work.start(job.check_steps if checking else job.create_steps, title=title)

    def _on_step(self, step: Any) -> None:
        self.progress.max, self.progress.value = step.total, step.done

    def _on_result(self, result: Run | Checked) -> Iterator[None]:
        if isinstance(result, Checked):
            self._show_found(result)
        else:
            self.form.timing.stop()  # it would slow the training
            self.panel.start(result)
            self.tabs.setCurrentIndex(1)
        yield

    def _on_work_end(self) -> None:
        self.check.text, self.start.text = "Check data", "Start"
        self.check.enabled = self.start.enabled = True
        self.progress.visible = False

    def _show_found(self, found: Checked | None) -> None:
        lines = [] if found is None else [found.summary]
        if found is not None:
            more = len(found.problems) - _SHOWN
            lines += [f"• {each}" for each in found.problems[:_SHOWN]]
            lines += [f"• and {more} more"] * (more > 0)
        self.found.value, self.found.visible = "\n".join(lines), bool(lines)
        self.samples.show_array(None if found is None else found.samples)

    def _on_tab(self) -> None:
        self.panel.watch.look()  # somebody may have started or removed a run elsewhere
        self.form.refresh_estimate()

    def _closed(self) -> None:
        news.models_changed.disconnect(self.form.refresh_models)
        self.data.abandon()
        self.form.timing.stop()
        self.panel.abandon()
        self._work.abandon()
