"""Steps of the training that is set up are timed, so that it can be said how long it takes."""

from __future__ import annotations

import contextlib
import subprocess

from psygnal import Signal
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from ...training.estimate import Pace, learns_alike, start_timing, timed
from ...training.settings import TrainingSettings

_EVERY = 1000  # ms; settings that change faster are not timed
_LONGEST = 120  # looks; what takes longer is not worth the heat


class Timing:
    """Times trainings in a process of its own, one after the other, each network once.

    Parameters
    ----------
    seen : QWidget
        Nothing is timed while nobody sees it; the clock stops with it.

    Attributes
    ----------
    changed : Signal
        It began, or ended.
    paces : list of Pace
        What was found.
    """

    changed = Signal()

    def __init__(self, seen: QWidget) -> None:
        self.paces: list[Pace] = []
        self._seen = seen
        self._wanted: TrainingSettings | None = None
        self._tried: list[TrainingSettings] = []
        self._process: subprocess.Popen[str] | None = None
        self._looks = 0
        self._timer = QTimer(seen)
        self._timer.setInterval(_EVERY)
        self._timer.timeout.connect(self._look)

    @property
    def running(self) -> bool:
        """Whether steps are being timed."""
        return self._process is not None

    def ask(self, settings: TrainingSettings) -> None:
        """Time such a training soon, unless it was or is timed."""
        if self._process is not None and not learns_alike(self._tried[-1], settings):
            self.stop()
        if any(learns_alike(each, settings) for each in self._tried):
            self._wanted = None
            return
        self._wanted = settings
        self._timer.start()

    def stop(self) -> None:
        """End what is going on; it may be asked for again."""
        self._wanted = None
        self._timer.stop()
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
            self._tried.pop()

    def _look(self) -> None:
        if self._process is None:
            self._begin()
            return
        if not self._seen.isVisible():
            settings = self._tried[-1]
            self.stop()
            self.ask(settings)  # once it is seen again
            return
        self._looks += 1
        if self._process.poll() is None and self._looks < _LONGEST:
            return
        self._process.kill()
        said, _ = self._process.communicate()
        self._process = None
        self._timer.stop()
        with contextlib.suppress(ValueError):  # it could not be timed, and said nothing
            self.paces.append(Pace(self._tried[-1], float(said)))
        self.changed.emit()

    def _begin(self) -> None:
        if self._wanted is None:
            self._timer.stop()
        elif self._seen.isVisible():
            settings, self._wanted, self._looks = timed(self._wanted), None, 0
            self._tried.append(settings)
            self._process = start_timing(settings)
            self.changed.emit()
