"""Spheroids of real images, and the same distorted on purpose."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ...inference.prepare import prepare
from ...models import Preparation
from ...segmentation.geometry import Box
from ...synthetic import smooth_noise
from .blurred import out_of_focus
from .examples import Example, window
from .planes import Mask, Plane, by_source, width_of
from .spheroids import BLUR, CLASSES, Waves, outline, pieces_of, shifted, together

SOLID = 0.94
"""Part of its convex hull that an intact object fills at least."""
RAGGED = 0.85
"""Part of its convex hull that an irregular object fills at most."""
_LEAST_AREA = 400  # px; what is smaller is a cell beside a spheroid, or an outline of few pixels


class FoundSpheroids:
    """Examples from images whose spheroids or organoids are outlined.

    Intact are objects that fill their convex hull, irregular those that do not or whose outline
    was bent; fragments were cut from intact ones, and what is out of focus was blurred.

    Parameters
    ----------
    planes : sequence of Plane
    preparation : Preparation
        What the model asks for.
    ragged : sequence of str
        Sources whose objects are irregular where they do not fill their hull; in others such an
        object may be one that another hides in part.
    """

    kinds = CLASSES

    def __init__(
        self, planes: Sequence[Plane], preparation: Preparation, ragged: Sequence[str] = ()
    ) -> None:
        self.preparation = preparation
        solid: list[tuple[Plane, int]] = []
        uneven: list[tuple[Plane, int]] = []
        for plane in planes:
            for number, box in enumerate(plane.boxes, start=1):
                mask = plane.labels[box] == number
                if mask.sum() < _LEAST_AREA or _at_edge(box, plane.labels.shape):
                    continue
                solidity = solidity_of(mask)
                if solidity >= SOLID:
                    solid.append((plane, number))
                elif solidity <= RAGGED and plane.source in ragged:
                    uneven.append((plane, number))
        self._solid, self._uneven = (
            by_source(each, lambda found: found[0].source) for each in (solid, uneven)
        )

    def draw(self, kind: str, rng: np.random.Generator) -> Example:
        """Choose an example of a class; each source is as likely."""
        if kind == "irregular" and self._uneven and rng.random() < 0.4:
            return self._any(self._uneven, rng)
        if kind == "intact":
            return self._any(self._solid, rng)
        seen = self._any(self._solid, rng, 0.4)
        if kind == "irregular":
            return bent(seen, outline(rng, irregular=True))
        if kind == "fragmented":
            return broken(seen, rng)
        blurred, mask = out_of_focus(seen.image, seen.mask, rng, width_of(seen.mask), BLUR)
        if rng.random() < 0.5:  # everything in the image may be out of focus
            blurred = prepare(blurred, self.preparation)[0]
        return Example(np.clip(blurred, 0, 1), mask, f"{seen.source} blurred")

    @staticmethod
    def _any(
        sources: list[list[tuple[Plane, int]]], rng: np.random.Generator, around: float = 0.0
    ) -> Example:
        objects = sources[rng.integers(len(sources))]
        plane, number = objects[rng.integers(len(objects))]
        return window(plane.image, plane.labels == number, plane.source, around)


def _at_edge(box: Box, shape: tuple[int, ...]) -> bool:
    return any(side.start == 0 or side.stop == n for side, n in zip(box, shape, strict=True))


def solidity_of(mask: Mask) -> float:
    """Part of its convex hull that an object fills."""
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    hull = cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), cv2.convexHull(points), 1)
    return float(mask.sum() / max(int(hull.sum()), 1))


def bent(example: Example, waves: Waves) -> Example:
    """An object whose outline was drawn out here and pressed in there.

    Parameters
    ----------
    example : Example
    waves : tuple
        Of the radius, as `outline` makes them.
    """
    ys, xs = np.nonzero(example.mask)
    cy, cx = float(ys.mean()), float(xs.mean())
    y, x = (n.astype(np.float32) for n in np.indices(example.mask.shape))
    angle = np.arctan2(y - cy, x - cx)
    stretch = np.ones_like(y)
    for order, strength, phase in waves:
        stretch += np.float32(strength) * np.cos(order * angle + np.float32(phase))
    stretch = np.clip(stretch, 0.4, 1.8)
    at = ((x - cx) / stretch + cx, (y - cy) / stretch + cy)
    image = cv2.remap(example.image, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    mask = cv2.remap(example.mask.astype(np.float32), *at, cv2.INTER_LINEAR, borderValue=0) > 0.5
    return Example(np.asarray(image, np.float32), np.asarray(mask), f"{example.source} bent")


def broken(example: Example, rng: np.random.Generator) -> Example:
    """An object that fell apart, on ground like that around it."""
    around = example.image[~example.mask]
    grain = min(float(around.std()), 0.05) * smooth_noise(rng, example.mask.shape, 1.5)
    image = np.asarray(np.median(around) + grain, np.float32)
    parts = []
    for part, shift in pieces_of(example.mask, rng):
        there = shifted(part, shift) > 0
        soft = cv2.GaussianBlur(there.astype(np.float32), (0, 0), 0.7)
        moved = np.asarray(shifted(example.image, shift), np.float32)
        image = image + soft * (moved - image)
        parts.append(there)
    mask = together(parts) if parts else example.mask
    return Example(np.clip(image, 0, 1), mask, f"{example.source} broken")
