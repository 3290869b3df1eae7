"""How a training image is varied, so that other microscopes and magnifications look familiar.

Everything that moves pixels is put into one map from the sample to the image, so that grey values
are interpolated once. What changes grey values is MONAI's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .settings import Augmentation

Float = NDArray[np.float32]


def draw_map(
    rng: np.random.Generator,
    side: int,
    scale: float,
    centre: tuple[float, float],
    settings: Augmentation,
) -> tuple[Float, Float]:
    """Where in the image each pixel of a sample comes from.

    Parameters
    ----------
    rng : Generator
    side : int
        Of the sample, in pixels.
    scale : float
        Pixels of the sample for one of the image.
    centre : (float, float)
        Middle of the sample in the image, y and x.
    settings : Augmentation

    Returns
    -------
    tuple of ndarray of float32, (side, side)
        x and y in the image, as ``cv2.remap`` takes them.
    """
    half = side / 2
    line = np.arange(side, dtype=np.float32) - np.float32(half - 0.5)
    x, y = np.meshgrid(line, line)
    if rng.random() < settings.optical:  # barrel or cushion
        bent = 1 + np.float32(rng.uniform(-0.15, 0.15)) * (x**2 + y**2) / np.float32(half**2)
        x, y = x * bent, y * bent
    if rng.random() < settings.grid:  # cells of a coarse grid grow and shrink
        x, y = (_uneven(rng, axis, half) for axis in (x, y))
    if rng.random() < settings.elastic:
        nodes = int(rng.integers(4, 9))
        reach = rng.uniform(0.05, 0.25) * side / nodes
        x, y = (axis + _smooth_field(rng, nodes, side) * np.float32(reach) for axis in (x, y))
    angle = rng.uniform(0, 2 * np.pi) if settings.rotate else 0.0
    flip = -1 if settings.flip and rng.random() < 0.5 else 1
    stretch = rng.uniform(-settings.stretch, settings.stretch) / 2
    across, along = flip * (1 + stretch) / scale, (1 - stretch) / scale
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    x, y = x * np.float32(across), y * np.float32(along)
    x, y = cos * x - sin * y + np.float32(centre[1]), sin * x + cos * y + np.float32(centre[0])
    return x, y


def _smooth_field(rng: np.random.Generator, nodes: int, side: int) -> Float:
    """Random field of unit deviation at its nodes, (side, side)."""
    coarse = rng.standard_normal((nodes, nodes)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def _uneven(rng: np.random.Generator, axis: Float, half: float) -> Float:
    """One axis, stretched here and compressed there by up to a third."""
    steps = np.cumsum(np.concatenate([[0], rng.uniform(0.7, 1.3, 5)]))
    nodes = (steps / steps[-1] * 2 - 1) * half
    return np.asarray(np.interp(axis, np.linspace(-half, half, 6), nodes), np.float32)


def take(
    image: NDArray[Any], where: tuple[Float, Float], interpolation: int = cv2.INTER_LINEAR
) -> NDArray[Any]:
    """The pixels of an image that a map asks for; mirrored beyond the border."""
    return np.asarray(cv2.remap(image, *where, interpolation, borderMode=cv2.BORDER_REFLECT_101))


def vary_grey(image: Float, rng: np.random.Generator, settings: Augmentation) -> Float:
    """Another microscope's grey values.

    Parameters
    ----------
    image : ndarray of float32, (C, y, x)
        In [0, 1].
    rng : Generator
    settings : Augmentation

    Returns
    -------
    ndarray of float32, (C, y, x)
        In [0, 1].
    """
    if rng.random() < settings.invert:
        image = 1 - image
    if rng.random() < settings.out_of_focus:
        image = image + _neighbours(rng, image.shape[1], image.shape[2])
    varied = _grey_transforms(settings).set_random_state(int(rng.integers(2**31)))(image)
    return np.clip(np.asarray(varied, np.float32), 0, 1)


def _neighbours(rng: np.random.Generator, height: int, width: int) -> Float:
    """Blurred discs, darker or brighter than the image: bodies in other planes."""
    out = np.zeros((height, width), np.float32)
    strength = float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.5))
    for _ in range(int(rng.integers(1, 4))):
        radius = float(rng.uniform(0.05, 0.2)) * min(height, width)
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        disc = cv2.circle(np.zeros_like(out), centre, round(radius), strength, -1)
        blurred = cv2.GaussianBlur(disc, (0, 0), radius * float(rng.uniform(0.4, 0.7)))
        out = out + np.asarray(blurred, np.float32)
    return out


@lru_cache(maxsize=2)
def _grey_transforms(settings: Augmentation) -> Any:
    from monai import transforms as mt

    keep_range: Callable[[Any], Any] = lambda image: image.clip(0, 1)  # noqa: E731
    steps = [
        mt.Lambda(keep_range),
        mt.RandAdjustContrast(prob=settings.gamma, gamma=(0.5, 2.0)),
        mt.RandScaleIntensityFixedMean(
            prob=settings.contrast, factors=(-0.4, 0.3), preserve_range=False
        ),
        mt.RandShiftIntensity(offsets=0.15, prob=settings.brightness),
        mt.RandBiasField(prob=settings.vignetting, degree=2, coeff_range=(-0.25, 0.25)),
        mt.RandGaussianSmooth(prob=settings.blur, sigma_x=(0.4, 2.0), sigma_y=(0.4, 2.0)),
        mt.RandGaussianNoise(prob=settings.noise, std=0.08),
    ]
    return mt.Compose(steps, map_items=False)
