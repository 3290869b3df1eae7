"""Real images with their objects, prepared as the model will see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ...inference.prepare import prepare
from ...models import Preparation
from ...segmentation.geometry import Box, find_boxes
from ..pairs import Pair

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Plane:
    """An image and its objects.

    Attributes
    ----------
    image : ndarray of float32, (Y, X)
        In [0, 1].
    labels : ndarray of int32, (Y, X)
        1 to n.
    source : str
        Data set it comes from.
    is_sharp : bool
        Whether its objects are in focus.
    """

    image: Float
    labels: NDArray[np.int32]
    source: str
    is_sharp: bool = True

    @cached_property
    def boxes(self) -> list[Box]:
        """Rows and columns of each object."""
        return find_boxes(self.labels)

    @cached_property
    def neighbours(self) -> dict[int, list[int]]:
        """For each object those that it touches, or nearly."""
        wide = cv2.dilate(self.labels.astype(np.float32), np.ones((3, 3), np.uint8))
        pairs = set()
        for dy, dx in ((0, 1), (1, 0), (1, 1)):
            height, width = wide.shape
            one = wide[: height - dy, : width - dx]
            other = wide[dy:, dx:]
            meet = (one != other) & (one > 0) & (other > 0)
            pairs |= set(zip(one[meet].astype(int), other[meet].astype(int), strict=True))
        out: dict[int, list[int]] = {n: [] for n in range(1, len(self.boxes) + 1)}
        for one, other in sorted(pairs | {(b, a) for a, b in pairs}):
            out[one].append(other)
        return out

    @cached_property
    def far(self) -> Mask:
        """Ground that is well away from every object."""
        return np.asarray(cv2.dilate((self.labels > 0).astype(np.uint8), np.ones((7, 7))) == 0)

    def mask_of(self, numbers: Iterable[int]) -> Mask:
        """Some objects as one, without the clefts between them."""
        mask = np.isin(self.labels, list(numbers)).astype(np.uint8)
        return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3))) > 0)

    def group(self, count: int, rng: np.random.Generator) -> list[int]:
        """So many objects that touch each other, or fewer where there are no more."""
        chosen = [int(rng.integers(1, len(self.boxes) + 1))]
        while len(chosen) < count:
            near = {n for each in chosen for n in self.neighbours[each]} - set(chosen)
            if not near:
                break
            chosen.append(int(rng.choice(sorted(near))))
        return chosen


def by_source(items: Sequence[T], name: Callable[[T], str]) -> list[list[T]]:
    """Items of each source together, in the order of their names."""
    return [[each for each in items if name(each) == n] for n in sorted({name(i) for i in items})]


def width_of(mask: Mask) -> float:
    """Width of a body in pixels: twice the largest distance to its border."""
    return 2 * float(cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5).max())


def read_planes(
    pairs: Iterable[Pair], preparation: Preparation, thinnest: float = 0.0
) -> list[Plane]:
    """Open images.

    Parameters
    ----------
    pairs : iterable of Pair
    preparation : Preparation
    thinnest : float
        Objects that are nowhere as wide (px) are left out.

    Returns
    -------
    list of Plane
        Those that hold any object.
    """
    planes = []
    for pair in pairs:
        image, labels = pair.read()
        kept = np.zeros(len(find_boxes(labels)) + 1, np.int32)
        for number, box in enumerate(find_boxes(labels), start=1):
            if width_of(labels[box] == number) >= thinnest:
                kept[number] = kept.max() + 1
        if kept.any():
            planes.append(Plane(prepare(image, preparation)[0], kept[labels], pair.source))
    return planes
