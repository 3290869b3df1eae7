"""Frame by frame through an image, with progress, whatever is done with each."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from ..steps import Step, Steps
from .frames import Frames, Index
from .memory import log_memory
from .predictor import Predictor, TileDone
from .prepare import has_no_number, is_constant

_log = logging.getLogger(__name__)
R = TypeVar("R")
Plane = NDArray[Any]


@dataclass(frozen=True)
class Walked(Generic[R]):
    """What came of the frames.

    Attributes
    ----------
    results : dict of tuple
        By frame.
    constant : tuple of tuple
        Frames in which there was nothing to see.
    whole : bool
        Whether these are all frames of the image.
    """

    results: dict[Index, R]
    constant: tuple[Index, ...]
    whole: bool

    def warnings(self, to: str, predictors: Iterable[Predictor]) -> tuple[str, ...]:
        """What the user should know: what was constant, and what memory had no room for.

        Parameters
        ----------
        to : str
            What was to be done with the frames: "see", "restore".
        predictors : iterable of Predictor
            Those that did it.
        """
        told: tuple[str, ...] = ()
        if self.constant and len(self.results) == 1:
            told = (f"The image is constant: there is nothing to {to} in it",)
        elif self.constant:
            count = f"{len(self.constant)} of {len(self.results)} frames are constant"
            told = (f"{count}: there is nothing to {to} in them",)
        return sum((say_concessions(each) for each in predictors), told)


def walk(
    frames: Frames,
    indices: Iterable[Index] | None,
    see: Callable[[Plane], Generator[TileDone, None, R]],
    unseen: Callable[[Plane], R],
) -> Generator[Step, None, Walked[R]]:
    """Do something with one frame after the other; only one is in memory.

    Parameters
    ----------
    frames : Frames
        The image.
    indices : iterable of tuple or None
        Frames to go through; None is all.
    see : callable
        Makes a result of a plane, tile by tile.
    unseen : callable
        Makes that of a plane that is constant, or holds no number among others that may.

    Yields
    ------
    Step
        After every tile; whoever stops iterating cancels.

    Returns
    -------
    Walked

    Raises
    ------
    BadSetting
        There is no such frame, or none is asked for.
    BadImage
        The only frame holds no number.
    """
    wanted = frames.chosen(indices)
    done, tiles = 0, TileDone(0, 1)
    results: dict[Index, R] = {}
    constant: list[Index] = []
    for number, index in enumerate(wanted):
        plane = frames[index]
        if (len(wanted) > 1 and has_no_number(plane)) or is_constant(plane):
            constant.append(index)
            results[index] = unseen(plane)
            tiles = TileDone(1, 1)
            yield Step(done + 1, done + len(wanted) - number, index)
        else:
            seen = Steps(see(plane))
            for tiles in seen:
                left = tiles.total * (len(wanted) - number)  # as if all frames were like this one
                yield Step(done + tiles.done, done + left, index)
            results[index] = seen.result
        done += tiles.done
        log_memory(_log, f"frame {number + 1} of {len(wanted)} is done", logging.DEBUG)
    return Walked(results, tuple(constant), len(wanted) == math.prod(frames.leading_shape))


def say_concessions(predictor: Predictor) -> tuple[str, ...]:
    """What was done because memory ran out, as a warning."""
    if not predictor.concessions.made:
        return ()
    return (f"Memory ran out; it went on with {', '.join(predictor.concessions.made)}",)
