"""Objects that lie on each other in successive frames are one object.

Intersection over union decides. It is kind to growth (an object that doubles its area around
itself still scores 0.5) and it favours the larger parent of objects that merge and the larger part
of one that splits. The share of the smaller object does not: it is 1 for each parent, and for each
speck of debris under a large object.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage
from ..segmentation.geometry import number_objects
from .settings import Tracking

Numbers = NDArray[np.intp]
_TABLE_PER_PIXEL = 4  # a table of all pairs may have so many entries a pixel, else pairs are sorted


class _Seen:
    """Objects of a frame as later frames look back on them, numbered from 1."""

    def __init__(self, count: int, labels: NDArray[np.int32]) -> None:
        flat = labels.ravel()
        self.shape = labels.shape
        self.pixels = np.flatnonzero(flat != 0)  # of a mask it is several times faster
        self.numbers = flat[self.pixels]
        self.areas = np.bincount(self.numbers, minlength=count + 1)
        self.tracks = np.zeros(count + 1, np.intp)

    def drop(self, numbers: Numbers) -> None:
        """Forget where objects lie that a later frame goes on with."""
        gone = np.zeros(len(self.areas), bool)
        gone[numbers] = True
        kept = ~gone[self.numbers]
        self.pixels, self.numbers = self.pixels[kept], self.numbers[kept]


def link_overlap(frames: Iterable[NDArray[Any]], settings: Tracking) -> Iterator[dict[int, int]]:
    """Number of the track of every object, frame by frame; see `run.link`."""
    earlier: deque[_Seen] = deque(maxlen=settings.max_gap + 1)
    newest = 0
    for plane in frames:
        if earlier and plane.shape != earlier[-1].shape:
            raise BadImage(f"A frame of shape {plane.shape} follows one of {earlier[-1].shape}")
        names, labels, _ = number_objects(plane)
        frame = _Seen(len(names), labels)
        for before in reversed(earlier):  # the last frame has the first choice
            if len(before.pixels) and not frame.tracks[1:].all():
                old, new = _continued(before, frame, labels, settings.min_overlap)
                frame.tracks[new] = before.tracks[old]
                before.drop(old)
        begins = np.flatnonzero(frame.tracks[1:] == 0) + 1
        frame.tracks[begins] = np.arange(newest + 1, newest + 1 + len(begins))
        newest += len(begins)
        earlier.append(frame)
        yield dict(zip(names.tolist(), frame.tracks[1:].tolist(), strict=True))


def _continued(
    before: _Seen, frame: _Seen, labels: NDArray[np.int32], least: float
) -> tuple[Numbers, Numbers]:
    """Objects of the earlier frame, and those of the later one that go on with them."""
    old, new, shared = _shared_pixels(before, labels, len(frame.areas))
    unclaimed = (new > 0) & (frame.tracks[new] == 0)
    old, new, shared = old[unclaimed], new[unclaimed], shared[unclaimed]
    score = shared / (before.areas[old] + frame.areas[new] - shared)
    linked = score >= least
    return best_pairs(old[linked], new[linked], score[linked])


def _shared_pixels(
    before: _Seen, labels: NDArray[np.int32], count: int
) -> tuple[Numbers, Numbers, Numbers]:
    """Pairs of an earlier number and one of the `count` of `labels`, and the pixels they share."""
    pair = before.numbers.astype(np.intp)
    pair *= count
    pair += labels.ravel()[before.pixels]
    if len(before.areas) * count <= _TABLE_PER_PIXEL * labels.size:
        table = np.bincount(pair)
        found = np.flatnonzero(table)
        shared = table[found]
    else:
        found, shared = np.unique(pair, return_counts=True)
    return found // count, found % count, shared


def best_pairs(
    rows: Numbers, columns: Numbers, scores: NDArray[np.float64]
) -> tuple[Numbers, Numbers]:
    """Of possible pairs those, each row and column at most once, whose scores sum to the most.

    Parameters
    ----------
    rows, columns : ndarray of int, (n,)
        The possible pairs, each once.
    scores : ndarray of float, (n,)
        Above 0.

    Returns
    -------
    (ndarray of int, ndarray of int)
        Rows and columns of the pairs that are chosen, in the order of the rows.
    """
    chosen = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)
    for group in _groups(rows, columns, np.flatnonzero(~chosen)):
        chosen[group] = _assigned(rows[group], columns[group], scores[group])
    order = np.argsort(rows[chosen])
    return rows[chosen][order], columns[chosen][order]


def _groups(rows: Numbers, columns: Numbers, pairs: Numbers) -> list[Numbers]:
    """The pairs, grouped so that no row or column is in two groups: each is solved by itself."""
    if not len(pairs):
        return []
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first = int(rows.max()) + 1
    size = first + int(columns.max()) + 1
    ends = (rows[pairs], first + columns[pairs])
    graph = coo_array((np.ones(len(pairs)), ends), shape=(size, size))
    group = connected_components(graph, directed=False)[1][rows[pairs]]
    order = np.argsort(group, kind="stable")
    return np.split(pairs[order], np.flatnonzero(np.diff(group[order])) + 1)


def _assigned(rows: Numbers, columns: Numbers, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the pairs of one group are chosen."""
    from scipy.optimize import linear_sum_assignment

    _, row = np.unique(rows, return_inverse=True)
    _, column = np.unique(columns, return_inverse=True)
    table = np.zeros((row.max() + 1, column.max() + 1))
    table[row, column] = scores
    partner = np.full(len(table), -1)
    at, to = linear_sum_assignment(table, maximize=True)
    partner[at] = to
    chosen: NDArray[np.bool_] = partner[row] == column
    return chosen
