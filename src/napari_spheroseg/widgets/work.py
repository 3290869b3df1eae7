"""Heavy work in a thread, watched from the GUI thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from napari.qt.threading import create_worker
from napari.utils import progress
from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer

from ..errors import SpherosegError
from .torch_import import let_viewer_live

_log = logging.getLogger(__name__)


class Work:
    """Runs one generator at a time in a napari worker.

    Parameters
    ----------
    on_step : callable
        Gets what the generator yields.
    on_result : callable
        Gets what it returns, unless it was cancelled or failed; gives an iterator of what is to
        be done with it, one piece for each turn of the event loop, so that the viewer stays alive.
    on_end : callable
        Called last, however it ended.
    """

    def __init__(
        self,
        on_step: Callable[[Any], None],
        on_result: Callable[[Any], Iterator[None]],
        on_end: Callable[[], None],
    ) -> None:
        self._on_step, self._on_result, self._on_end = on_step, on_result, on_end
        self._worker: Any = None
        self._pieces: Iterator[None] = iter(())
        self._bar: progress | None = None
        self._opened: list[Generator[Any, None, Any]] = []

    @property
    def running(self) -> bool:
        """Whether a generator is at work."""
        return self._worker is not None

    def start(self, steps: Callable[[], Generator[Any, None, Any]], title: str = "") -> None:
        """Start; errors that are ours become notifications, others are napari's."""
        assert not self.running
        self._opened = []
        let_viewer_live()
        worker = create_worker(_guarded, steps, self._opened, _start_thread=False)
        worker.yielded.connect(self._step)
        worker.returned.connect(self._result)
        worker.finished.connect(self._turn)
        self._worker = worker
        if title:
            self._bar = progress(total=0, desc=title)
        worker.start()

    def cancel(self) -> None:
        """Stop at the next step."""
        if self._worker is not None:
            self._worker.quit()

    def abandon(self) -> None:
        """Stop at the next step, and tell nobody: those who listened are gone."""
        self._on_step = self._on_result = self._on_end = _ignore
        self._pieces = iter(())
        self.cancel()

    def _step(self, step: Any) -> None:
        total = getattr(step, "total", 0)
        if self._bar is not None and total:
            self._bar.total = total
            self._bar.n = step.done
            self._bar.refresh()
        self._on_step(step)

    def _result(self, result: Any) -> None:
        if isinstance(result, _Failure):
            if self._on_result is not _ignore:
                _tell(result.error)
        else:
            self._pieces = self._on_result(result) or iter(())

    def _turn(self) -> None:
        """One piece; what it made the canvas paint is painted before the next."""
        try:
            for _ in self._pieces:
                QTimer.singleShot(0, self._turn)
                return
        except Exception as error:  # a layer that refuses must not leave the widget running
            _tell(error)
        self._end()

    def _end(self) -> None:
        self._worker = None
        for generator in self._opened:
            generator.close()  # one that was cancelled cleans up now, not when it is collected
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._on_end()


@dataclass(frozen=True)
class _Failure:
    """An error on its way to the GUI thread; superqt would raise a bare one."""

    error: Exception


def _guarded(
    steps: Callable[[], Generator[Any, None, Any]], opened: list[Generator[Any, None, Any]]
) -> Generator[Any, None, Any]:
    try:
        opened.append(steps())
        return (yield from opened[0])
    except Exception as error:  # superqt drops a RuntimeError without a word
        return _Failure(error)


def _tell(error: Exception) -> None:
    """A notification; what we did not foresee goes to the log, traceback and all."""
    if not isinstance(error, SpherosegError):
        _log.error("Unexpected error", exc_info=error)
        hint = "Close images, or use a part." if isinstance(error, MemoryError) else ""
        hint = hint or "The log has more; please report it."
        error = SpherosegError(f"{type(error).__name__}: {error}", hint=hint)
    show_error(str(error))


def _ignore(*_: Any) -> None:
    """Nobody listens any more."""
