"""Runs on disk, looked at every second while one goes on."""

from __future__ import annotations

import subprocess
from pathlib import Path

from psygnal import Signal
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from ...training.runs import LOG, Run, Status, list_runs

_EVERY = 1000  # ms


class RunWatch:
    """Knows the runs, and tells of their progress and their end.

    Parameters
    ----------
    parent : QWidget
        The clock stops with it.

    Attributes
    ----------
    changed : Signal
        Runs were looked at.
    ended : Signal(Run, Status)
        One that was going on no longer is.
    """

    changed = Signal()
    ended = Signal(Run, Status)

    def __init__(self, parent: QWidget) -> None:
        self._processes: dict[Path, subprocess.Popen[bytes]] = {}
        self._given_up: set[Path] = set()
        self._known: dict[Path, tuple[Run, Status]] = {}
        self._timer = QTimer(parent)
        self._timer.setInterval(_EVERY)
        self._timer.timeout.connect(self.look)

    @property
    def runs(self) -> list[tuple[Run, Status]]:
        """Those that there were at the last look, the latest first."""
        return list(self._known.values())

    @property
    def ours(self) -> list[Run]:
        """Those that were started here and still go on."""
        return [
            run
            for run, status in self.runs
            if run.folder in self._processes and self.goes_on(run, status)
        ]

    def start(self, run: Run) -> None:
        """Start or resume a run in its own process.

        Raises
        ------
        SpherosegError
            It runs already, or is finished.
        """
        self._processes[run.folder] = run.start()
        self._given_up.discard(run.folder)
        self.look()

    def stop(self, run: Run) -> None:
        """Let it finish its batch, save and end; one that did not begin yet just ends."""
        process = self._processes.get(run.folder)
        if process is not None and run.status.state == "waiting":
            self._given_up.add(run.folder)
            process.terminate()
        run.stop()

    def look(self) -> None:
        """Read what all runs say; again in a second, if one goes on."""
        going = {run.folder for run, status in self.runs if self.goes_on(run, status)}
        self._known = {run.folder: (run, self._status(run)) for run in list_runs()}
        self.changed.emit()
        for folder, (run, status) in self._known.items():
            if folder in going and not self.goes_on(run, status):
                self.ended.emit(run, status)
        if any(self.goes_on(*each) for each in self.runs):
            self._timer.start()
        else:
            self._timer.stop()

    def goes_on(self, run: Run, status: Status) -> bool:
        """Whether a process works on it, or is about to."""
        return status.state == "running" or (
            status.state == "waiting" and run.folder in self._processes
        )

    def _status(self, run: Run) -> Status:
        status = run.status
        process = self._processes.get(run.folder)
        if process is not None and process.poll() is not None:
            del self._processes[run.folder]
            status = run.status  # its last words may have come between
            if status.state == "waiting" and not run.is_alive:  # nobody else has begun it
                status = self._never_began(run, status)
                run.write_status(status)
        return status

    def _never_began(self, run: Run, status: Status) -> Status:
        if run.folder in self._given_up:
            return status.replace(state="stopped", message="Can be resumed")
        message = f"Its process ended before it began; see {run.folder / LOG}"
        return status.replace(state="failed", message=message)
