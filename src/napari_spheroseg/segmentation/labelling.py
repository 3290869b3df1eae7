"""Probability to labels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .geometry import Box, count_pixels, crofton_perimeter, hull, hull_pixel_count, statistics
from .settings import PostProcessing
from .splitting import split
from .windows import box_of

Labels = NDArray[np.int32]
Mask = NDArray[np.uint8]
Map = NDArray[np.float32]


def label(probability: Map, settings: PostProcessing, distance: Map | None = None) -> Labels:
    """Objects of a probability map.

    Parameters
    ----------
    probability : ndarray of float32, (Y, X)
        In [0, 1].
    settings : PostProcessing
        Threshold, morphology and filters, applied in the order of its fields.
    distance : ndarray of float32, (Y, X), optional
        The network's idea of the distance to the border, 1 in the middle of each object: objects
        that touch are split by it instead of by their shape.

    Returns
    -------
    ndarray of int32, (Y, X)
        0 is background; objects are numbered 1 to n from top to bottom, and are 8-connected.
    """
    return label_and_boxes(probability, settings, distance)[0]


def label_and_boxes(
    probability: Map, settings: PostProcessing, distance: Map | None = None
) -> tuple[Labels, list[Box]]:
    """`label`, and the box of each object, as `find_boxes` has it."""
    labels, stats = _found(probability, settings)
    return finish(labels, stats, probability, distance, settings)


def object_areas(
    probability: Map, settings: PostProcessing, distance: Map | None = None
) -> NDArray[np.int32]:
    """Pixels of each object that `label` finds, in its order; their labels are not made."""
    labels, stats = _found(probability, settings)
    _, stats, order = _chosen(labels, stats, probability, distance, settings)
    return np.asarray(stats[order, 4], np.int32)


def _found(probability: Map, settings: PostProcessing) -> tuple[Labels, NDArray[np.int32]]:
    """Connected components above the threshold, and their statistics."""
    mask = open_and_close(_threshold(probability, settings), settings)
    return _components(_fill_holes(mask) if settings.fill_holes else mask)


def finish(
    labels: Labels,
    stats: NDArray[Any],
    probability: Map,
    distance: Map | None,
    settings: PostProcessing,
    *,
    middle_area: float | None = None,
    window: Box | None = None,
    shape: tuple[int, int] | None = None,
) -> tuple[Labels, list[Box]]:
    """Connected components to objects: split what touches, filter, number from 1 to n.

    Parameters
    ----------
    labels : ndarray of int32, (Y, X)
        Components, numbered 1 to m.
    stats : ndarray of integers, (m, 5)
        x, y, width, height and area of each.
    probability, settings, distance
        As in `label`.
    middle_area : float, optional
        Median area of the components; of a window: that of all components of the whole plane.
    window : (slice, slice), optional
        Where in the plane all this lies; by default it is the whole.
    shape : (int, int), optional
        Height and width of the plane.
    """
    edges = _edges(window, shape) if window and shape else None
    labels, stats, order = _chosen(
        labels, stats, probability, distance, settings, middle_area, edges
    )
    return _numbered(labels, order, len(stats)), [box_of(row) for row in stats[order]]


def _chosen(
    labels: Labels,
    stats: NDArray[Any],
    probability: Map,
    distance: Map | None,
    settings: PostProcessing,
    middle_area: float | None = None,
    edges: tuple[int, int, int, int] | None = None,
) -> tuple[Labels, NDArray[Any], NDArray[np.intp]]:
    """Parts of what touches, their statistics, and which rows pass all filters, in order."""
    count = len(stats)
    if settings.split_touching:
        labels, stats = split(labels, stats, distance, settings, middle_area)
    keep = _passes(labels, stats, probability, settings)
    if settings.exclude_edge:
        keep &= _inside(stats, edges or (0, 0, *labels.shape))
    if len(stats) == count:
        return labels, stats, np.flatnonzero(keep)
    order = np.lexsort((stats[:, 0], stats[:, 1]))  # from top to bottom again
    return labels, stats, order[keep[order]]


def _edges(window: Box, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of the plane, counted from a window's corner."""
    y, x = (side.start for side in window)
    return -y, -x, shape[0] - y, shape[1] - x


def _inside(stats: NDArray[Any], edges: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Which objects do not touch the edge."""
    (x, y, width, height, _), (top, left, bottom, right) = stats.T, edges
    return np.asarray((x > left) & (x + width < right) & (y > top) & (y + height < bottom), bool)


def _threshold(probability: Map, settings: PostProcessing) -> Mask:
    sure = (probability > settings.threshold).view(np.uint8)
    if settings.low_threshold is None or not sure.any():
        return sure
    grown = (probability > settings.low_threshold).view(np.uint8)
    count, components = cv2.connectedComponents(grown, connectivity=8)
    seeded = np.zeros(count, np.uint8)
    seeded[components[sure > 0]] = 1
    seeded[0] = 0
    return np.asarray(seeded[components], np.uint8)


def open_and_close(mask: Mask, settings: PostProcessing) -> Mask:
    """A mask after opening and closing: a pixel sees twice the sum of both radii."""
    steps = ((cv2.MORPH_OPEN, settings.opening), (cv2.MORPH_CLOSE, settings.closing))
    for operation, radius in steps:
        if radius:
            # Beyond the edge the image goes on: mirrored, an object there is neither cut nor glued.
            wide = cv2.copyMakeBorder(mask, radius, radius, radius, radius, cv2.BORDER_REFLECT)
            wide = cv2.morphologyEx(wide, operation, _disc(radius))
            mask = np.ascontiguousarray(wide[radius:-radius, radius:-radius], dtype=np.uint8)
    return mask


def _disc(radius: int) -> Mask:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(np.hypot(y, x) <= radius, np.uint8)


def _fill_holes(mask: Mask) -> Mask:
    """Fill every part of the background that does not reach the edge of the image."""
    outside = np.pad(1 - mask, 1, constant_values=1)
    _, parts = cv2.connectedComponents(outside, connectivity=4)
    return np.asarray(parts[1:-1, 1:-1] != parts[0, 0], np.uint8)


def _components(mask: Mask) -> tuple[Labels, NDArray[np.int32]]:
    """Connected components, and x, y, width, height and area of each, one row an object."""
    # connectedComponentsWithStats looks at every pixel, which takes three times as long
    count, labels = cv2.connectedComponents(mask, connectivity=8, ltype=cv2.CV_32S)
    labels = np.asarray(labels, np.int32)
    return labels, statistics(labels, count - 1)


def _passes(
    labels: Labels,
    stats: NDArray[Any],
    probability: Map,
    settings: PostProcessing,
) -> NDArray[np.bool_]:
    """Which of the objects 1 to n pass all filters; shapes are measured only where asked."""
    count, area = len(stats), stats[:, 4]
    keep = area >= settings.min_area
    if settings.max_area is not None:
        keep &= area <= settings.max_area
    if settings.min_probability > 0:
        keep &= count_pixels(labels, count, probability) / area >= settings.min_probability
    if settings.min_circularity > 0 or settings.min_solidity > 0:
        keep &= _well_shaped(labels, stats, keep, settings)
    return np.asarray(keep, bool)


def _well_shaped(
    labels: Labels,
    stats: NDArray[Any],
    candidates: NDArray[np.bool_],
    settings: PostProcessing,
) -> NDArray[np.bool_]:
    """Which of the candidates are round and solid enough."""
    good = np.zeros(len(stats), bool)
    for i in np.flatnonzero(candidates):
        mask, area = labels[box_of(stats[i])] == i + 1, int(stats[i, 4])
        round_enough = 4 * np.pi * area >= settings.min_circularity * crofton_perimeter(mask) ** 2
        good[i] = round_enough and area >= settings.min_solidity * hull_pixel_count(hull(mask))
    return good


def _numbered(labels: Labels, order: NDArray[np.intp], count: int) -> Labels:
    """Labels of the objects in this order, from 1; the others are dropped."""
    if np.array_equal(order, np.arange(count)):
        return labels
    numbers = np.zeros(count + 1, np.int32)
    numbers[order + 1] = np.arange(1, len(order) + 1)
    return np.take(numbers, labels)
