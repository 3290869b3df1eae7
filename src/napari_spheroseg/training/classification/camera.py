"""From what a lens shows to what a model sees, and to what a segmentation outlines."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ...inference.prepare import prepare
from ...models import Preparation
from ...synthetic import illumination, smooth_noise

Float = NDArray[np.float32]


def on_camera(grey: Float, rng: np.random.Generator, preparation: Preparation) -> Float:
    """Uneven light, noise, and the grey range that a model asks for.

    Parameters
    ----------
    grey : ndarray of float32, (y, x)
    rng : Generator
    preparation : Preparation

    Returns
    -------
    ndarray of float32, (y, x)
        In [0, 1].
    """
    light = grey * (1 + float(rng.uniform(0, 0.5)) * (illumination(rng, grey.shape) - 1))
    noise = float(np.exp(rng.uniform(np.log(0.002), np.log(0.04))))
    noisy = light + noise * rng.standard_normal(grey.shape).astype(np.float32)
    return np.asarray(prepare(np.clip(noisy, 0, 1.5), preparation)[0], np.float32)


def roughly(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """The object as a segmentation would have it: a pixel too large or small, not quite smooth."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)
    level = float(rng.uniform(0.25, 0.7)) + 0.06 * smooth_noise(rng, mask.shape, 2.0)
    rough = soft > level
    return np.asarray(rough if rough.sum() > 0.5 * mask.sum() else mask)
