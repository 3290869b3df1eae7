"""Labels to polygons: outer rings with holes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..polygon import Polygon, Ring
from .geometry import Box, number_objects

_OBJECTS_AT_ONCE = 256


def outline(
    labels: NDArray[np.int32], tolerance: float = 0.5, boxes: list[Box] | None = None
) -> list[Polygon]:
    """Polygons of all objects of a plane.

    Parameters
    ----------
    labels : ndarray of int32, (Y, X)
        0 is background.
    tolerance : float
        Largest distance (px) between outline and polygon; 0 keeps all points.
    boxes : list, optional
        From `find_boxes`, where they are known already.

    Returns
    -------
    list of Polygon
        In the order of labels; an object in several parts has several polygons.
    """
    if boxes is None:
        names, labels, boxes = number_objects(labels)
    else:
        names = np.arange(1, len(boxes) + 1)
    parts: list[tuple[int, list[Ring]]] = []
    within: dict[tuple[int, int], float] = {}  # object and the one around it: area of the hole
    for start in range(0, len(boxes), _OBJECTS_AT_ONCE):
        for number, rings in _rings(labels, boxes, start):
            for hole in rings[1:]:
                inside = _labels_in(hole, labels, number)
                within |= {(each, number): _area(hole) for each in inside}
            parts.append((number, [simplify(ring, tolerance) for ring in rings]))
    parents = dict(sorted(within, key=lambda pair: within[pair], reverse=True))  # smallest last
    named = [None, *names.tolist()]
    return [
        Polygon(named[number], rings[0], tuple(rings[1:]), parent=named[parents.get(number, 0)])
        for number, rings in parts
    ]


def moved(polygon: Polygon, by: Any) -> Polygon:
    """The polygon moved by (y, x) pixels."""
    shift = np.asarray(by, np.float32)
    holes = tuple(hole + shift for hole in polygon.holes)
    return replace(polygon, outer=polygon.outer + shift, holes=holes)


def simplify(ring: Ring, tolerance: float) -> Ring:
    """Leave out corners within `tolerance` of the line (Douglas and Peucker, 1973).

    Parameters
    ----------
    ring : ndarray, (n, 2)
        A closed ring whose first corner is not repeated.
    tolerance : float
        In the unit of the ring.

    Returns
    -------
    ndarray of float32, (m, 2)
        At least three corners: a ring that would lose more is returned as it is.
    """
    if tolerance <= 0 or len(ring) <= 4:
        return np.asarray(ring, np.float32)
    fewer = cv2.approxPolyDP(ring.astype(np.float32), tolerance, True).reshape(-1, 2)
    return np.asarray(fewer if len(fewer) >= 3 else ring, np.float32)


def _rings(
    labels: NDArray[np.int32], boxes: list[Box], start: int
) -> Iterator[tuple[int, list[Ring]]]:
    """Number and rings, first the outer one, of every part of the objects from `start` on."""
    chains: list[NDArray[np.int32]] = []
    parts: list[tuple[int, list[int]]] = []  # number of the object, and which chains are its rings
    for number, (y, x) in enumerate(boxes[start : start + _OBJECTS_AT_ONCE], start=start + 1):
        mask = (labels[y, x] == number).view(np.uint8)
        found, tree = cv2.findContours(
            mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(x.start, y.start)
        )
        parts += [(number, [len(chains) + i for i in ring]) for ring in _nested(tree[0, :, 3])]
        chains += found
    rings = _between_pixels(chains)
    for number, which in parts:
        yield number, [rings[i] for i in which]


def _nested(parents: NDArray[np.int32]) -> list[list[int]]:
    """Outer rings, each followed by its holes."""
    if len(parents) == 1:
        return [[0]]
    found = {i: [i] for i in np.flatnonzero(parents < 0).tolist()}
    for i in np.flatnonzero(parents >= 0).tolist():
        found[int(parents[i])].append(i)
    return list(found.values())


def _between_pixels(chains: list[NDArray[np.int32]]) -> list[Ring]:
    """The lines between inside and outside, from the border pixels that OpenCV follows.

    At each border pixel the follower turns from where it came from to where it goes on, and every
    pixel that it looks at between the two is outside: the middles of the edges towards those that
    share an edge with it are the points of the line, as marching squares would find them.

    All chains together: numpy's overhead is then paid once, not for every object.
    """
    points = np.concatenate(chains).reshape(-1, 2)
    lengths = np.array([len(chain) for chain in chains])
    ends = np.cumsum(lengths)
    firsts = ends - lengths
    onward = np.arange(1, len(points) + 1)
    onward[ends - 1] = firsts
    steps = points[onward] - points
    goes = _DIRECTION_OF[3 * steps[:, 1] + steps[:, 0]]
    came = np.empty_like(goes)
    came[onward] = goes
    looked = _LOOKED_AT[8 * came + goes]
    looked[firsts[lengths == 1]] = _ALL_ROUND
    outside = looked >= 0
    edges = np.count_nonzero(outside, axis=1)
    corners = np.repeat(points[:, ::-1].astype(np.float32), edges, axis=0)
    corners += _HALF[looked[outside]]
    return np.split(corners, np.cumsum(edges)[ends[:-1] - 1])


# the eight directions (dy, dx), from the right and on towards the top
_UNIT = np.array([(0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1)])
_HALF = (_UNIT / 2).astype(np.float32)
_DIRECTION_OF = np.zeros(9, np.int8)
_DIRECTION_OF[_UNIT @ (3, 1)] = range(8)  # an index of -4 to -1 counts from the end


def _looked_at(came: int, goes: int) -> list[int]:
    """Directions towards an edge that the follower turns over, filled up with -1."""
    back = came + 4
    turns = [(back + i) % 8 for i in range(1, (goes - back - 1) % 8 + 1)]
    edges = [direction for direction in turns if direction % 2 == 0]
    return edges + [-1] * (4 - len(edges))


_LOOKED_AT = np.array([_looked_at(c, g) for c in range(8) for g in range(8)], np.int8)
_ALL_ROUND = (0, 2, 4, 6)  # a single pixel has an edge on every side


def _area(ring: Ring) -> float:
    return float(cv2.contourArea(ring))


def _labels_in(hole: Ring, labels: NDArray[np.int32], around: int) -> list[int]:
    """Labels of the pixels within a hole, but for that of the object around it."""
    from skimage.draw import polygon2mask

    low = np.ceil(hole.min(axis=0)).astype(int)
    high = np.floor(hole.max(axis=0)).astype(int) + 1
    inside = labels[low[0] : high[0], low[1] : high[1]]
    if not ((inside != 0) & (inside != around)).any():
        return []
    found = np.unique(inside[polygon2mask(inside.shape, hole - low)])
    return [int(each) for each in found if each not in (0, around)]


def rasterise(polygons: list[Polygon], shape: tuple[int, int]) -> NDArray[np.int32]:
    """Labels that polygons outline: the way back from `outline`.

    Parameters
    ----------
    polygons : list of Polygon
        Painted in order; those in another's hole after it.
    shape : (int, int)
        Height and width.

    Returns
    -------
    ndarray of int32, (Y, X)
        A pixel belongs to a polygon if its centre lies inside.
    """
    from skimage.draw import polygon2mask

    labels = np.zeros(shape, np.int32)
    for each in sorted(polygons, key=lambda one: one.parent is not None):
        low = np.maximum(np.floor(each.outer.min(axis=0)).astype(int), 0)
        high = np.minimum(np.ceil(each.outer.max(axis=0)).astype(int) + 1, shape)
        if (high <= low).any():
            continue
        window: Any = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        size = tuple(high - low)
        mask = polygon2mask(size, each.outer - low)
        for hole in each.holes:
            mask &= ~polygon2mask(size, hole - low)
        labels[window][mask] = each.id
    return labels
