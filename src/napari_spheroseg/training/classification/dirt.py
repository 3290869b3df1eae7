"""What is no cell, and is outlined all the same: specks, debris, fibres, halo, and nothing."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ...synthetic import smooth_noise

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]


def draw(grey: Float, cells: Mask, rng: np.random.Generator) -> tuple[Float, Mask]:
    """Put something that is no cell beside cells.

    Parameters
    ----------
    grey : ndarray of float32, (y, x)
        View of cells; not changed.
    cells : ndarray of bool, (y, x)
        Where they are.
    rng : Generator

    Returns
    -------
    image : ndarray of float32, (y, x)
    mask : ndarray of bool, (y, x)
        Of what is no cell; not empty.
    """
    kinds: tuple[Callable[[Float, Mask, np.random.Generator], tuple[Float, Mask]], ...]
    kinds = (_specks, _debris, _debris, _fibre, _nothing, _halo)
    while True:  # a piece may fall outside, or be too small to be outlined
        image, mask = kinds[rng.integers(len(kinds))](grey, cells, rng)
        if mask.sum() >= 4:
            return image, largest_piece(mask)


def largest_piece(mask: Mask) -> Mask:
    """The largest of the connected parts of a mask."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))


def _ground(grey: Float, cells: Mask, rng: np.random.Generator) -> Float:
    """The same image without its cells, with a slow unevenness."""
    level = float(np.median(grey[~cells])) if not cells.all() else 0.5
    return np.asarray(level + 0.02 * smooth_noise(rng, grey.shape, 12.0), np.float32)


def _strength(rng: np.random.Generator) -> float:
    return float(rng.choice([-1, 1]) * rng.uniform(0.1, 0.6))


def _centre(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[float, float]:
    return float(rng.uniform(0.3, 0.7) * shape[0]), float(rng.uniform(0.3, 0.7) * shape[1])


def _specks(grey: Float, cells: Mask, rng: np.random.Generator) -> tuple[Float, Mask]:
    """Dust: a few round dots, one or some of them outlined together."""
    out, mask = _ground(grey, cells, rng), np.zeros(grey.shape, np.float32)
    y, x = _centre(grey.shape, rng)
    for _ in range(int(rng.integers(1, 5))):
        spot = np.zeros_like(mask)
        at = (int(x + rng.normal(0, 3)), int(y + rng.normal(0, 3)))
        cv2.circle(spot, at, int(rng.integers(0, 3)), 1.0, -1)
        mask = np.maximum(mask, cv2.GaussianBlur(spot, (0, 0), 0.6))
    return out + np.float32(_strength(rng)) * mask, mask > 0.25


def _debris(grey: Float, cells: Mask, rng: np.random.Generator) -> tuple[Float, Mask]:
    """Fragments: jagged outlines, coarse grain."""
    y, x = _centre(grey.shape, rng)
    count = int(rng.integers(5, 14))
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    size = float(np.exp(rng.uniform(np.log(3), np.log(0.4 * min(grey.shape)))))
    reach = size * rng.uniform(0.3, 1, count)
    points = np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], -1)
    mask = np.zeros(grey.shape, np.uint8)
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    grain = smooth_noise(rng, grey.shape, float(rng.uniform(0.6, 2.5)))
    body = mask * (_strength(rng) + float(rng.uniform(0.05, 0.35)) * grain)
    seen = _ground(grey, cells, rng) + cv2.GaussianBlur(np.asarray(body, np.float32), (0, 0), 0.7)
    return np.asarray(seen, np.float32), mask > 0


def _fibre(grey: Float, cells: Mask, rng: np.random.Generator) -> tuple[Float, Mask]:
    """Fibres and scratches: thin, long, with kinks, much thinner than a cell."""
    count = int(rng.integers(3, 7))
    steps = rng.normal(0, 0.15 * min(grey.shape), (count, 2)) + rng.normal(0, 6, 2)
    y, x = _centre(grey.shape, rng)
    spine = np.cumsum(steps, axis=0)
    points = np.round((spine - spine.mean(axis=0) + (x, y)) * 16).astype(np.int32)
    line = np.zeros(grey.shape, np.float32)
    cv2.polylines(line, [points], False, 1.0, int(rng.integers(1, 3)), cv2.LINE_AA, 4)
    line = cv2.GaussianBlur(line, (0, 0), 0.6)
    return _ground(grey, cells, rng) + np.float32(_strength(rng)) * line, line > 0.25


def _nothing(grey: Float, cells: Mask, rng: np.random.Generator) -> tuple[Float, Mask]:
    """Ground that a threshold took for something."""
    field = smooth_noise(rng, grey.shape, float(rng.uniform(1.2, 6)))
    far = cv2.dilate(cells.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    image = grey if rng.random() < 0.5 else _ground(grey, cells, rng)
    image = image + float(rng.uniform(0, 0.04)) * field
    return np.asarray(image, np.float32), (field > float(rng.uniform(0.8, 1.8))) & far


def _halo(grey: Float, cells: Mask, rng: np.random.Generator) -> tuple[Float, Mask]:
    """A crescent beside cells: light around them, not they."""
    outside = cv2.distanceTransform((~cells).astype(np.uint8), cv2.DIST_L2, 5)
    start = float(rng.uniform(0.5, 2))
    ring = (outside > start) & (outside <= start + float(rng.uniform(1.5, 4)))
    y, x = np.indices(grey.shape)
    turned = float(rng.uniform(0, 2 * np.pi))
    ys, xs = np.nonzero(cells)
    side = (y - ys.mean()) * np.sin(turned) + (x - xs.mean()) * np.cos(turned)
    return grey, ring & (side > 0)
