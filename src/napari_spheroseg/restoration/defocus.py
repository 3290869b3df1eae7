"""What a microscope out of focus does to an image: kernels, depth that varies, and noise.

Training draws its blurred images here, and benchmarks theirs. Lengths are in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
PUPIL = 0.25
"""Radius of the pupil in cycles per pixel, where the camera just resolves what the lens does."""


def disc(radius: float) -> Float:
    """Kernel of geometrical optics: a uniform disc.

    Parameters
    ----------
    radius : float
        In pixels; pixels at the rim count in part.

    Returns
    -------
    ndarray of float32, (k, k)
        Sums to 1; k is odd.
    """
    fine, half = 8, math.ceil(radius) + 1
    line = (np.arange((2 * half + 1) * fine) + 0.5) / fine - half - 0.5
    inside = np.hypot(line[:, None], line[None, :]) <= max(radius, 1 / fine)
    side = 2 * half + 1
    return _normalised(inside.reshape(side, fine, side, fine).mean(axis=(1, 3)))


def gaussian(sigma: float) -> Float:
    """Kernel of a normal distribution.

    Parameters
    ----------
    sigma : float
        Standard deviation in pixels.

    Returns
    -------
    ndarray of float32, (k, k)
        Sums to 1; cut off at 4 standard deviations.
    """
    line = np.arange(-math.ceil(4 * sigma), math.ceil(4 * sigma) + 1)
    profile = np.exp(-0.5 * (line / max(sigma, 1e-3)) ** 2)
    return _normalised(np.outer(profile, profile))


def diffraction(radius: float, spherical: float = 0.0, pupil: float = PUPIL) -> Float:
    """Incoherent point spread function of a lens out of focus, by Fourier optics.

    The pupil has the phase ``w ρ² + s (6 ρ⁴ - 6 ρ² + 1)`` in waves, ρ from 0 to 1; the kernel is
    the square of the modulus of its Fourier transform. Goodman, Introduction to Fourier Optics,
    section 6.4; the second term is Zernike's primary spherical aberration.

    Parameters
    ----------
    radius : float
        Of the disc that geometrical optics gives, in pixels: ``w = radius * pupil / 2``.
    spherical : float
        Spherical aberration s in waves.
    pupil : float
        Radius of the pupil in cycles per pixel.

    Returns
    -------
    ndarray of float32, (k, k)
        Sums to 1.
    """
    side = _side(radius)
    rho = _frequency(side) / pupil
    waves = radius * pupil / 2 * rho**2 + spherical * (6 * rho**4 - 6 * rho**2 + 1)
    field = np.fft.ifft2(np.where(rho <= 1, np.exp(2j * np.pi * waves), 0))
    return _normalised(_centred(np.abs(field) ** 2))


def brightfield(radius: float, phase: float = 0.0, pupil: float = PUPIL) -> Float:
    """Kernel of a thin object in transmitted light out of focus; it may be negative at places.

    Its transfer function is ``(cos θ + phase sin θ) jinc(2 π r f)`` with θ = π f² r / pupil: the
    contrast of a weak object in coherent light, times the shadow blur of the condenser. Sheppard,
    "Defocused transfer function for a partially coherent microscope", JOSA A 21, 828 (2004),
    simplified to its two factors.

    Parameters
    ----------
    radius : float
        Of the disc that geometrical optics gives, in pixels; the condenser's is half of it.
    phase : float
        How much of the object shifts the phase, relative to what it absorbs; its sign is the side
        of the focus.
    pupil : float
        Radius of the pupil in cycles per pixel.

    Returns
    -------
    ndarray of float32, (k, k)
        Sums to 1.
    """
    side = _side(radius)
    f = _frequency(side)
    theta = np.pi * f**2 * radius / pupil
    shadow = _jinc(np.pi * radius * f)
    transfer = (np.cos(theta) + phase * np.sin(theta)) * shadow
    return _normalised(_centred(np.fft.ifft2(transfer).real))


def defocus(plane: NDArray[Any], kernel: Float) -> Float:
    """A plane seen through a kernel; mirrored beyond its border.

    Parameters
    ----------
    plane : ndarray, (Y, X)
    kernel : ndarray of float32, (k, k)

    Returns
    -------
    ndarray of float32, (Y, X)
    """
    seen = cv2.filter2D(
        np.asarray(plane, np.float32), -1, kernel[::-1, ::-1], borderType=cv2.BORDER_REFLECT_101
    )
    return np.asarray(seen, np.float32)


def defocus_by_depth(plane: NDArray[Any], kernels: Sequence[Float], depth: Float) -> Float:
    """A plane whose parts lie at different depths.

    Parameters
    ----------
    plane : ndarray, (Y, X)
    kernels : sequence of ndarray
        From the nearest depth to the farthest.
    depth : ndarray of float32, (Y, X)
        In [0, 1], from the first kernel to the last; between two, both views are mixed.

    Returns
    -------
    ndarray of float32, (Y, X)
    """
    place = np.clip(depth, 0, 1) * (len(kernels) - 1)
    seen = np.zeros(plane.shape, np.float32)
    for number, kernel in enumerate(kernels):
        seen += np.clip(1 - np.abs(place - number), 0, 1) * defocus(plane, kernel)
    return np.asarray(seen, np.float32)


def camera(plane: Float, photons: float, read_noise: float, rng: np.random.Generator) -> Float:
    """A plane as a camera records it, with photon and read noise.

    Parameters
    ----------
    plane : ndarray of float32, (Y, X)
        Light, 0 to about 1; less than none counts as none.
    photons : float
        Electrons where the plane is 1.
    read_noise : float
        Standard deviation in electrons.
    rng : Generator

    Returns
    -------
    ndarray of float32, (Y, X)
        In the units of `plane`.
    """
    electrons = rng.poisson(np.clip(plane, 0, None) * photons)
    return np.asarray((electrons + rng.normal(0, read_noise, plane.shape)) / photons, np.float32)


def _side(radius: float) -> int:
    """Side of the grid that a kernel is computed on, in pixels."""
    return int(2 ** math.ceil(math.log2(max(32, 6 * radius))))


def _frequency(side: int) -> NDArray[np.float64]:
    line = np.fft.fftfreq(side)
    return np.asarray(np.hypot(line[:, None], line[None, :]), np.float64)


def _jinc(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """``2 J1(x) / x``: the Fourier transform of a disc."""
    from scipy.special import j1

    return np.asarray(np.divide(2 * j1(x), x, out=np.ones_like(x), where=x > 1e-9), np.float64)


def _centred(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """From the corner to the middle of an odd square."""
    return np.fft.fftshift(kernel)[1:, 1:]


def _normalised(kernel: NDArray[np.float64]) -> Float:
    return np.asarray(kernel / kernel.sum(), np.float32)
