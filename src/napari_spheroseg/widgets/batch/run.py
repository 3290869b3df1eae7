"""The part of the batch widget that runs it, and shows how it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import napari.viewer
from magicgui.widgets import Container, ProgressBar, PushButton
from napari.layers import Image
from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QTimer

from ...batch.items import Item
from ...errors import SpherosegError
from ...inference.frames import Frames
from ..parts import row, text
from .job import BatchJob, Changed, Listed, Told
from .open import ItemOpener
from .progress import BatchProgress, counted
from .question import ask
from .results import StackResults
from .table import ItemTable
from .work import PausableWork

Stacks = dict[str, tuple[Image, Frames]]
_REFRESH = 200  # ms
_GOODBYE = 60  # s; tables and plots of many images


class BatchRun(Container):
    """Buttons, progress, and the table of images.

    Parameters
    ----------
    viewer : napari.Viewer
    new_job : callable
        Gives what is to be done, and the stacks that it is done to; raises `SpherosegError`.

    Attributes
    ----------
    run : PushButton
        Begins; becomes Cancel.
    pause : PushButton
        Becomes Resume.
    retry : PushButton
    progress : ProgressBar
    table : ItemTable
    """

    def __init__(
        self, viewer: napari.viewer.Viewer, new_job: Callable[[], tuple[BatchJob, Stacks]]
    ) -> None:
        self._viewer, self._new_job = viewer, new_job
        self._job: BatchJob | None = None
        self._changed = ""
        self._finished: str | None = None
        self._message = ""
        self._clock = BatchProgress()
        self.work = PausableWork(self._on_step, self._on_result, self._on_end)
        self.run = PushButton(name="run", text="Run", tooltip="Segment all images")
        self.pause = PushButton(
            name="pause", text="Pause", enabled=False, tooltip="Hold on; Resume goes on from there"
        )
        self.retry = PushButton(
            name="retry", text="Retry failed", enabled=False, tooltip="Those that failed, again"
        )
        self.progress = ProgressBar(name="progress", value=0, max=1, visible=False)
        self.summary = text("summary")
        super().__init__(
            widgets=[row(self.run, self.pause, self.retry), self.progress, self.summary],
            labels=False,
        )
        self.margins = (0, 0, 0, 0)
        self.table = ItemTable()
        self.results = StackResults(viewer, self.native)
        self.opener = ItemOpener(viewer)
        self._timer = QTimer(self.native)
        self._timer.setInterval(_REFRESH)
        self._timer.timeout.connect(self._refresh)
        self.run.changed.connect(self._start_or_cancel)
        self.pause.changed.connect(self._pause_or_resume)
        self.retry.changed.connect(self._retry)
        self.table.opened.connect(self._open)

    @property
    def running(self) -> bool:
        """Whether a batch is at work."""
        return self.work.running

    # --- buttons ------------------------------------------------------------------------------

    def _start_or_cancel(self) -> None:
        if self.running:
            self.work.cancel()
            self.run.text, self.run.enabled, self.pause.enabled = "Cancelling…", False, False
            return
        try:
            job, stacks = self._new_job()
        except SpherosegError as error:
            show_error(str(error))
            return
        self._begin(job, stacks)

    def _pause_or_resume(self) -> None:
        if not self.running:
            return
        paused = not self.work.paused
        if paused:
            self.work.pause()
        else:
            self.work.resume()
        self._clock.pause(paused)
        self.pause.text = "Resume" if paused else "Pause"
        self._refresh()

    def _retry(self) -> None:
        failed = self.table.items.of_state("failed")
        if self._job is not None and failed and not self.running:
            for each in failed:
                self.table.items.update_item(replace(each, state="waiting", error=None))
            self._start(self._job.again(each.key for each in failed))

    # --- a run --------------------------------------------------------------------------------

    def _begin(self, job: BatchJob, stacks: Stacks) -> None:
        self._stacks = stacks
        self._frames = {each.key: each for each in job.frames}
        self.table.items.show_items([])
        self._start(job)
        self._show_stacks = True

    def _start(self, job: BatchJob) -> None:
        self._job, self._changed, self._finished = job, "", None
        self._show_stacks = False
        self.run.text, self.pause.enabled, self.retry.enabled = "Cancel", True, False
        self.progress.visible, self.progress.max, self.progress.value = True, 0, 0
        self._message = "Looking for images…"
        self._clock.begin()
        self._timer.start()
        self.work.start(job.steps, title=f"Batch into {job.out.name}")
        self._refresh()

    def _on_step(self, step: Listed | Told) -> None:
        if isinstance(step, Listed):
            self._message = f"Loading {self._job.model}…"
            if self._job.only is None:
                self.table.items.show_items(step.items)
            return
        if self._message:
            self._message = ""
            self._clock.begin()  # loading the model is not part of an image's time
        if self._show_stacks:  # the folder can be used: now results have a place
            self._show_stacks = False
            self.results.begin(self._stacks, self._job.out)
        item = step.item
        self.table.items.update_item(item, (step.tiles, step.of_tiles), step.thumbnail)
        if item.state == "running":
            self.table.follow(item)
        elif item.state in ("done", "failed"):
            self._clock.ended()
        self.results.put(step)

    def _refresh(self) -> None:
        """The line below the buttons; not with every tile."""
        states = self.table.items.states
        ended = states["done"] + states["failed"] + states["skipped"]
        if self.running and not self._message:
            self.progress.max, self.progress.value = max(1, states.total()), ended
        paused = "paused" if self.work.paused else ""
        left = self._clock.left(states) if self.running and not self._message else ""
        said = (counted(states), self._message or paused or left)
        self.summary.value = " — ".join(each for each in said if each)

    def _on_result(self, result: Changed | str | None) -> Iterator[None]:
        if isinstance(result, Changed):
            self._changed = result.message
        self._finished = result if isinstance(result, str) else None
        yield

    def _on_end(self) -> None:
        self._timer.stop()
        self.results.flush()
        items = self.table.items
        for each in items.of_state("running"):
            items.update_item(replace(each, state="waiting"))
        self.run.text, self.run.enabled = "Run", True
        self.pause.text, self.pause.enabled = "Pause", False
        self.progress.visible = False
        self._message = ""
        failed = len(items.of_state("failed"))
        self.retry.enabled = bool(failed)
        self._refresh()
        if self._changed:
            self._go_on_changed()
        elif self._finished is not None:
            self._say_finished(failed)

    def _say_finished(self, failed: int) -> None:
        out = self._job.out
        if failed:
            show_warning(f"{failed} of {len(self.table.items.items)} images failed; see the table.")
        else:
            show_info(f"The batch is done: tables and results are in {out}.")

    # --- a folder that holds other results ------------------------------------------------------

    def _go_on_changed(self) -> None:
        existing = self.ask_about_changed(self._changed)
        if existing and not self.running:
            self._begin(replace(self._job, existing=existing), self._stacks)

    def ask_about_changed(self, message: str) -> str:
        """Go on with the folder's settings, begin anew, or leave: "resume", "overwrite" or ""."""
        return ask(message, self.native)

    # --- one image ------------------------------------------------------------------------------

    def _open(self, item: Item) -> None:
        if self._job is None:
            return
        frame = self._frames.get(item.key)
        if frame is None:
            settings = self._job.settings
            self.opener.open_file(
                item, self._job.out, settings.get("axes"), settings.get("channel")
            )
        elif (image := self._stacks[frame.layer][0]) in self._viewer.layers:
            self.opener.show_frame(frame, image)
        else:
            show_info(f"'{frame.layer}' was removed.")

    # --- closing --------------------------------------------------------------------------------

    def stop(self, can_stay: bool) -> bool:
        """Stop before the viewer closes: what is done is kept, and its tables are written."""
        self.work.cancel()
        if can_stay:  # the window closes, and perhaps the process ends
            self.work.wait(_GOODBYE)
        return True

    def abandon(self) -> None:
        """The widget is gone."""
        self.work.abandon()
        self.opener.abandon()
