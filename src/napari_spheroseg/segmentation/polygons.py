"""Labels to polygons: outer rings with holes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..polygon import Polygon, Ring
from .geometry import Box, find_boxes, number_objects


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
    polygons: list[Polygon] = []
    within: dict[tuple[int, int], float] = {}  # object and the one around it: area of the hole
    if boxes is None:
        names, labels = number_objects(labels)
        boxes = find_boxes(labels)
    else:
        names = np.arange(1, len(boxes) + 1)
    for number, box in enumerate(boxes, start=1):
        window = labels[box]
        corner = np.array([box[0].start, box[1].start], np.float32)
        for outer, holes in _rings(window == number):
            for hole in holes:
                within |= {(i, number): _area(hole) for i in _labels_in(hole, window, number)}
            rings = [simplify(ring, tolerance) + corner for ring in (outer, *holes)]
            polygons.append(Polygon(number, rings[0], tuple(rings[1:])))
    parents = dict(sorted(within, key=lambda pair: within[pair], reverse=True))  # smallest last
    named = [None, *names.tolist()]
    return [
        replace(each, id=named[each.id], parent=named[parents.get(each.id, 0)]) for each in polygons
    ]


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


def _rings(mask: NDArray[np.bool_]) -> list[tuple[Ring, list[Ring]]]:
    """Outer rings of an 8-connected object, each with its holes."""
    image = np.pad(mask, 1).astype(np.uint8)
    chains, tree = cv2.findContours(image, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(-1, -1))
    found: dict[int, tuple[Ring, list[Ring]]] = {}
    parents = tree[0, :, 3]
    for i in np.flatnonzero(parents < 0).tolist():
        found[i] = (_between_pixels(chains[i]), [])
    for i in np.flatnonzero(parents >= 0).tolist():
        found[int(parents[i])][1].append(_between_pixels(chains[i]))
    return list(found.values())


def _between_pixels(chain: NDArray[np.int32]) -> Ring:
    """The line between inside and outside, from the border pixels that OpenCV follows.

    At each border pixel the follower turns from where it came from to where it goes on, and every
    pixel that it looks at between the two is outside: the middles of the edges towards those that
    share an edge with it are the points of the line, as marching squares would find them.
    """
    points = chain.reshape(-1, 2)[:, ::-1]
    if len(points) == 1:
        return np.asarray(points + _UNIT[::2] / 2, np.float32)
    steps = np.concatenate([points[1:], points[:1]]) - points
    goes = _DIRECTION_OF[steps[:, 0] + 1, steps[:, 1] + 1]
    came = np.concatenate([goes[-1:], goes[:-1]])
    looked = _LOOKED_AT[came, goes]
    outside = looked >= 0
    middles = np.repeat(points, outside.sum(axis=1), axis=0) + _UNIT[looked[outside]] / 2
    return np.asarray(middles, np.float32)


# the eight directions (dy, dx), from the right and on towards the top
_UNIT = np.array([(0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1)])
_DIRECTION_OF = np.zeros((3, 3), int)
_DIRECTION_OF[tuple(_UNIT.T + 1)] = range(8)


def _looked_at(came: int, goes: int) -> list[int]:
    """Directions towards an edge that the follower turns over, filled up with -1."""
    back = came + 4
    turns = [(back + i) % 8 for i in range(1, (goes - back - 1) % 8 + 1)]
    edges = [direction for direction in turns if direction % 2 == 0]
    return edges + [-1] * (4 - len(edges))


_LOOKED_AT = np.array([[_looked_at(came, goes) for goes in range(8)] for came in range(8)])


def _area(ring: Ring) -> float:
    return float(cv2.contourArea(ring))


def _labels_in(hole: Ring, window: NDArray[np.int32], around: int) -> Iterator[int]:
    """Labels of the pixels within a hole, but for that of the object around it."""
    from skimage.draw import polygon2mask

    low = np.ceil(hole.min(axis=0)).astype(int)
    high = np.floor(hole.max(axis=0)).astype(int) + 1
    inside = window[low[0] : high[0], low[1] : high[1]]
    if ((inside != 0) & (inside != around)).any():
        mask = polygon2mask(inside.shape, hole - low)
        yield from (int(each) for each in np.unique(inside[mask]) if each not in (0, around))


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
