"""A function that reports its progress, as a generator of steps that can be cancelled."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ...errors import Cancelled
from ...steps import Progress, Step

R = TypeVar("R")


def stepped(work: Callable[[Progress], R]) -> Generator[Step, None, R]:
    """Run a function that takes a ``progress(done, total)``, in a thread of its own.

    Yields
    ------
    Step
        What it reports. Whoever stops iterating cancels: the function's next report ends it.

    Returns
    -------
    What the function returns.
    """
    reports: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()
    stopped = threading.Event()

    def report(done: int, total: int) -> None:
        if stopped.is_set():
            raise Cancelled()
        reports.put((done, total))

    def run() -> R:
        try:
            return work(report)
        finally:
            reports.put(None)

    pool = ThreadPoolExecutor(1)
    result = pool.submit(run)
    try:
        while (reported := reports.get()) is not None:
            yield Step(*reported, ())
    finally:
        stopped.set()
        pool.shutdown(wait=False)  # who cancels need not wait for the report that ends it
    return result.result()
