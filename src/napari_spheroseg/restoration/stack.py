"""What a z-stack offers before anything is restored: its sharpest plane, or one plane of all.

Planes are read one after the other, so that a stack of dask or zarr need not fit in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage, BadSetting
from ..inference.frames import as_grey
from .sharpness import SHARPNESS, sharpness
from .values import as_type

Float = NDArray[np.float32]
_COARSER = 4.0  # what has no detail takes its depth from so many times as far
_LEAST = 1e-6  # confidence below which a pixel does not know its depth at all


@dataclass(frozen=True)
class Sharpest:
    """The sharpest plane of a stack.

    Attributes
    ----------
    index : int
        Its number, from 0.
    scores : ndarray of float64, (Z,)
        Sharpness of every plane; NaN where one is constant.
    """

    index: int
    scores: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fused:
    """One plane with the sharp parts of all.

    Attributes
    ----------
    image : ndarray, (Y, X) or (Y, X, S)
        Of the stack's type; every value lies between those that the planes have there.
    depth : ndarray of float32, (Y, X)
        Number of the plane that was taken, with a fraction between two.
    """

    image: NDArray[Any]
    depth: Float


def sharpest_plane(
    stack: Any,
    measure: str = "laplacian",
    *,
    progress: Callable[[int, int], Any] | None = None,
) -> Sharpest:
    """Find the plane that is sharpest as a whole.

    Parameters
    ----------
    stack : array, (Z, Y, X) or (Z, Y, X, 3)
        numpy, dask or zarr, of any real type.
    measure : str
        As in `sharpness.sharpness`.
    progress : callable, optional
        Called with planes done and planes in all.

    Returns
    -------
    Sharpest

    Raises
    ------
    BadImage
        It is no stack of planes, or all planes are constant.
    UnknownName
        There is no such measure.
    """
    _check(stack)
    scores = np.full(len(stack), np.nan)
    for z in range(len(stack)):
        scores[z] = sharpness(np.asarray(stack[z]), measure)
        if progress is not None:
            progress(z + 1, len(stack))
    if np.isnan(scores).all():
        raise BadImage("No plane of the stack is sharper than another: all of them are constant")
    return Sharpest(int(np.nanargmax(scores)), scores)


def extended_depth_of_field(
    stack: Any,
    measure: str = "laplacian",
    *,
    radius: float = 4.0,
    progress: Callable[[int, int], Any] | None = None,
) -> Fused:
    """Make one plane in which everything is as sharp as somewhere in the stack.

    Each pixel takes the depth at which its neighbourhood has most detail. Where there is little,
    that is chance: depths are averaged, those that are clear count most, and between two planes
    they are mixed. The map of depths is thus smooth, and no plane's noise is picked for being
    noise. After B. Forster et al., "Complex wavelets for extended depth-of-field", Microsc. Res.
    Tech. 65, 33 (2004), whose check of neighbouring choices this is, without the wavelets.

    Parameters
    ----------
    stack : array, (Z, Y, X) or (Z, Y, X, S)
        numpy, dask or zarr, of any real type. It is read twice, plane by plane.
    measure : str
        As in `sharpness.sharpness`: what counts as detail.
    radius : float
        Standard deviation of the neighbourhood in pixels.
    progress : callable, optional
        Called with planes read and planes to read, twice those of the stack.

    Returns
    -------
    Fused

    Raises
    ------
    BadImage
        It is no stack of planes.
    BadSetting
        The radius is not above 0.
    UnknownName
        There is no such measure.
    """
    _check(stack)
    if radius <= 0:
        raise BadSetting(f"A radius of {radius} px is no neighbourhood", hint="Choose one above 0.")
    count = len(stack)
    tell = _teller(progress, 2 * count)
    depth = _depth(stack, SHARPNESS[measure], radius, tell)
    mixed = np.zeros(stack.shape[1:])
    for z in range(count):
        weight = np.clip(1 - np.abs(depth - z), 0, 1)
        plane = np.asarray(stack[z])
        weight = weight[..., None] if plane.ndim == 3 else weight
        mixed += np.where(weight > 0, weight * plane, 0)  # NaN of a plane not taken is no matter
        tell(count + z + 1)
    dtype = np.dtype(stack.dtype)
    if dtype.kind == "b":
        return Fused(mixed >= 0.5, depth)
    return Fused(as_type(mixed, dtype), depth)


def _depth(
    stack: Any, energy: Callable[[Float], Float], radius: float, tell: Callable[[int], None]
) -> Float:
    """Where each pixel is in focus, as a smooth map of plane numbers."""
    count, shape = len(stack), stack.shape[1:3]
    best, total = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    number = np.zeros(shape, np.float32)
    for z in range(count):
        plane = as_grey(np.asarray(stack[z])).astype(np.float32)
        plane = cv2.GaussianBlur(np.where(np.isfinite(plane), plane, 0), (0, 0), 1.0)
        detail = cv2.GaussianBlur(energy(plane), (0, 0), radius)
        better = detail > best
        number[better] = z
        best = np.maximum(best, detail)
        total += detail
        tell(z + 1)
    # how far the best plane stands out from the mean of all
    clear = np.asarray(best - total / count, np.float32)
    top = float(clear.max())
    if count == 1 or top <= 0:
        return number
    confidence = np.asarray(clear / top, np.float32)
    near = _weighted_mean(number, confidence, radius)
    far = _weighted_mean(number, confidence, radius * _COARSER)
    trust = np.clip(confidence / max(float(np.median(confidence)), _LEAST), 0, 1)
    return np.asarray(trust * near + (1 - trust) * far, np.float32)


def _weighted_mean(values: Float, weights: Float, sigma: float) -> Float:
    """Mean of the neighbourhood, by weight."""
    sums = cv2.GaussianBlur(values * weights, (0, 0), sigma)
    return np.asarray(sums / np.maximum(cv2.GaussianBlur(weights, (0, 0), sigma), 1e-12))


def _teller(progress: Callable[[int, int], Any] | None, total: int) -> Callable[[int], None]:
    def tell(done: int) -> None:
        if progress is not None:
            progress(done, total)

    return tell


def _check(stack: Any) -> None:
    shape: tuple[int, ...] = getattr(stack, "shape", ())
    if len(shape) == 3 or (len(shape) == 4 and shape[-1] in (3, 4)):
        if 0 in shape:
            raise BadImage(f"The stack is empty: its shape is {tuple(shape)}")
        if np.dtype(stack.dtype).kind in "buif":
            return
        raise BadImage(f"Values of type {stack.dtype} are no grey values")
    raise BadImage(
        f"An array of shape {tuple(shape)} is no stack of planes",
        hint="Give (Z, Y, X): one time and one channel, for instance image[t, :, channel].",
    )
