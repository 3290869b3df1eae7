"""Planes that no memory holds: objects are found, cut out and judged by window.

Classes are those of the whole plane, up to the rounding of percentiles.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..inference.frames import Frames, Index
from ..segmentation.geometry import Box
from ..segmentation.large.source import Source, boxes, grown
from ..steps import Steps
from .crops import Objects, objects_of
from .judge import AROUND, Judge, Judged, Judgement
from .result import class_numbers, put_classes
from .settings import ClassifySettings

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 2048
"""Side of the windows that labels are looked through by (px)."""
_LARGEST = 64_000_000  # pixels in the box of an object: judging it takes some 20 bytes for each


def is_by_window(frames: Frames, labels: Any, above: float) -> bool:
    """Whether planes have more pixels than `above`, and are not in memory anyway."""
    in_memory = isinstance(frames.data, np.ndarray) and isinstance(labels, np.ndarray)
    return int(np.prod(frames.plane_shape)) > above and not in_memory


def judge_by_window(
    image: Source, labels: Source, judge: Judge, settings: ClassifySettings, block: int = BLOCK
) -> Generator[Judged, None, tuple[NDArray[np.int64], Judgement]]:
    """Tell the classes of a plane's objects.

    Parameters
    ----------
    image, labels : Source
        Of the same shape; some of the image's values are finite.
    judge : Judge
    settings : ClassifySettings
        From `Judge.by_window`.
    block : int
        Side of the windows that labels are looked through by (px); the classes do not depend on
        it.

    Yields
    ------
    Judged

    Returns
    -------
    names : ndarray of int, (N,)
        The objects' labels, ascending.
    judgement : Judgement
        Objects whose box has more than 64 megapixels have no class.
    """
    names, sides = yield from find_objects(labels, block)
    found = Judgement.none(len(names), len(judge.classes))
    done = 0
    for members in _groups(sides, block, labels.shape[1]):
        box = _around(sides[members])
        if _size(box) <= _LARGEST:
            wide = grown(box, AROUND, labels.shape)
            objects = _only(labels.raw(wide), names[members], sides[members], wide)
            steps = Steps(judge.judge(image.window(wide), objects, settings))
            for step in steps:
                yield Judged(done + step.done, len(names))
            found.chosen[members] = steps.result.chosen
            found.likely[members] = steps.result.likely
        done += len(members)
        yield Judged(done, len(names))
    return names, found


def find_objects(
    labels: Source, block: int = BLOCK
) -> Generator[Judged, None, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The objects of a plane of labels, which may lie in several windows.

    Returns
    -------
    names : ndarray of int, (N,)
        Ascending.
    sides : ndarray of int, (N, 4)
        First row and column of each, row and column after the last.
    """
    seen_names = [np.zeros(0, np.int64)]
    seen_sides = [np.zeros((0, 4), np.int64)]
    for window in boxes(labels.shape, block):
        objects = objects_of(labels.raw(window))
        corner = (window[0].start, window[1].start)
        here = [
            (y.start + corner[0], x.start + corner[1], y.stop + corner[0], x.stop + corner[1])
            for y, x in objects.boxes
        ]
        seen_names.append(objects.names)
        seen_sides.append(np.array(here, np.int64).reshape(-1, 4))
        yield Judged(0, 1)
    parts, every = np.concatenate(seen_sides), np.concatenate(seen_names)
    names, number = np.unique(every, return_inverse=True)
    sides = np.zeros((len(names), 4), np.int64)
    sides[:, :2] = np.iinfo(np.int64).max
    np.minimum.at(sides[:, :2], number, parts[:, :2])
    np.maximum.at(sides[:, 2:], number, parts[:, 2:])
    return names, sides


class ClassMap:
    """Labels with the class in the place of each object's number, read by window.

    Parameters
    ----------
    labels : array of integers, (..., Y, X)
        Sliced, never read as a whole.
    table : DataFrame
        As `Classification.table` has it.
    classes : sequence of str
    axes : str
        Letters of the leading axes.
    """

    def __init__(self, labels: Any, table: pd.DataFrame, classes: Sequence[str], axes: str) -> None:
        self.shape, self.dtype = tuple(labels.shape), np.dtype(np.uint16)
        self._labels = labels
        self._numbers: Mapping[Index, Any] = class_numbers(table, classes, axes)

    def __getitem__(self, key: tuple[Any, ...]) -> NDArray[np.uint16]:
        return put_classes(np.asarray(self._labels[key]), self._numbers.get(tuple(key[:-2])))


def _groups(sides: NDArray[np.int64], block: int, width: int) -> Iterator[NDArray[np.intp]]:
    """Objects that are seen together: those that begin in a block and are not longer."""
    small: NDArray[np.bool_] = np.all(sides[:, 2:] - sides[:, :2] <= block, axis=1)
    where = sides[:, 0] // block * (width // block + 1) + sides[:, 1] // block
    order = np.argsort(where, kind="stable")
    starts = np.flatnonzero(np.diff(where[order], prepend=-1))
    for members in np.split(order, starts[1:]):
        if small[members].any():
            yield np.sort(members[small[members]])
        for each in members[~small[members]]:
            yield np.array([each])


def _around(sides: NDArray[np.int64]) -> Box:
    (y0, x0), (y1, x1) = sides[:, :2].min(axis=0).tolist(), sides[:, 2:].max(axis=0).tolist()
    return slice(y0, y1), slice(x0, x1)


def _size(box: Box) -> int:
    height, width = (side.stop - side.start for side in box)
    return int(height * width)


def _only(
    window: NDArray[Any], names: NDArray[np.int64], sides: NDArray[np.int64], box: Box
) -> Objects:
    """Some objects of a window of labels; others count as background."""
    corner = (box[0].start, box[1].start)
    spot = np.minimum(np.searchsorted(names, window), len(names) - 1)
    there = [
        (slice(y0 - corner[0], y1 - corner[0]), slice(x0 - corner[1], x1 - corner[1]))
        for y0, x0, y1, x1 in sides.tolist()
    ]
    return Objects(names, np.where(names[spot] == window, spot + 1, 0).astype(np.int32), there)
