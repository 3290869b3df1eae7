"""Work as a generator that yields steps and returns a result: two ways of consuming it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from .errors import Cancelled

S = TypeVar("S")
R = TypeVar("R")
Progress = Callable[[int, int], Any]


class Counted(Protocol):
    """A step that knows how far it is."""

    @property
    def done(self) -> int:
        """Parts done so far."""

    @property
    def total(self) -> int:
        """Parts in all."""


@dataclass(frozen=True)
class Step:
    """Progress of a run, in tiles over all frames; the total is what it looks like so far."""

    done: int
    total: int
    frame: tuple[int, ...]


class Steps(Generic[S, R]):
    """Steps of a generator to loop over; what it returned is then the `result`.

    Parameters
    ----------
    generator : generator
        Yields steps and returns a result.

    Examples
    --------
    >>> def count():
    ...     yield 1
    ...     return "done"
    >>> steps = Steps(count())
    >>> [step for step in steps], steps.result
    ([1], 'done')
    """

    result: R

    def __init__(self, generator: Generator[S, None, R]) -> None:
        self._generator = generator

    def __iter__(self) -> Iterator[S]:
        self.result = yield from self._generator


def run_to_end(
    generator: Generator[Counted, None, R],
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> R:
    """Run all steps, telling `progress` and asking `cancel` after each.

    Raises
    ------
    Cancelled
        `cancel` said so.
    """
    steps = Steps(generator)
    for step in steps:
        if progress is not None:
            progress(step.done, step.total)
        if cancel is not None and cancel():
            generator.close()
            raise Cancelled()
    return steps.result
