"""Results that are shown, brought up to date in a worker: settings, corrections, focus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from napari.components import ViewerModel
from qtpy.QtCore import QObject, QTimer

from ...inference.frames import Index
from ...restoration.focus import FocusScore
from ...segmentation.result import Segmentation
from ..source import current_frame
from ..where import Where
from ..work import Work
from .job import analyse_steps, focus_steps
from .shown import ShownResult

_MEASURE_AFTER = 400  # ms without another stroke of the brush


@dataclass(frozen=True)
class Listener:
    """The widget, as far as it is asked.

    Attributes
    ----------
    settings : callable
        Gives fields of `PostProcessing`.
    busy : callable
        Whether a run is at work: then nothing is brought up to date.
    refresh : callable
        Brings the result of the chosen image up to date, by `Updates.refresh`.
    updated : callable
        Gets a result that was brought up to date.
    """

    settings: Callable[[], dict[str, Any]]
    busy: Callable[[], bool]
    refresh: Callable[[], None]
    updated: Callable[[ShownResult], None]


class Updates:
    """What happens to a result after its run, without running the network again.

    Parameters
    ----------
    viewer : ViewerModel
    parent : QObject
        The clock stops with it.
    listener : Listener
    """

    def __init__(self, viewer: ViewerModel, parent: QObject, listener: Listener) -> None:
        self._viewer, self._listener = viewer, listener
        self._work = Work(self._on_preview, self._on_update, self._on_end)
        self._focus = Work(lambda _: None, self._on_focus, self._judge_next)
        self._shown: ShownResult  # that is at work
        self._judging: tuple[ShownResult, Where]  # whose focus is looked at, and where
        self._as_set = True  # by the settings, not by hand
        self._again = False
        self._to_measure: set[ShownResult] = set()
        self._to_judge: dict[ShownResult, Where] = {}
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_MEASURE_AFTER)
        self._timer.timeout.connect(self._measure)

    @property
    def running(self) -> bool:
        """Whether a result is being brought up to date."""
        return self._work.running

    @property
    def judging(self) -> bool:
        """Whether the focus of a result is being looked at."""
        return self._focus.running or bool(self._to_judge)

    def abandon(self) -> None:
        """Stop, and tell nobody."""
        self._work.abandon()
        self._focus.abandon()

    # --- another threshold or post-processing ---------------------------------------------------

    def refresh(self, shown: ShownResult) -> None:
        """Bring a result up to date with the settings.

        Raises
        ------
        SpherosegError
            They do not go together.
        """
        if self._work.running:
            self._again = True
            if len(self._shown.judged.maps) > 1:
                self._work.cancel()  # a stack's preview was shown; a plane is soon done, and is
            return
        wanted = shown.judged.at(**self._listener.settings())
        if shown.gone or (wanted.settings == shown.judged.settings and not shown.previewed):
            return
        first = current_frame(shown.image, wanted.frames, self._viewer)
        self._start(shown, wanted, first)

    def _start(self, shown: ShownResult, wanted: Segmentation, first: Index | None) -> None:
        self._shown, self._as_set = shown, first is not None
        self._work.start(lambda: analyse_steps(wanted, first))

    def _on_preview(self, preview: Any) -> None:
        if preview is not None:
            self._shown.preview(*preview)

    def _on_update(self, result: Segmentation) -> Iterator[None]:
        yield from (self._shown.show(result) if self._as_set else self._shown.show_measures(result))
        self._listener.updated(self._shown)

    def _on_end(self) -> None:
        again, self._again = self._again, False
        if again:
            self._listener.refresh()
        if self._to_measure:
            self._timer.start()

    # --- corrections by hand ------------------------------------------------------------------

    def measure(self, shown: ShownResult) -> None:
        """Measure a result as it is in the viewer, when there has been quiet for a while."""
        self._to_measure.add(shown)
        self._timer.start()

    def _measure(self) -> None:
        """Measure one result; others, and later strokes, have their turn after it."""
        if self._work.running or self._listener.busy():
            self._timer.start()
            return
        while self._to_measure:
            shown = self._to_measure.pop()
            if not (shown.gone or shown.followed):
                self._start(shown, shown.corrected(), None)
                return

    # --- focus --------------------------------------------------------------------------------

    def judge(self, shown: ShownResult, where: Where) -> None:
        """Look how well a result is in focus, while it is there to be seen already."""
        self._to_judge[shown] = where
        self._judge_next()

    def pause_judging(self) -> None:
        """A run wants the machine."""
        if self._focus.running:
            self._to_judge.setdefault(*self._judging)
            self._focus.cancel()

    def resume_judging(self) -> None:
        """The run has ended."""
        self._judge_next()

    def forget_focus(self, shown: ShownResult) -> None:
        """Say nothing of the focus of a result any more."""
        self._to_judge.pop(shown, None)
        if self._focus.running and self._judging[0] is shown:
            self._focus.cancel()
        if shown.focus is not None:
            shown.focus = None
            self.measure(shown)

    def _judge_next(self) -> None:
        while self._to_judge and not (self._focus.running or self._listener.busy()):
            shown, where = self._judging = self._to_judge.popitem()
            if not shown.gone and shown.segmentation is not None:
                self._focus.start(partial(focus_steps, shown.segmentation, where, shown.focus))

    def _on_focus(self, found: FocusScore) -> Iterator[None]:
        shown, _ = self._judging
        shown.focus = found
        self.measure(shown)
        yield
