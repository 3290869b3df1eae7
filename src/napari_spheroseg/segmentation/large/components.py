"""Connected components of a plane that is seen window by window."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..geometry import Box
from .room import Room, Scratch
from .source import boxes

Mask = NDArray[np.uint8]
Labels = NDArray[np.int32]
MaskOf = Callable[[Box], Mask]
SURE = 2  # of a mask: components that hold such a pixel are marked


@dataclass(frozen=True, eq=False)
class Components:
    """Components of a whole plane, numbered 1 to n from top to bottom.

    Attributes
    ----------
    pieces : Scratch of int32, (Y, X)
        Components of each window, by themselves.
    numbers : ndarray of int32
        Component that each piece belongs to; 0 belongs to 0.
    stats : ndarray of int64, (n, 5)
        x, y, width, height and area.
    sure : ndarray of bool, (n,)
        Which of them hold a pixel that is `SURE`.
    """

    pieces: Scratch
    numbers: Labels
    stats: NDArray[np.int64]
    sure: NDArray[np.bool_]

    def window(self, box: Box) -> Labels:
        """Labels of a window."""
        return np.asarray(np.take(self.numbers, self.pieces[box]), np.int32)

    def marked(self, mark: NDArray[np.bool_], box: Box) -> Mask:
        """A mask of those that are marked."""
        table = np.concatenate([[0], mark]).astype(np.uint8)
        return np.asarray(np.take(table[self.numbers], self.pieces[box]), np.uint8)

    def touch_edge(self) -> NDArray[np.bool_]:
        """Which of them touch the edge of the plane."""
        x, y, width, height, _ = self.stats.T
        rows, columns = self.pieces.shape
        beyond = (x + width == columns) | (y + height == rows)
        return np.asarray((x == 0) | (y == 0) | beyond, bool)


def connect(
    mask: MaskOf, shape: tuple[int, int], room: Room, connectivity: int = 8
) -> Generator[None, None, Components]:
    """Find the components of a mask.

    Parameters
    ----------
    mask : callable
        Gives a window of the mask: not 0 inside, and perhaps `SURE`.
    shape : (int, int)
        Height and width of the plane.
    room : Room
    connectivity : int
        8, or 4.

    Yields
    ------
    None
        After every window.

    Returns
    -------
    Components
    """
    side = room.block
    room.expect(-(-shape[0] // side) * -(-shape[1] // side))
    pieces = room.array(shape, np.int32)
    seams = _Seams(shape[1], connectivity)
    stats, sure, count = [np.zeros((0, 5), np.int64)], [np.zeros(0, np.int64)], 0
    for box in boxes(shape, side):
        inside = mask(box)
        found, labels, each, _ = cv2.connectedComponentsWithStats(
            (inside > 0).astype(np.uint8), connectivity=connectivity, ltype=cv2.CV_32S
        )
        if found > 1:
            labels[labels > 0] += count
            pieces[box] = labels
            sure.append(np.unique(labels[inside == SURE]))
            corner = np.array([box[1].start, box[0].start, 0, 0, 0], np.int64)
            stats.append(each[1:] + corner)
            count += found - 1
        seams.add(box, labels)
        yield
    return _joined(pieces, np.concatenate(stats), np.concatenate(sure), seams.pairs())


class _Seams:
    """Which pieces of neighbouring windows touch; windows come row by row."""

    def __init__(self, width: int, connectivity: int) -> None:
        self._shifts = (-1, 0, 1) if connectivity == 8 else (0,)
        self._above = np.zeros(width, np.int32)  # last row of the windows above
        self._below = np.zeros(width, np.int32)  # of this row of windows
        self._left = np.zeros(0, np.int32)
        self._pairs = [np.zeros((0, 2), np.int32)]

    def add(self, box: Box, labels: Labels) -> None:
        """See a window's borders."""
        y, x = box
        if x.start == 0:
            self._above, self._below = self._below, np.zeros_like(self._below)
        else:
            self._touching(self._left, labels[:, 0])
        if y.start > 0:
            start, stop = max(x.start - 1, 0), min(x.stop + 1, len(self._above))
            padded = np.zeros(stop - start, np.int32)
            padded[x.start - start : x.stop - start] = labels[0]
            self._touching(self._above[start:stop], padded)
        self._below[x] = labels[-1]
        self._left = labels[:, -1].copy()

    def _touching(self, before: Labels, after: Labels) -> None:
        for shift in self._shifts:
            a = before[max(shift, 0) : len(before) + min(shift, 0)]
            b = after[max(-shift, 0) : len(after) + min(-shift, 0)]
            both = (a > 0) & (b > 0)
            if both.any():
                self._pairs.append(np.unique(np.stack([a[both], b[both]], 1), axis=0))

    def pairs(self) -> NDArray[np.int32]:
        """Pieces that are one."""
        return np.concatenate(self._pairs)


def _joined(
    pieces: Scratch, stats: NDArray[np.int64], sure: NDArray[np.int64], pairs: NDArray[np.int32]
) -> Components:
    """Join pieces that touch; sum their areas and unite their boxes."""
    if not len(stats):
        return Components(pieces, np.zeros(1, np.int32), stats, np.zeros(0, bool))
    a, b = pairs.T.astype(np.int64) - 1
    graph = coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(len(stats), len(stats)))
    count, owner = connected_components(graph, directed=False)
    x, y, width, height, area = stats.T
    low, high = np.full((2, count), np.iinfo(np.int64).max), np.zeros((2, count), np.int64)
    for i, (start, length) in enumerate(((x, width), (y, height))):
        np.minimum.at(low[i], owner, start)
        np.maximum.at(high[i], owner, start + length)
    areas = np.bincount(owner, area, count).astype(np.int64)
    order = np.lexsort((low[0], low[1]))
    place = np.empty(count, np.int32)
    place[order] = np.arange(1, count + 1)
    numbers = np.concatenate([np.zeros(1, np.int32), place[owner]])
    marked = np.zeros(count, bool)
    marked[numbers[sure] - 1] = True
    return Components(pieces, numbers, np.vstack([low, high - low, areas]).T[order], marked)
