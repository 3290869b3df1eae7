"""Work on several frames at once, in threads, seen as if it were done one after the other."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from ..errors import Cancelled
from ..steps import Steps

I = TypeVar("I")  # noqa: E741
S = TypeVar("S")
R = TypeVar("R")


class _Under(Generic[S, R]):
    """Steps of work that a thread does, as they come; `result` after the last, as of `Steps`."""

    result: R

    def __init__(self) -> None:
        self._steps: queue.SimpleQueue[S | None] = queue.SimpleQueue()
        self.future: Future[R]

    def work(self, generator: Generator[S, None, R], stop: threading.Event) -> R:
        """Do it, here; as soon as somebody says stop, no further."""
        try:
            with contextlib.closing(generator):
                steps = Steps(generator)
                for step in steps:
                    if stop.is_set():
                        raise Cancelled
                    self._steps.put(step)
                return steps.result
        finally:
            self._steps.put(None)

    def __iter__(self) -> Iterator[S]:
        while (step := self._steps.get()) is not None:
            yield step
        self.result = self.future.result()


def ahead(
    begin: Callable[[I], Generator[S, None, R]], these: Sequence[I], at_once: int
) -> Generator[Steps[S, R] | _Under[S, R], None, None]:
    """Work on each, the next ones in threads meanwhile.

    Parameters
    ----------
    begin : callable
        Begins the work on one: a generator that yields steps and returns a result.
    these : sequence
        What is worked on.
    at_once : int
        How many may be under way; with 1 there is no thread, and each begins when it is asked for.

    Yields
    ------
    iterable
        The steps of each, in the order of `these`, with its ``result`` after them. An error of one
        is raised from its steps. Whoever closes this ends all that are under way.
    """
    if at_once < 2 or len(these) < 2:
        for each in these:
            yield Steps(begin(each))
        return
    stop = threading.Event()
    pool = ThreadPoolExecutor(at_once, "frame")
    under_way: deque[_Under[S, R]] = deque()
    to_come = iter(these)

    def start(count: int) -> None:
        for _, each in zip(range(count), to_come, strict=False):
            under: _Under[S, R] = _Under()
            under.future = pool.submit(under.work, begin(each), stop)
            under_way.append(under)

    try:
        start(at_once)
        while under_way:
            yield under_way.popleft()
            start(1)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
