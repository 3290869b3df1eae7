"""Time of several ways of doing the same, in turn, so that a busy machine hits all alike."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..inference import devices
from .machine import usable_cores


@dataclass(frozen=True, slots=True)
class Timing:
    """What each repeat took.

    Attributes
    ----------
    seconds : tuple of float
        By the clock.
    cpu_seconds : tuple of float
        Of processor time, all threads together: what others do on the machine hardly counts.
    """

    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...] = ()

    @property
    def ms(self) -> float:
        """Median in milliseconds."""
        return statistics.median(self.seconds) * 1000

    @property
    def cpu_ms(self) -> float:
        """Median of processor time in milliseconds."""
        return statistics.median(self.cpu_seconds) * 1000

    @property
    def range_ms(self) -> tuple[float, float]:
        """Shortest and longest, in milliseconds."""
        return min(self.seconds) * 1000, max(self.seconds) * 1000

    def of_each(self, count: int) -> Timing:
        """The same for one of so many that were done together."""
        each = (tuple(took / count for took in all_) for all_ in (self.seconds, self.cpu_seconds))
        return Timing(*each)


def alternate(
    runs: Sequence[Callable[[], Any]],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
    cpu_clock: Callable[[], float] = time.process_time,
) -> list[Timing]:
    """Run each once to warm up, then all in turn, every second round in reverse order.

    Parameters
    ----------
    runs : sequence of callable
        What is compared.
    repeats : int
        Rounds that count.
    clock, cpu_clock : callable
        Tell seconds, and seconds of processor time.

    Returns
    -------
    list of Timing
        One a run.
    """
    for run in runs:
        run()
    took: list[list[tuple[float, float]]] = [[] for _ in runs]
    numbered = list(enumerate(runs))
    for turn in range(repeats):
        for number, run in reversed(numbered) if turn % 2 else numbered:
            start, cpu_start = clock(), cpu_clock()
            run()
            took[number].append((clock() - start, cpu_clock() - cpu_start))
    return [Timing(*zip(*each, strict=True)) for each in took]


@contextlib.contextmanager
def same_threads(count: int) -> Iterator[int]:
    """The same number of threads for PyTorch and all backends that are opened within the block.

    Parameters
    ----------
    count : int
        0: one a core that this process may use.

    Yields
    ------
    int
        The number.
    """
    import torch

    count = count or usable_cores()
    before, torchs = devices.threads(), torch.get_num_threads()
    devices.use_threads(count)
    torch.set_num_threads(count)
    try:
        yield count
    finally:
        devices.use_threads(before)
        torch.set_num_threads(torchs)
