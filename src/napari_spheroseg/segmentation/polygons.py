"""Labels to polygons: outer rings with holes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Polygon:
    """The outline of one object.

    Attributes
    ----------
    id : int
        The object's label.
    outer : ndarray of float32, (n, 2)
        Corners as (y, x) in pixels, n >= 3; the first is not repeated. Integers are the centres
        of pixels, and the line runs between the pixels inside and those outside.
    holes : tuple of ndarray
        Rings of the same kind.
    name : str
        Class of the object.
    parent : int or None
        The object in whose hole this one lies.
    mean_probability : float
        NaN where it is not known.
    frame : tuple of int
        Position along the leading axes; () in a single plane.
    """

    id: int
    outer: Ring
    holes: tuple[Ring, ...] = ()
    name: str = "spheroid"
    parent: int | None = None
    mean_probability: float = float("nan")
    frame: tuple[int, ...] = field(default=())

    @property
    def rings(self) -> tuple[Ring, ...]:
        """The outer ring, then the holes."""
        return (self.outer, *self.holes)


def outline(labels: NDArray[np.int32], tolerance: float = 0.5) -> list[Polygon]:
    """Polygons of all objects of a plane.

    Parameters
    ----------
    labels : ndarray of int32, (Y, X)
        0 is background.
    tolerance : float
        Largest distance (px) between outline and polygon; 0 keeps all points.

    Returns
    -------
    list of Polygon
        In the order of labels; an object in several parts has several polygons.
    """
    from scipy.ndimage import find_objects

    polygons: list[Polygon] = []
    nested: list[tuple[float, int, set[int]]] = []  # area of a hole, its owner, labels in it
    for number, box in enumerate(find_objects(labels), start=1):
        if box is None:
            continue
        window = labels[box]
        corner = np.array([box[0].start, box[1].start], np.float32)
        outers, holes = _rings(window == number)
        nested += [(_area(hole), number, {*_labels_in(hole, window)} - {number}) for hole in holes]
        groups: list[list[Ring]] = [[] for _ in outers]
        for hole in holes:
            groups[_owner(hole, outers)].append(hole)
        for outer, own in zip(outers, groups, strict=True):
            rings = [simplify(ring, tolerance) + corner for ring in (outer, *own)]
            polygons.append(Polygon(number, rings[0], tuple(rings[1:])))
    parents: dict[int, int] = {}
    for _, number, inside in sorted(nested, key=lambda one: -one[0]):
        parents |= dict.fromkeys(inside, number)  # the innermost hole has the last word
    return [replace(each, parent=parents.get(each.id)) for each in polygons]


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


def _rings(mask: NDArray[np.bool_]) -> tuple[list[Ring], list[Ring]]:
    """Outer rings and holes of an 8-connected object, through the middle of pixel edges."""
    from skimage.measure import find_contours

    outers: list[Ring] = []
    holes: list[Ring] = []
    for contour in find_contours(np.pad(mask, 1).astype(float), 0.5, fully_connected="high"):
        ring = (contour[:-1] - 1).astype(np.float32)
        (outers if _signed_area(ring) > 0 else holes).append(ring)
    return outers, holes


def _signed_area(ring: Ring) -> float:
    y, x = ring.T.astype(float)
    return float((np.roll(y, -1) * x - y * np.roll(x, -1)).sum() / 2)


def _area(ring: Ring) -> float:
    return abs(_signed_area(ring))


def _owner(hole: Ring, outers: list[Ring]) -> int:
    """Index of the outer ring that a hole lies in."""
    if len(outers) == 1:
        return 0
    y, x = (float(value) for value in hole[0])
    inside = [i for i, outer in enumerate(outers) if cv2.pointPolygonTest(outer, (y, x), False) > 0]
    return min(inside, key=lambda i: _area(outers[i]), default=0)


def _labels_in(hole: Ring, window: NDArray[np.int32]) -> Iterator[int]:
    """Labels that lie within a hole."""
    inside = np.zeros(window.shape, np.uint8)
    cv2.fillPoly(inside, [np.rint(hole[:, ::-1]).astype(np.int32)], 1)
    yield from (int(each) for each in np.unique(window[inside > 0]) if each)


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
