"""How far a batch is, in one line."""

from __future__ import annotations

import time
from collections import Counter

from ...batch.items import State
from ..durations import about

_WORDS: dict[State, str] = {
    "done": "done",
    "skipped": "done before",
    "failed": "failed",
    "running": "running",
    "waiting": "waiting",
}


class BatchProgress:
    """Counts images by state, and the time that they take; pauses do not count."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A run starts now."""
        self._worked, self._ended = 0.0, 0
        self._since: float | None = time.monotonic()

    def pause(self, paused: bool) -> None:
        """The clock stops, or goes on."""
        self._worked = self.worked
        self._since = None if paused else time.monotonic()

    def ended(self) -> None:
        """One more image was worked on."""
        self._ended += 1

    @property
    def worked(self) -> float:
        """Seconds."""
        return self._worked + (0 if self._since is None else time.monotonic() - self._since)

    def left(self, states: Counter[State]) -> str:
        """The time that the others will take; nothing before one is done."""
        rest = states["waiting"] + states["running"]
        if not self._ended or not rest:
            return ""
        return f"{about(self.worked / self._ended * rest)} left"


def counted(states: Counter[State]) -> str:
    """Such as "2 done · 1 failed · 7 waiting"."""
    return " · ".join(f"{states[state]} {word}" for state, word in _WORDS.items() if states[state])
