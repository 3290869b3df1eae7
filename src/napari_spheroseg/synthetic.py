"""Synthetic microscope images of spheroids, with truth, from a seed.

They look like the real thing where it matters to a network: dark rim and halo, uneven
illumination, debris, neighbours out of focus, noise. Sample data, tests and training use them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import BadSetting

Float = NDArray[np.float32]
Modality = Literal["brightfield", "fluorescence", "any"]


@dataclass(frozen=True)
class SyntheticImage:
    """An image and its truth.

    Attributes
    ----------
    image : ndarray of uint16, (Y, X)
        Grey values as a 12-bit camera gives them.
    labels : ndarray of int32, (Y, X)
        Spheroids in focus, 1 to n; 0 is background.
    pixel_size : float
        Micrometres per pixel that the sizes stand for.
    """

    image: NDArray[np.uint16]
    labels: NDArray[np.int32]
    pixel_size: float


@dataclass(frozen=True)
class Body:
    """A star-shaped body: centre, mean radius, and the waves of its outline."""

    y: float
    x: float
    radius: float
    waves: tuple[tuple[int, float, float], ...]

    def depth(self, shape: tuple[int, int]) -> Float:
        """Distance from the centre in units of the outline: 0 in the middle, 1 at the rim."""
        dy = np.arange(shape[0], dtype=np.float32)[:, None] - np.float32(self.y)
        dx = np.arange(shape[1], dtype=np.float32)[None, :] - np.float32(self.x)
        angle = np.arctan2(dy, dx)
        outline = np.ones_like(angle)
        for order, strength, phase in self.waves:
            outline += np.float32(strength) * np.cos(order * angle + np.float32(phase))
        depth: Float = np.hypot(dy, dx) / (np.float32(self.radius) * outline)
        return depth


def spheroids(
    shape: tuple[int, int] = (512, 512),
    count: int = 6,
    modality: Modality = "brightfield",
    *,
    seed: int = 0,
    radius: tuple[float, float] = (0.05, 0.12),
    pixel_size: float = 1.3,
) -> SyntheticImage:
    """Draw spheroids as a microscope would show them.

    Parameters
    ----------
    shape : (int, int)
        Height and width in pixels.
    count : int
        Spheroids in focus; fewer where no room is left.
    modality : {"brightfield", "fluorescence", "any"}
        Dark bodies on a bright ground, or bright ones on a dark ground; or of any grey, grain and
        rim, as no microscope in particular shows them.
    seed : int
        The same seed gives the same image.
    radius : (float, float)
        Smallest and largest mean radius, as parts of the shorter side.
    pixel_size : float
        Micrometres per pixel, passed on.

    Returns
    -------
    SyntheticImage
        Image, labels and pixel size.

    Raises
    ------
    BadSetting
        Where `modality` is unknown.
    """
    render = RENDERERS.get(modality)
    if render is None:
        raise BadSetting(
            f"There is no modality '{modality}'", hint=f"There are: {', '.join(RENDERERS)}."
        )
    rng = np.random.default_rng(seed)
    return _draw(rng, shape, _place(rng, shape, count, radius), render, radius, pixel_size)


def _draw(
    rng: np.random.Generator,
    shape: tuple[int, int],
    bodies: list[Body],
    render: Callable[..., Float],
    radius: tuple[float, float],
    pixel_size: float,
) -> SyntheticImage:
    """Bodies as a camera sees them, with truth."""
    labels = np.zeros(shape, np.int32)
    depths = []
    for number, body in enumerate(bodies, start=1):
        depth = body.depth(shape)
        depth[labels > 0] = np.inf  # a body painted earlier lies in front
        labels[depth <= 1] = number
        depths.append(depth)
    grey = render(rng, shape, depths, radius)
    image = np.clip(rng.poisson(np.clip(grey, 0, None) * 3000) / 3000 * 4095, 0, 4095)
    return SyntheticImage(np.asarray(image, np.uint16), labels, pixel_size)


def movie(frames: int = 6, *, seed: int = 0, shape: tuple[int, int] = (256, 256)) -> SyntheticImage:
    """Growing spheroids over time: image and labels have shape (T, Y, X).

    Parameters
    ----------
    frames : int
        Number of time points; bodies grow by 8 % of their radius at each.
    seed : int
        The same seed gives the same movie.
    shape : (int, int)
        Height and width in pixels.

    Returns
    -------
    SyntheticImage
        Brightfield stack; labels keep their number over time.
    """
    largest = (0.08 * 1.08 ** (frames - 1), 0.13 * 1.08 ** (frames - 1))
    drawn = []
    for t in range(frames):
        # the same numbers in every frame, so that only the radius changes
        rng = np.random.default_rng(seed)
        bodies = [
            replace(body, radius=body.radius * 1.08 ** (t + 1 - frames))
            for body in _place(rng, shape, 3, largest)
        ]
        drawn.append(_draw(rng, shape, bodies, _brightfield, largest, 1.3))
    return SyntheticImage(
        np.stack([each.image for each in drawn]), np.stack([each.labels for each in drawn]), 1.3
    )


def _place(
    rng: np.random.Generator, shape: tuple[int, int], count: int, radius: tuple[float, float]
) -> list[Body]:
    """Bodies that may touch, but not hide each other."""
    side = min(shape)
    bodies: list[Body] = []
    for _ in range(count * 20):
        if len(bodies) == count:
            break
        size = float(rng.uniform(*radius)) * side
        y, x = (float(rng.uniform(0.08 * n, 0.92 * n)) for n in shape)
        waves = tuple(
            (order, float(rng.normal(0, 0.08 / order)), float(rng.uniform(0, 2 * np.pi)))
            for order in range(2, 8)
        )
        if all(np.hypot(b.y - y, b.x - x) > 0.95 * (b.radius + size) for b in bodies):
            bodies.append(Body(y, x, size, waves))
    return bodies


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Float:
    """Gaussian noise of unit deviation, correlated over `sigma` pixels."""
    shrink = max(1, int(sigma / 2))
    small = rng.standard_normal([max(4, n // shrink + 1) for n in shape]).astype(np.float32)
    blurred = cv2.GaussianBlur(small, (0, 0), max(sigma / shrink, 0.5))
    field = cv2.resize(blurred, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray((field - field.mean()) / (field.std() + 1e-6), np.float32)


def illumination(rng: np.random.Generator, shape: tuple[int, int]) -> Float:
    """Vignetting about an off-centre axis, and a slow unevenness."""
    y, x = np.meshgrid(
        np.linspace(-1, 1, shape[0], dtype=np.float32),
        np.linspace(-1, 1, shape[1], dtype=np.float32),
        indexing="ij",
    )
    cy, cx = rng.uniform(-0.3, 0.3, 2).astype(np.float32)
    fall = rng.uniform(0.05, 0.25) * ((y - cy) ** 2 + (x - cx) ** 2)
    uneven = 0.02 * smooth_noise(rng, shape, 0.25 * min(shape))
    return np.asarray(1 - fall + uneven, np.float32)


def _neighbours(
    rng: np.random.Generator, shape: tuple[int, int], radius: tuple[float, float]
) -> Float:
    """Blurred discs of bodies in other planes, 0 to 1; they are not part of the truth."""
    out = np.zeros(shape, np.float32)
    for body in _place(rng, shape, int(rng.integers(0, 3)), radius):
        disc = (body.depth(shape) <= 1).astype(np.float32)
        sigma = float(rng.uniform(0.35, 0.7)) * body.radius
        out = np.maximum(out, cv2.GaussianBlur(disc, (0, 0), sigma) * rng.uniform(0.3, 0.8))
    return out


def _debris(rng: np.random.Generator, shape: tuple[int, int]) -> Float:
    """Small specks of random strength, 0 to 1."""
    out = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(10, 60))):
        center = (int(rng.integers(0, shape[1])), int(rng.integers(0, shape[0])))
        axes = tuple(int(v) for v in rng.integers(1, max(2, min(shape) // 150) + 1, 2))
        strength = float(rng.uniform(0.2, 1))
        cv2.ellipse(out, center, axes, float(rng.uniform(0, 180)), 0, 360, strength, -1)
    return np.asarray(cv2.GaussianBlur(out, (0, 0), 0.8), np.float32)


def _brightfield(
    rng: np.random.Generator,
    shape: tuple[int, int],
    depths: list[Float],
    radius: tuple[float, float],
) -> Float:
    """Absorbing bodies with a dark rim and a bright halo, on a bright ground."""
    grey = 0.72 * illumination(rng, shape)
    grey *= 1 - 0.35 * _neighbours(rng, shape, radius)
    texture = smooth_noise(rng, shape, max(1.5, 0.006 * min(shape)))
    for depth in depths:
        inside = np.clip(1 - depth**2, 0, 1)
        absorbed = rng.uniform(0.25, 0.75) * np.sqrt(inside)
        rim = rng.uniform(0.25, 0.5) * np.exp(-(((depth - 0.95) / 0.06) ** 2))
        halo = rng.uniform(0.03, 0.12) * np.exp(-(((depth - 1.1) / 0.06) ** 2))
        grain = rng.uniform(0.04, 0.12) * texture * (depth <= 1)
        grey *= np.clip(1 - absorbed - rim + halo + grain, 0.05, None)
    grey *= 1 - 0.5 * _debris(rng, shape)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), float(rng.uniform(0.5, 1.2))), np.float32)


def _fluorescence(
    rng: np.random.Generator,
    shape: tuple[int, int],
    depths: list[Float],
    radius: tuple[float, float],
) -> Float:
    """Glowing bodies on a dark ground, with haze of other planes."""
    grey = 0.05 * illumination(rng, shape) + 0.25 * _neighbours(rng, shape, radius)
    texture = smooth_noise(rng, shape, max(1.5, 0.008 * min(shape)))
    for depth in depths:
        thickness = np.sqrt(np.clip(1 - depth**2, 0, 1))
        edge = np.clip((1 - depth) / 0.08, 0, 1)
        profile = edge * (0.5 + 0.5 * thickness) * (1 + rng.uniform(0.05, 0.3) * texture)
        grey = grey + rng.uniform(0.25, 0.75) * np.clip(profile, 0, None)
    grey = grey + 0.2 * _debris(rng, shape)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), float(rng.uniform(0.6, 1.5))), np.float32)


def _any(
    rng: np.random.Generator,
    shape: tuple[int, int],
    depths: list[Float],
    radius: tuple[float, float],
) -> Float:
    """Bodies and ground of any look, so that a network learns shapes: domain randomisation.

    After Tobin et al. 2017 (https://arxiv.org/abs/1703.06907).
    """
    ground = rng.uniform(0.1, 0.9)
    sign = rng.choice([-1, 1]) if 0.35 < ground < 0.65 else np.sign(0.5 - ground)
    contrast = sign * rng.uniform(0.12, 0.6)
    grey = ground * illumination(rng, shape) + rng.uniform(0, 0.04) * _grain(rng, shape)
    grey += 0.5 * contrast * _neighbours(rng, shape, radius)
    grain, stain = _grain(rng, shape), smooth_noise(rng, shape, 0.25 * radius[1] * min(shape))
    specks = _debris(rng, shape) if rng.random() < 0.6 else np.zeros(shape, np.float32)
    softness = rng.uniform(0.02, 0.15)
    strengths = rng.uniform(0, [1.0, 0.35, 0.2, 0.15, 0.15])  # dome, rim, halo, grain, stain
    dome, rim, halo, rough, stained = strengths.astype(np.float32)
    rim, halo = rim * rng.choice([-1, 1]), halo * rng.choice([-1, 1])
    hollow = rng.random() < 0.25  # cysts: the ground is seen through them
    for depth in depths:
        edge = np.clip((1 - depth) / softness, 0, 1)
        body = (1 - dome + dome * np.sqrt(np.clip(1 - depth**2, 0, 1))) * rng.uniform(0.7, 1.3)
        body = body * (0.2 if hollow else 1.0) * contrast + rough * grain + stained * stain
        outline = np.exp(-(((depth - 0.95) / rng.uniform(0.03, 0.08)) ** 2))
        wide = np.exp(-(((depth - 1.1) / 0.08) ** 2))
        line = np.sign(contrast) * 0.25 + rim if hollow else rim
        grey = grey + edge * body + line * outline + halo * wide
    grey += rng.choice([-0.5, 0.5]) * specks
    if rng.random() < 0.25:
        grey = _in_a_well(rng, grey)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), float(rng.uniform(0.5, 1.5))), np.float32)


def _grain(rng: np.random.Generator, shape: tuple[int, int]) -> Float:
    """Texture of any fineness; often of grains on an even ground."""
    texture = smooth_noise(rng, shape, float(np.exp(rng.uniform(np.log(1), np.log(8)))))
    if rng.random() < 0.4:
        texture = np.maximum(texture - np.float32(rng.uniform(0, 1.5)), 0) * rng.choice([-2, 2])
    return np.asarray(texture, np.float32)


def _in_a_well(rng: np.random.Generator, grey: Float) -> Float:
    """The wall of a well about the image, and what lies beyond; neither is an object."""
    side = min(grey.shape)
    y, x = (float(n * rng.uniform(0.35, 0.65)) for n in grey.shape)
    depth = Body(y, x, side * float(rng.uniform(0.5, 0.75)), ()).depth(grey.shape)
    wall = np.exp(-(((depth - 1) / rng.uniform(0.01, 0.06)) ** 2))
    beyond = np.clip((depth - 1) / rng.uniform(0.01, 0.2), 0, 1)
    out = grey + (rng.uniform(0, 1) - grey) * beyond + rng.uniform(-0.4, 0.4) * wall
    return np.asarray(out, np.float32)


RENDERERS: dict[str, Callable[..., Float]] = {
    "brightfield": _brightfield,
    "fluorescence": _fluorescence,
    "any": _any,
}
