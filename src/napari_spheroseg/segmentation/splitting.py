"""Objects that touch are cut between the peaks of the distance to their border."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .geometry import hull, hull_pixel_count, statistics
from .settings import PostProcessing
from .windows import box_of, grown, part_of, smoothed

Labels = NDArray[np.int32]
Map = NDArray[np.float32]
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_SMOOTH = 0.05  # of the usual diameter: finer ups and downs of the distance mean nothing


def split(
    labels: Labels,
    stats: NDArray[Any],
    distance: Map | None,
    settings: PostProcessing,
    middle_area: float | None,
) -> tuple[Labels, NDArray[Any]]:
    """Cut objects between the peaks of the distance to their border.

    A peak is an object of its own where the way to any higher peak goes down far enough, which
    needs no pixel size.

    Parameters
    ----------
    labels : ndarray of int32, (Y, X)
        Components, numbered 1 to m.
    stats : ndarray of integers, (m, 5)
        x, y, width, height and area of each.
    distance : ndarray of float32, (Y, X), or None
        The network's idea of the distance to the border; without it, that of the shape.
    settings : PostProcessing
        With `split_depth`.
    middle_area : float or None
        Median area of the components of the whole plane, where these are those of a window.

    Returns
    -------
    labels, stats
        Both as given where nothing is cut; else parts of an object after the first are numbered
        from m + 1.
    """
    if distance is None:
        candidates, heights = _by_shape(labels, stats)
    else:
        if middle_area is None:
            middle_area = float(np.median(stats[:, 4])) if len(stats) else 0.0
        candidates, heights = _by_distance(labels, stats, distance, smoothing(middle_area))
    cut, count = labels, len(stats)
    added: list[NDArray[Any]] = []
    for number in candidates:
        window = box_of(stats[number - 1])
        inside = labels[window] == number
        height = np.where(inside, heights(number, inside), 0).astype(np.float32)
        markers = _peaks(height, inside, settings.split_depth, relative=distance is None)
        extra = int(markers.max()) - 1
        if extra > 0:
            parts = _flooded(height, markers, inside)
            if not added:
                cut, stats = labels.copy(), stats.copy()
            new = np.where(parts == 1, number, parts + count - 1)
            cut[window][inside] = new[inside]
            own = statistics(parts, extra + 1)
            own[:, :2] += (window[1].start, window[0].start)
            stats[number - 1] = own[0]
            added.append(own[1:])
            count += extra
    return cut, np.concatenate([stats, *added])


def _flooded(height: Map, markers: Labels, inside: NDArray[np.bool_]) -> Labels:
    """To which marker every pixel inside belongs."""
    from skimage.segmentation import watershed

    parts = watershed(-height, markers, mask=inside)
    if np.count_nonzero(parts) < np.count_nonzero(inside):  # some hang on by a corner only
        parts = watershed(-height, parts, mask=inside, connectivity=2)
    return np.asarray(parts, np.int32)


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
        # its last bit depends on where the array lies in memory; squares are whole numbers
        exact = np.sqrt(np.rint(exact * exact))
        return np.asarray(cv2.GaussianBlur(exact, (0, 0), 1)[1:-1, 1:-1])

    def dented(number: int) -> bool:
        row = stats[number - 1]
        return bool(row[4] < 0.95 * hull_pixel_count(hull(labels[box_of(row)] == number)))

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
        window = grown(box_of(row), 1, distance.shape)
        height = smooth(window)
        tops = (labels[window] == number) & (height >= cv2.dilate(height, _NEIGHBOURS))
        if cv2.connectedComponents(tops.view(np.uint8), connectivity=8)[0] > 2:
            several[number] = part_of(height, box_of(row), window)
    return several, lambda number, inside: several[number]
