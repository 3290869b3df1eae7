"""A frame's objects and what a judge says of them: the whole of it at once, or by window."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inference.frames import Frames, Index
from ..inference.prepare import has_no_number
from ..segmentation.large.source import Source, read_by_block
from .crops import objects_of
from .judge import Judge, Judged, Judgement
from .large import find_objects, is_by_window, judge_by_window
from .settings import ClassifySettings


@dataclass(frozen=True, eq=False)
class Seen:
    """What was found in a frame.

    Attributes
    ----------
    names : ndarray of int, (N,)
        Labels of its objects, ascending.
    judgement : Judgement
    is_blind : bool
        It has objects, and no value of it is a number.
    warnings : tuple of str
        What the user should know of it.
    """

    names: NDArray[np.int64]
    judgement: Judgement
    is_blind: bool = False
    warnings: tuple[str, ...] = ()


Look = Callable[[Index, Judge, ClassifySettings], Generator[Judged, None, Seen]]


def look_of(frames: Frames, labels: Any, large: float) -> Look:
    """How the frames of an image are looked at; see `classify_steps`."""
    if not is_by_window(frames, labels, large):
        return partial(look_at_all, frames, labels)
    numbers = Frames(labels, frames.leading_axes + "YX")
    return partial(look_by_window, read_by_block(frames), read_by_block(numbers))


def look_at_all(
    frames: Frames, labels: Any, index: Index, judge: Judge, settings: ClassifySettings
) -> Generator[Judged, None, Seen]:
    """A frame that is read as a whole."""
    objects = objects_of(np.asarray(labels[index]))
    nothing = Judgement.none(len(objects), len(judge.classes))
    if not len(objects):
        return Seen(objects.names, nothing)
    plane = frames[index]
    if has_no_number(plane):
        return Seen(objects.names, nothing, is_blind=True)
    warnings = judge.warnings(plane, settings)
    judgement = yield from judge.judge(plane, objects, settings)
    return Seen(objects.names, judgement, warnings=warnings)


def look_by_window(
    frames: Frames, labels: Frames, index: Index, judge: Judge, settings: ClassifySettings
) -> Generator[Judged, None, Seen]:
    """A frame of which, as of its labels, only windows are read.

    Raises
    ------
    BadImage
        The judge needs all of it at once.
    """
    image, numbers = Source.of(frames, index), Source.of(labels, index)
    survey = image.survey
    if not survey.has_number:
        names, _ = yield from find_objects(numbers)
        nothing = Judgement.none(len(names), len(judge.classes))
        return Seen(names, nothing, is_blind=len(names) > 0)
    warnings = judge.warnings(np.array([survey.lowest, survey.highest]), settings)
    settings = judge.by_window(survey, settings)
    names, judgement = yield from judge_by_window(image, numbers, judge, settings)
    return Seen(names, judgement, warnings=warnings)
