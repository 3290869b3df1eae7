"""Objects out of focus, and how a segmentation would still find them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ...restoration.defocus import brightfield, defocus, diffraction, disc, gaussian

Float = NDArray[np.float32]


def kernel(rng: np.random.Generator, radius: float) -> Float:
    """A kernel of a microscope out of focus.

    Parameters
    ----------
    rng : Generator
        Chooses the kind of optics.
    radius : float
        Of the disc of geometrical optics, in pixels.
    """
    which = rng.integers(4)
    if which == 0:
        return disc(radius)
    if which == 1:
        return gaussian(radius / 2)
    if which == 2:
        return diffraction(radius, float(rng.uniform(-0.3, 0.3)))
    return brightfield(radius, float(rng.uniform(-0.5, 0.5)))


def out_of_focus(
    image: Float,
    mask: NDArray[np.bool_],
    rng: np.random.Generator,
    width: float,
    blur: tuple[float, float] = (0.4, 1.0),
) -> tuple[Float, NDArray[np.bool_]]:
    """A view out of focus, and the object in it.

    Parameters
    ----------
    image : ndarray of float32, (y, x)
    mask : ndarray of bool, (y, x)
        Of the object in focus.
    rng : Generator
    width : float
        Of a cell, in pixels: blur is relative to it, as a cell of few pixels is never crisp.
    blur : (float, float)
        Least and largest radius of the blur, in widths.

    Returns
    -------
    image : ndarray of float32, (y, x)
    mask : ndarray of bool, (y, x)
    """
    radius = min(max(2.0, float(rng.uniform(*blur)) * width), min(image.shape) / 3)
    seen = defocus(image, kernel(rng, radius))
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), radius / 2)
    wide = np.asarray(soft > float(rng.uniform(0.2, 0.55)) * soft.max())
    return seen, wide
