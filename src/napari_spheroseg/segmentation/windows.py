"""Windows of a plane: with a margin, within one another, and what a blur shows in them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .geometry import Box


def smoothed(
    distance: NDArray[np.float32], stats: NDArray[Any], deviation: float
) -> Callable[[Box], NDArray[Any]]:
    """What a window shows of the distance after a Gaussian blur.

    Window by window the blur stays in the processor's cache, unless there are so many small
    objects that most of it would be margin.
    """
    reach = math.ceil(4 * deviation) + 1  # as far as OpenCV's kernel at least
    if np.prod(stats[:, 2:4] + 2 * reach, axis=1).sum() > distance.size:
        whole = cv2.GaussianBlur(distance, (0, 0), deviation)
        return lambda window: whole[window]

    def blurred(window: Box) -> NDArray[Any]:
        wide = grown(window, reach, distance.shape)
        return part_of(cv2.GaussianBlur(distance[wide], (0, 0), deviation), window, wide)

    return blurred


def box_of(stats: NDArray[Any]) -> Box:
    """The window of an object whose x, y, width and height come first in its statistics."""
    x, y, width, height = stats[:4].tolist()
    return slice(y, y + height), slice(x, x + width)


def part_of(values: NDArray[Any], window: Box, around: Box) -> NDArray[Any]:
    """Those of a window, of the values of a wider one."""
    y, x = (
        slice(own.start - wide.start, own.stop - wide.start)
        for own, wide in zip(window, around, strict=True)
    )
    return values[y, x]


def grown(window: Box, by: int, shape: tuple[int, ...]) -> Box:
    """A window with a margin, as far as the image goes."""
    y, x = (
        slice(max(side.start - by, 0), min(side.stop + by, length))
        for side, length in zip(window, shape, strict=True)
    )
    return y, x
