"""Work beside the caller's, in a thread that can be given up."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from ..errors import UnreadableFile

R = TypeVar("R")


class Lane:
    """Calls one after the other, in a thread of their own.

    A call that takes too long, on a drive that no longer answers, is given up: those after it
    have a new thread, and the old one does not keep the process from ending.

    Parameters
    ----------
    timeout : float
        Seconds that a call may take.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._calls: queue.SimpleQueue[Any] = self._start()

    def submit(self, call: Callable[..., R], *arguments: Any) -> Future[R]:
        """Have it called."""
        future: Future[R] = Future()
        self._calls.put((future, call, arguments))
        return future

    def result(self, future: Future[R], what: str) -> R:
        """What the call returned; waits for it.

        Raises
        ------
        UnreadableFile
            It took too long.
        """
        try:
            return future.result(self.timeout)
        except TimeoutError as error:
            if future.done():  # it is the call that says so
                raise
            self._give_up()
            raise UnreadableFile(
                f"{what} took longer than {self.timeout:g} s",
                hint="Is the drive there? Run the same again, or allow more time.",
            ) from error

    def close(self) -> None:
        """No more calls come."""
        self._calls.put(None)

    def _give_up(self) -> None:
        waiting, self._calls = self._calls, self._start()
        while not waiting.empty():
            self._calls.put(waiting.get())
        waiting.put(None)

    def _start(self) -> queue.SimpleQueue[Any]:
        calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=_work, args=(calls,), name="spheroseg lane", daemon=True).start()
        return calls


def _work(calls: queue.SimpleQueue[Any]) -> None:
    while (call := calls.get()) is not None:
        future, function, arguments = call
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)
        del call, future, function, arguments  # an image is large
