"""Groups of cells as geometry: bent rods and ovals that touch, and neighbours that do not.

Lengths are in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
_TURN = 2 * np.pi


@dataclass(frozen=True, eq=False)
class Cell:
    """A bent rod with round ends; a short one is an oval or a disc.

    Attributes
    ----------
    spine : ndarray of float, (n, 2)
        Points y, x on its middle line.
    radius : float
        Half of its width.
    """

    spine: NDArray[np.float64]
    radius: float

    def moved(self, shift: NDArray[np.float64]) -> Cell:
        """The same elsewhere."""
        return replace(self, spine=self.spine + shift)

    def gap_to(self, others: list[Cell]) -> float:
        """Distance to the nearest of others; negative where they overlap."""
        return min(
            float(np.linalg.norm(self.spine[:, None] - other.spine[None], axis=-1).min())
            - self.radius
            - other.radius
            for other in others
        )

    def distance(self, shape: tuple[int, int]) -> Float:
        """Distance of every pixel to the middle line."""
        clear = np.full(shape, 255, np.uint8)
        points = np.round(self.spine[:, ::-1] * 16).astype(np.int32)
        cv2.polylines(clear, [points], False, 0, 1, cv2.LINE_8, 4)
        distance = cv2.distanceTransform(clear, cv2.DIST_L2, 5)
        return np.asarray(np.minimum(distance, 1000), np.float32)  # inf where it is all outside


@dataclass(frozen=True)
class _Strain:
    """What cells of one image have in common."""

    radius: float
    length: float
    bend: float

    def cell(self, rng: np.random.Generator, angle: float, size: float = 1.0) -> Cell:
        radius = self.radius * size * float(rng.uniform(0.92, 1.08))
        half = max(0.0, self.length * size * float(rng.uniform(0.75, 1.25)) - 1) * radius
        line = np.linspace(-half, half, 15)
        bend = self.bend * float(rng.normal())
        heading = angle + bend * line / max(self.radius * self.length, 1)
        steps = np.stack([np.sin(heading), np.cos(heading)], -1) * (line[1] - line[0])
        spine = np.cumsum(steps, axis=0)
        return Cell(spine - spine.mean(axis=0), radius)


def _strain(rng: np.random.Generator) -> _Strain:
    kind = rng.choice(["rod", "oval", "disc", "filament"], p=[0.5, 0.2, 0.2, 0.1])
    radius = float(np.exp(rng.uniform(np.log(2.2), np.log(16))))
    if kind == "filament":
        return _Strain(min(radius, 5.0), float(rng.uniform(6, 14)), float(rng.uniform(0.1, 0.8)))
    length = {"rod": (1.6, 4.5), "oval": (1.15, 1.6), "disc": (1.0, 1.12)}[str(kind)]
    return _Strain(radius, float(rng.uniform(*length)), float(rng.uniform(0, 0.25)))


def _beside(rng: np.random.Generator, strain: _Strain, group: list[Cell], in_line: float) -> Cell:
    """A cell that touches one of a group; grown from its end with the chance `in_line`."""
    other = group[rng.integers(len(group))]
    along = other.spine[-1] - other.spine[0]
    along = along if np.linalg.norm(along) > 0.1 else rng.normal(size=2)
    angle = float(np.arctan2(*along))
    if rng.random() < in_line:
        direction = (along if rng.random() < 0.5 else -along) / np.linalg.norm(along)
        # a daughter is as large as its mother, or a bud
        cell = strain.cell(rng, angle + float(rng.normal(0, 0.25)), float(rng.uniform(0.55, 1.05)))
    else:
        turned = rng.uniform(0, _TURN)
        direction = np.array([np.sin(turned), np.cos(turned)])
        parallel = rng.random() < 0.6
        cell = strain.cell(rng, angle + float(rng.normal(0, 0.15) if parallel else turned))
    near, far = 0.0, float(np.linalg.norm(other.spine, axis=1).max()) * 2 + 200.0
    touch = float(rng.uniform(-0.3, 0.08)) * strain.radius
    middle = other.spine.mean(axis=0)
    for _ in range(12):  # out along the direction until they just touch
        half = (near + far) / 2
        if cell.moved(middle + half * direction).gap_to(group) < touch:
            near = half
        else:
            far = half
    return cell.moved(middle + far * direction)


def group_of(rng: np.random.Generator, strain: _Strain, count: int) -> list[Cell]:
    """Cells that touch; two are most often about to divide."""
    group = [strain.cell(rng, float(rng.uniform(0, _TURN)))]
    in_line = 0.65 if count == 2 else 0.25
    while len(group) < count:
        group.append(_beside(rng, strain, group, in_line))
    return group


@dataclass(frozen=True, eq=False)
class Scene:
    """Cells on a canvas.

    Attributes
    ----------
    distances : list of ndarray of float32, (y, x)
        To the middle line of each cell, in units of its radius: 1 at its border.
    own : int
        How many of them are the object; the others are neighbours.
    radius : float
        Usual half width.
    """

    distances: list[Float]
    own: int
    radius: float

    @property
    def shape(self) -> tuple[int, int]:
        """Of the canvas."""
        height, width = self.distances[0].shape
        return height, width

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The object, without the clefts that a segmentation closes."""
        inside = np.min(self.distances[: self.own], axis=0) <= 1
        if self.own > 1:
            cross = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
            inside = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_CLOSE, cross) > 0
        return np.asarray(inside)


def scene(rng: np.random.Generator, count: int) -> Scene:
    """A group of cells in the middle of a canvas, often with neighbours."""
    strain = _strain(rng)
    group = group_of(rng, strain, count)
    points = np.concatenate([cell.spine for cell in group])
    pad = strain.radius * 2 + 14
    low, high = points.min(axis=0) - pad, points.max(axis=0) + pad
    height, width = (int(n) for n in np.ceil(high - low))
    cells = [cell.moved(-low) for cell in group]
    for _ in range(int(rng.integers(0, 4))):  # they touch no cell of the object
        other = strain.cell(rng, float(rng.uniform(0, _TURN)))
        other = other.moved(rng.uniform((0, 0), (height, width)))
        if other.gap_to(cells) > 2.5:
            cells.append(other)
    distances = [cell.distance((height, width)) / np.float32(cell.radius) for cell in cells]
    return Scene(distances, count, strain.radius)
