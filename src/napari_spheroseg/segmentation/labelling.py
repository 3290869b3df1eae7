"""Probability to labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .geometry import Box, count_pixels, crofton_perimeter, hull, hull_pixel_count, statistics
from .settings import PostProcessing
from .windows import grown, part_of, smoothed

Labels = NDArray[np.int32]
Mask = NDArray[np.uint8]
Map = NDArray[np.float32]
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_SMOOTH = 0.05  # of the usual diameter: finer ups and downs of the distance mean nothing


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
    mask = open_and_close(_threshold(probability, settings), settings)
    labels, stats = _components(_fill_holes(mask) if settings.fill_holes else mask)
    return finish(labels, stats, probability, distance, settings)


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
    if settings.split_touching:
        labels, stats = _split(labels, stats, distance, settings, middle_area)
    keep = _passes(labels, stats, probability, settings)
    if settings.exclude_edge:
        edges = _edges(window, shape) if window and shape else (0, 0, *labels.shape)
        keep &= _inside(stats, edges)
    return _keep(labels, keep), [_box(row) for row in stats[keep]]


def _edges(window: Box, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of the plane, counted from a window's corner."""
    y, x = (side.start for side in window)
    return -y, -x, shape[0] - y, shape[1] - x


def _inside(stats: NDArray[Any], edges: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Which objects do not touch the edge."""
    (x, y, width, height, _), (top, left, bottom, right) = stats.T, edges
    return np.asarray((x > left) & (x + width < right) & (y > top) & (y + height < bottom), bool)


def _box(stats: NDArray[Any]) -> Box:
    x, y, width, height = stats[:4].tolist()
    return slice(y, y + height), slice(x, x + width)


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


def _split(
    labels: Labels,
    stats: NDArray[Any],
    distance: Map | None,
    settings: PostProcessing,
    middle_area: float | None,
) -> tuple[Labels, NDArray[Any]]:
    """Cut objects between the peaks of the distance to their border.

    A peak is an object of its own where the way to any higher peak goes down far enough, which
    needs no pixel size.
    """
    from skimage.segmentation import watershed

    if distance is None:
        candidates, heights = _by_shape(labels, stats)
    else:
        if middle_area is None:
            middle_area = float(np.median(stats[:, 4])) if len(stats) else 0.0
        candidates, heights = _by_distance(labels, stats, distance, smoothing(middle_area))
    cut, count = labels.copy(), len(stats)
    for number in candidates:
        window = _box(stats[number - 1])
        inside = labels[window] == number
        height = np.where(inside, heights(number, inside), 0).astype(np.float32)
        markers = _peaks(height, inside, settings.split_depth, relative=distance is None)
        extra = int(markers.max()) - 1
        if extra > 0:
            parts = watershed(-height, markers, mask=inside)
            new = np.where(parts == 1, number, parts + count - 1)
            cut[window][inside] = new[inside]
            count += extra
    return (cut, stats) if count == len(stats) else _in_order(cut, count)


def _peaks(height: Map, inside: NDArray[np.bool_], depth: float, *, relative: bool) -> Labels:
    """Markers of the peaks from which every way to a higher one goes down by more than the depth.

    The same as maxima of the grey reconstruction of what is lower by the depth, and many times
    faster where peaks are few: each is asked whether the ground that is hardly lower than itself
    holds something higher.
    """
    markers = np.zeros(height.shape, np.int32)
    seen = ~inside
    tops = np.flatnonzero(inside & (height >= cv2.dilate(height, _NEIGHBOURS)))
    for top in tops[np.argsort(-height.flat[tops], kind="stable")]:
        if seen.flat[top]:
            continue
        own = height.flat[top]
        ground = height >= (own * (1 - depth) if relative else own - depth)
        parts = cv2.connectedComponents((ground & inside).astype(np.uint8), connectivity=8)[1]
        around = parts == parts.flat[top]
        seen |= around
        if height[around].max() <= own:
            markers[around] = markers.max() + 1
    return markers


_Heights = Callable[[int, NDArray[np.bool_]], NDArray[Any]]


def _by_shape(labels: Labels, stats: NDArray[Any]) -> tuple[Iterable[int], _Heights]:
    """Objects with dents, and the distance to their border as their shape has it."""

    def heights(number: int, inside: NDArray[np.bool_]) -> NDArray[Any]:
        padded = np.pad(inside, 1).astype(np.uint8)
        exact = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return np.asarray(cv2.GaussianBlur(exact, (0, 0), 1)[1:-1, 1:-1])

    def dented(number: int) -> bool:
        row = stats[number - 1]
        return bool(row[4] < 0.95 * hull_pixel_count(hull(labels[_box(row)] == number)))

    return [n for n in range(1, len(stats) + 1) if dented(n)], heights


def smoothing(middle_area: float) -> float:
    """Deviation (px) that distances are smoothed by, from the median area of the components."""
    return max(0.6, _SMOOTH * (2 * math.sqrt(middle_area / math.pi)))


def _by_distance(
    labels: Labels, stats: NDArray[Any], distance: Map, deviation: float
) -> tuple[Iterable[int], _Heights]:
    """Objects in which the network sees several middles, and what it sees, smoothed."""
    smooth, several = smoothed(distance, stats, deviation), {}
    for number, row in enumerate(stats, start=1):
        window = grown(_box(row), 1, distance.shape)
        height = smooth(window)
        tops = (labels[window] == number) & (height >= cv2.dilate(height, _NEIGHBOURS))
        if cv2.connectedComponents(tops.view(np.uint8), connectivity=8)[0] > 2:
            several[number] = part_of(height, _box(row), window)
    return several, lambda number, inside: several[number]


def _in_order(labels: Labels, count: int) -> tuple[Labels, NDArray[np.int32]]:
    """Numbered from top to bottom again, with the statistics of each."""
    stats = statistics(labels, count)
    order = np.lexsort((stats[:, 0], stats[:, 1]))
    numbers = np.zeros(count + 1, np.int32)
    numbers[order + 1] = np.arange(1, count + 1)
    return np.take(numbers, labels), stats[order]


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
        mask, area = labels[_box(stats[i])] == i + 1, int(stats[i, 4])
        round_enough = 4 * np.pi * area >= settings.min_circularity * crofton_perimeter(mask) ** 2
        good[i] = round_enough and area >= settings.min_solidity * hull_pixel_count(hull(mask))
    return good


def _keep(labels: Labels, keep: NDArray[np.bool_]) -> Labels:
    """Drop the objects that did not pass, and number the others without gaps."""
    if keep.all():
        return labels
    numbers = np.zeros(len(keep) + 1, np.int32)
    numbers[1:][keep] = np.arange(1, keep.sum() + 1)
    return np.take(numbers, labels)
