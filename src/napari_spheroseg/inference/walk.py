"""Frame by frame through an image, with progress, whatever is done with each."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from ..errors import BadSetting
from ..models import Preparation
from ..steps import Step
from .ahead import ahead
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
    predictor: Predictor | None = None,
    preparation: Preparation | None = None,
) -> Generator[Step, None, Walked[R]]:
    """Do something with one frame after the other.

    Only one is in memory on a CPU; on other devices some more are under way in threads, and share
    batches, if their predictor is known. Steps and results come in the order of the frames.

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
    predictor : Predictor, optional
        What `see` runs: its plan is logged at INFO.
    preparation : Preparation, optional
        How it is given the planes.

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
    at_once = 1
    if predictor is not None:
        log_plan(_log, predictor, frames.plane_shape, preparation, len(wanted))
        at_once = predictor.frames_at_once(frames.plane_shape, preparation)
    done, tiles = 0, TileDone(0, 1)
    results: dict[Index, R] = {}
    constant: list[Index] = []
    begin = partial(
        _look, frames, see=see, unseen=unseen, alone=len(wanted) == 1, reading=threading.Lock()
    )
    with contextlib.closing(ahead(begin, wanted, at_once)) as looks:
        for number, (index, seen) in enumerate(zip(wanted, looks, strict=True)):
            for tiles in seen:
                left = tiles.total * (len(wanted) - number)  # as if all frames were like this one
                yield Step(done + tiles.done, done + left, index)
            results[index], is_seen = seen.result
            if not is_seen:
                constant.append(index)
            done += tiles.done
            log_memory(_log, f"frame {number + 1} of {len(wanted)} is done", logging.DEBUG)
    return Walked(results, tuple(constant), len(wanted) == math.prod(frames.leading_shape))


def _look(
    frames: Frames,
    index: Index,
    *,
    see: Callable[[Plane], Generator[TileDone, None, R]],
    unseen: Callable[[Plane], R],
    alone: bool,
    reading: threading.Lock,
) -> Generator[TileDone, None, tuple[R, bool]]:
    """What comes of one frame, and whether there was something to see in it."""
    with reading:  # not every file can be read from several threads
        plane = frames[index]
    if (not alone and has_no_number(plane)) or is_constant(plane):
        result = unseen(plane)
        yield TileDone(1, 1)
        return result, False
    return (yield from see(plane)), True


def log_plan(
    logger: logging.Logger,
    predictor: Predictor,
    shape: tuple[int, int],
    preparation: Preparation | None = None,
    frames: int = 1,
) -> None:
    """Say at INFO what a run is expected to need; nothing is computed if that is off.

    Parameters
    ----------
    logger : logging.Logger
    predictor, shape, preparation, frames
        As in `Predictor.plan`.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    name = predictor.model.metadata.name
    try:
        plan = str(predictor.plan(shape, preparation, frames))
    except BadSetting as error:  # of an ONNX graph nothing is known
        plan = error.message
    logger.info(
        "plan of '%s' on %s, for %d x %d px: %s", name, predictor.device, *shape, plan, stacklevel=2
    )


def say_concessions(predictor: Predictor) -> tuple[str, ...]:
    """What was done because memory ran out, as a warning."""
    if not predictor.concessions.made:
        return ()
    return (f"Memory ran out; it went on with {', '.join(predictor.concessions.made)}",)
