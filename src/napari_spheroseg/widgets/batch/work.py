"""Work that can be paused, and that cleans up in its own thread when it is cancelled."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from ..work import Work

Steps = Callable[[], Generator[Any, None, Any]]


@dataclass(frozen=True)
class _Switches:
    """What the GUI thread tells the worker's, and once the other way round."""

    stop: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)


class PausableWork(Work):
    """As `Work`; a generator that is cancelled is closed in the thread.

    What a batch does at its end, its tables and plots, would stop the viewer otherwise. Its
    result is None then.
    """

    _switches = _Switches()

    @property
    def paused(self) -> bool:
        """Whether it waits to be resumed."""
        return self.running and not self._switches.go.is_set()

    def start(self, steps: Steps, title: str = "") -> None:
        """Start, not paused."""
        switches = self._switches = _Switches()
        switches.go.set()
        super().start(lambda: _switched(steps, switches), title)

    def pause(self) -> None:
        """Wait after the next step."""
        self._switches.go.clear()

    def resume(self) -> None:
        """Go on."""
        self._switches.go.set()

    def cancel(self) -> None:
        """Stop at the next step, paused or not."""
        self._switches.stop.set()
        self._switches.go.set()

    def wait(self, seconds: float) -> bool:
        """Block until it has cleaned up; whether it has."""
        return not self.running or self._switches.ended.wait(seconds)


def _switched(steps: Steps, switches: _Switches) -> Generator[Any, None, Any]:
    try:
        with contextlib.closing(steps()) as going:
            while not switches.stop.is_set():
                try:
                    step = next(going)
                except StopIteration as end:
                    return end.value
                yield step
                switches.go.wait()
        return None
    finally:
        switches.ended.set()
