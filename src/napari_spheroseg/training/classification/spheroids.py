"""Spheroids that are drawn: whole, of irregular outline, in fragments, out of focus."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models import Preparation
from ...synthetic import RENDERERS, Body, smooth_noise
from .blurred import out_of_focus
from .camera import on_camera, roughly
from .examples import Example

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
Waves = tuple[tuple[int, float, float], ...]
CLASSES = ("intact", "irregular", "fragmented", "out-of-focus")
BLUR = (0.15, 0.4)
"""Least and largest radius of the blur of what is out of focus, in diameters."""


def outline(rng: np.random.Generator, irregular: bool) -> Waves:
    """Waves of an outline: order, strength, phase.

    Parameters
    ----------
    rng : Generator
    irregular : bool
        Whether they add up to 0.3 to 0.8 of the radius, instead of at most 0.08.
    """
    orders = np.arange(2, 9)
    strength = np.abs(rng.normal(size=len(orders))) / orders ** float(rng.uniform(0.4, 1))
    total = float(rng.uniform(0.3, 0.8) if irregular else rng.uniform(0, 0.08))
    strength *= total / strength.sum()
    phases = rng.uniform(0, 2 * np.pi, len(orders))
    return tuple(
        (int(n), float(s), float(p)) for n, s, p in zip(orders, strength, phases, strict=True)
    )


Parts = list[tuple[Mask, tuple[int, int]]]


def pieces_of(mask: Mask, rng: np.random.Generator) -> Parts:
    """A body that broke into parts or crumbles, and where each part has gone.

    Parameters
    ----------
    mask : ndarray of bool, (y, x)
        The body; at least some 20 px.
    rng : Generator

    Returns
    -------
    list of (ndarray of bool, (int, int))
        Each part where it was, and how far it moved down and right (px).
    """
    points = np.argwhere(mask)
    middle = points.mean(axis=0)
    reach = float(np.hypot(*np.ptp(points, axis=0))) / 2.8
    parts = (_broken if rng.random() < 0.5 else _crumbling)(mask, rng, middle, reach)
    return [(part, shift) for part, shift in parts if part.sum() >= 3]


def _broken(mask: Mask, rng: np.random.Generator, middle: NDArray[Any], reach: float) -> Parts:
    """A few parts with jagged borders, all of them on their way out."""
    points = np.argwhere(mask)
    seeds = points[rng.integers(len(points), size=int(rng.integers(3, 9)))].astype(float)
    y, x = np.indices(mask.shape)
    jagged = 0.15 * reach * np.stack([smooth_noise(rng, mask.shape, 0.2 * reach) for _ in seeds])
    nearest = np.argmin(
        np.hypot(*(n - seeds.T[i][:, None, None] for i, n in enumerate((y, x)))) + jagged, axis=0
    )
    parts = []
    for number, seed in enumerate(seeds):
        way = (seed - middle) + rng.normal(0, 0.3 * reach, 2)
        way *= float(rng.uniform(0.1, 0.6)) * reach / max(float(np.linalg.norm(way)), 1)
        dy, dx = np.round(way).astype(int)
        parts.append((np.asarray(mask & (nearest == number)), (int(dy), int(dx))))
    return parts


def _crumbling(mask: Mask, rng: np.random.Generator, middle: NDArray[Any], reach: float) -> Parts:
    """What is left of a body, and crumbs around it."""
    y, x = np.indices(mask.shape)
    angle = np.arctan2(y - middle[0], x - middle[1])
    border = np.full(mask.shape, float(rng.uniform(0.35, 0.75)))
    for order, strength, phase in outline(rng, irregular=True):
        border += 0.4 * strength * np.cos(order * angle + phase)
    parts: Parts = [(mask & (np.hypot(y - middle[0], x - middle[1]) < border * reach), (0, 0))]
    points = np.argwhere(mask)
    for _ in range(int(rng.integers(4, 16))):
        cy, cx = points[rng.integers(len(points))]
        size = reach * float(rng.uniform(0.06, 0.25))
        crumb = mask & (np.hypot(y - cy, (x - cx) * float(rng.uniform(0.6, 1.6))) <= size)
        turned, far = rng.uniform(0, 2 * np.pi), reach * float(rng.uniform(0.7, 1.6))
        to = middle + far * np.array([np.sin(turned), np.cos(turned)])
        parts.append((np.asarray(crumb), (int(to[0] - cy), int(to[1] - cx))))
    return parts


def shifted(plane: NDArray[Any], shift: tuple[int, int]) -> NDArray[Any]:
    """A plane moved down and right, with zeros where nothing comes from."""
    out = np.zeros_like(plane)
    (dy, dx), (height, width) = shift, plane.shape
    to = slice(max(0, dy), height + min(0, dy)), slice(max(0, dx), width + min(0, dx))
    of = slice(max(0, -dy), height + min(0, -dy)), slice(max(0, -dx), width + min(0, -dx))
    out[to] = plane[of]
    return out


def depth_of(mask: Mask) -> Float:
    """How far inside a pixel lies: 0 in the middle of the widest place, 1 at the border."""
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    widest = max(float(inside.max()), 1.0)
    return np.asarray(1 - inside / widest + outside / widest, np.float32)


class DrawnSpheroids:
    """Draws spheroids of all classes.

    Parameters
    ----------
    preparation : Preparation
        What the model asks for.
    """

    kinds = CLASSES
    source = "drawn spheroids"

    def __init__(self, preparation: Preparation) -> None:
        self.preparation = preparation

    def draw(self, kind: str, rng: np.random.Generator) -> Example:
        """Draw an example of a class."""
        radius = float(np.exp(rng.uniform(np.log(9), np.log(55))))
        side = int(3.6 * radius) + 16
        irregular = kind == "irregular" or (kind == "out-of-focus" and rng.random() < 0.3)
        body = Body(side / 2, side / 2, radius, outline(rng, irregular))
        depths = [body.depth((side, side))]
        mask = depths[0] <= 1
        if kind == "fragmented":
            parts = [shifted(part, shift) > 0 for part, shift in pieces_of(mask, rng)]
            depths = [depth_of(part) for part in parts]
            mask = together(parts)
        render = RENDERERS[str(rng.choice(["brightfield", "fluorescence"]))]
        grey = render(rng, (side, side), depths, (0.05, 0.2))
        if kind == "out-of-focus":
            grey, mask = out_of_focus(grey, mask, rng, 2 * radius, BLUR)
        elif kind != "fragmented":
            mask = roughly(mask, rng)
        return Example(on_camera(grey, rng, self.preparation), mask, self.source)


def together(parts: list[Mask]) -> Mask:
    """Parts as one object, without the narrow clefts between them."""
    mask = np.any(parts, axis=0).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3))) > 0)
