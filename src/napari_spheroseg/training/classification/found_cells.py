"""Cells of real images: alone, joined with those that they touch, and out of focus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from ...inference.prepare import prepare
from ...models import Preparation
from .blurred import out_of_focus
from .cells import CLASSES
from .dirt import largest_piece
from .examples import Example, window
from .planes import Mask, Plane, by_source, width_of

_TRIES = 50
_PLANES_OUT_OF_FOCUS = 0.25  # the others are blurred: there are few such planes


class FoundCells:
    """Examples from images whose cells are outlined one by one.

    A joint cell is two outlines that touch, a clump three or more. What is out of focus is a
    plane that was taken so, or a sharp one blurred. Noise is ground that holds no cell.

    Parameters
    ----------
    planes : sequence of Plane
        Of cells.
    dirty : sequence of Plane
        Images with dirt beside their objects.
    preparation : Preparation
        What the model asks for.
    shares : dict of str to float
        How often each source of cells is chosen; by default all alike.
    """

    kinds = CLASSES

    def __init__(
        self,
        planes: Sequence[Plane],
        dirty: Sequence[Plane],
        preparation: Preparation,
        shares: Mapping[str, float] | None = None,
    ) -> None:
        self.preparation = preparation
        self._sharp = by_source([each for each in planes if each.is_sharp], _source)
        self._blurred = [plane for plane in planes if not plane.is_sharp]
        self._dirty = by_source(dirty, _source)
        self._shares = dict(shares or {})

    def draw(self, kind: str, rng: np.random.Generator) -> Example:
        """Choose an example of a class; each source is as likely."""
        if kind == "noise":
            return self._noise(rng)
        if kind == "off-focus":
            return self._off_focus(rng)
        least, most = {"single-cell": (1, 1), "joint-cell": (2, 2)}.get(kind, (3, 8))
        plane, numbers = self._group(least, most, rng)
        return window(plane.image, plane.mask_of(numbers), plane.source)

    def _off_focus(self, rng: np.random.Generator) -> Example:
        if self._blurred and rng.random() < _PLANES_OUT_OF_FOCUS:
            plane = self._blurred[rng.integers(len(self._blurred))]
            numbers = plane.group(1, rng)
            return window(plane.image, plane.mask_of(numbers), f"{plane.source} out of focus")
        plane, numbers = self._group(1, 3, rng)
        seen = window(plane.image, plane.mask_of(numbers), f"{plane.source} blurred", 0.4)
        image, mask = out_of_focus(seen.image, seen.mask, rng, width_of(seen.mask))
        if rng.random() < 0.5:  # everything in the image may be out of focus
            image = prepare(image, self.preparation)[0]
        return Example(np.clip(image, 0, 1), mask, seen.source)

    def _noise(self, rng: np.random.Generator) -> Example:
        for _ in range(_TRIES):
            dirty = self._dirty and rng.random() < 0.5
            plane = self._any(self._dirty if dirty else self._sharp, rng)
            mask = _dirt(plane, rng) if dirty else _ground(plane, rng)
            if mask is not None:
                return window(plane.image, mask, f"{plane.source} {'dirt' if dirty else 'ground'}")
        raise AssertionError("images without any ground cannot give noise")

    def _any(self, sources: list[list[Plane]], rng: np.random.Generator) -> Plane:
        """A plane: of a source by its share, and within it by its number of objects."""
        chances = np.array([self._shares.get(planes[0].source, 1.0) for planes in sources])
        planes = sources[rng.choice(len(sources), p=chances / chances.sum())]
        counts = np.sqrt([len(plane.boxes) for plane in planes])
        return planes[rng.choice(len(planes), p=counts / counts.sum())]

    def _group(self, least: int, most: int, rng: np.random.Generator) -> tuple[Plane, list[int]]:
        """Objects that touch, as many as asked for."""
        for _ in range(_TRIES):
            plane = self._any(self._sharp, rng)
            numbers = plane.group(int(rng.integers(least, most + 1)), rng)
            if len(numbers) >= least:
                return plane, numbers
        raise AssertionError(f"no {least} objects touch in any image")


def _source(plane: Plane) -> str:
    return plane.source


def _ground(plane: Plane, rng: np.random.Generator) -> Mask | None:
    """The outline of some object, laid on ground that holds none; None where it does not fit."""
    number = int(rng.integers(1, len(plane.boxes) + 1))
    shape = np.rot90(plane.labels[plane.boxes[number - 1]] == number, int(rng.integers(4)))
    free = [n - m for n, m in zip(plane.labels.shape, shape.shape, strict=True)]
    if min(free) < 1:
        return None
    for _ in range(_TRIES):
        top, left = int(rng.integers(free[0])), int(rng.integers(free[1]))
        place = slice(top, top + shape.shape[0]), slice(left, left + shape.shape[1])
        if plane.far[place][shape].all():
            mask = np.zeros(plane.labels.shape, bool)
            mask[place] = shape
            return mask
    return None


def _dirt(plane: Plane, rng: np.random.Generator) -> Mask | None:
    """A small thing that stands out from the ground and belongs to no object."""
    unlike = np.abs(plane.image - cv2.GaussianBlur(plane.image, (0, 0), 6))
    out = ((unlike > float(rng.uniform(0.04, 0.12))) & plane.far).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(out, connectivity=8)
    small = np.flatnonzero((stats[1:, cv2.CC_STAT_AREA] >= 6) & (stats[1:, cv2.CC_STAT_AREA] < 300))
    return largest_piece(labels == 1 + rng.choice(small)) if len(small) else None
