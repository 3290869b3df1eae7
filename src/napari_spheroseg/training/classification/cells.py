"""Cells that are drawn: rods and ovals, alone, in pairs and in heaps, sharp or not, and dirt.

They look like cells of several microscopes: bright or dark, with a dark or bright rim, with the
halo of phase contrast. Lengths are in pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models import Preparation
from ...synthetic import smooth_noise
from . import dirt
from .blurred import out_of_focus
from .camera import on_camera, roughly
from .examples import Example
from .scenes import Scene, scene

Float = NDArray[np.float32]
CLASSES = ("single-cell", "clump", "noise", "off-focus", "joint-cell")


def _thickness(scene: Scene, rng: np.random.Generator) -> Float:
    """How much of a cell lies over each pixel, 0 to 1: no two cells are as bright."""
    out = np.zeros(scene.shape, np.float32)
    for distance in scene.distances:
        profile = np.sqrt(np.clip(1 - distance**2, 0, 1)) * np.float32(rng.uniform(0.8, 1.1))
        out = np.maximum(out, profile)
    return out


def _rim(scene: Scene, width: float) -> Float:
    """1 at the borders of cells."""
    out = np.zeros(scene.shape, np.float32)
    for distance in scene.distances:
        out = np.maximum(out, np.exp(-(((distance - 0.92) * scene.radius / width) ** 2)))
    return out


def _bright(scene: Scene, rng: np.random.Generator, texture: Float) -> Float:
    """Fluorescence: of the whole body or of the membrane."""
    body = _thickness(scene, rng) ** float(rng.uniform(0.4, 1)) * (1 + texture)
    if rng.random() < 0.25:
        body = 0.3 * body + _rim(scene, max(0.8, 0.12 * scene.radius))
    return np.asarray(0.1 + float(rng.uniform(0.2, 0.8)) * body, np.float32)


def _dark(scene: Scene, rng: np.random.Generator, texture: Float) -> Float:
    """Absorption, most often with a dark rim."""
    body = float(rng.uniform(0.1, 0.5)) * _thickness(scene, rng) * (1 + texture)
    rim = float(rng.uniform(0, 0.35)) * _rim(scene, max(0.8, 0.12 * scene.radius))
    return np.asarray(0.75 - body - rim, np.float32)


def _refracting(scene: Scene, rng: np.random.Generator, texture: Float) -> Float:
    """Brightfield of clear cells: the rim bright or dark, and its opposite outside."""
    sign = float(rng.choice([-1, 1]))
    width = max(0.8, float(rng.uniform(0.1, 0.2)) * scene.radius)
    inside = float(rng.uniform(-0.25, 0.25)) * _thickness(scene, rng) + 0.15 * texture * (
        np.min(scene.distances, axis=0) <= 1
    )
    outside = np.min(scene.distances, axis=0)
    second = np.exp(-((((outside - 1) * scene.radius - 1.8 * width) / width) ** 2))
    rims = _rim(scene, width) - float(rng.uniform(0.2, 0.7)) * second
    return np.asarray(0.5 + sign * float(rng.uniform(0.15, 0.4)) * rims + inside, np.float32)


def _phase(scene: Scene, rng: np.random.Generator, texture: Float) -> Float:
    """Phase contrast: dark bodies in a bright halo, which shines into the clefts."""
    body = np.clip(_thickness(scene, rng) * float(rng.uniform(1.2, 2.5)), 0, 1)
    halo = np.zeros(scene.shape, np.float32)
    reach = float(rng.uniform(1.5, 4))
    for distance in scene.distances:
        halo += np.exp(-(((distance - 1) * scene.radius / reach) ** 2)) * (distance > 1)
    dark = float(rng.uniform(0.2, 0.4)) * body * (1 + 0.5 * texture)
    halo = np.clip(halo, 0, 2) * np.float32(rng.uniform(0.08, 0.3))
    return np.asarray(0.45 - dark + halo, np.float32)


RENDERERS: tuple[Callable[[Scene, np.random.Generator, Float], Float], ...] = (
    _bright,
    _dark,
    _refracting,
    _phase,
)


def _seen(scene: Scene, rng: np.random.Generator) -> Float:
    """The scene through a microscope, before the camera."""
    strength = float(rng.uniform(0, 0.35))
    texture = strength * smooth_noise(rng, scene.shape, max(0.8, 0.25 * scene.radius))
    grey = RENDERERS[rng.integers(len(RENDERERS))](scene, rng, texture)
    sharp = float(rng.uniform(0.4, max(0.5, min(1.2, 0.14 * scene.radius))))
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), sharp), np.float32)


class DrawnCells:
    """Draws cells of all classes.

    Parameters
    ----------
    preparation : Preparation
        What the model asks for.
    """

    kinds = CLASSES
    source = "drawn cells"

    def __init__(self, preparation: Preparation) -> None:
        self.preparation = preparation

    def draw(self, kind: str, rng: np.random.Generator) -> Example:
        """Draw an example of a class."""
        most = 4 if kind == "off-focus" else 9
        count = {"single-cell": 1, "joint-cell": 2, "noise": 1}.get(kind)
        if count is None:
            count = int(rng.integers(1 if kind == "off-focus" else 3, most))
        drawn = scene(rng, count)
        grey, mask = _seen(drawn, rng), drawn.mask
        if kind == "off-focus":
            grey, mask = out_of_focus(grey, mask, rng, 2 * drawn.radius)
        elif kind == "noise":
            grey, mask = dirt.draw(grey, mask, rng)
        else:
            mask = roughly(mask, rng)
        return Example(on_camera(grey, rng, self.preparation), mask, self.source)
