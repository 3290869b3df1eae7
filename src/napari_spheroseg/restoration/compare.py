"""How near an image is to a reference: PSNR and SSIM."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage

_WINDOW = 7
"""Side of the window that SSIM looks through (px), scikit-image's default."""


def psnr(reference: NDArray[Any], image: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio in dB; the peak is the range of the reference.

    Parameters
    ----------
    reference, image : ndarray, (Y, X) or (Y, X, 3)
        Grey values of any real type, in the same unit. Pixels that are no numbers in either are
        left out.

    Returns
    -------
    float
        ``10 log10(range² / mean squared difference)``: infinite where both are equal. NaN where
        `why_undefined` gives a reason.

    Raises
    ------
    BadImage
        The shapes differ.

    Notes
    -----
    The same as ``skimage.metrics.peak_signal_noise_ratio`` with ``data_range`` the range of the
    reference.
    """
    if why_undefined(reference, image) is not None:
        return math.nan
    first, second = (plane.astype(np.float64) for plane in (reference, image))
    both, (_, span) = np.isfinite(first) & np.isfinite(second), _range(reference)
    error = float(np.mean((first[both] - second[both]) ** 2))
    return math.inf if error == 0 else 10 * math.log10(span**2 / error)


def ssim(reference: NDArray[Any], image: NDArray[Any]) -> float:
    """Structural similarity, 1 where both are equal, on the scale of the reference.

    Parameters
    ----------
    reference, image : ndarray, (Y, X) or (Y, X, 3)
        Grey values of any real type, in the same unit. Windows that hold a pixel that is no
        number in either are left out.

    Returns
    -------
    float
        At most 1. NaN where `why_undefined` gives a reason, where a side has fewer than 7 px, or
        where no window is left.

    Raises
    ------
    BadImage
        The shapes differ.

    Notes
    -----
    The mean of ``skimage.metrics.structural_similarity`` (Wang et al. 2004) with a uniform window
    of 7 px; of RGB, the mean over its samples. Both are scaled first, so that the reference lies
    in [0, 1]: SSIM compares brightness, too, and an offset of the camera would hide differences.
    """
    if why_undefined(reference, image) is not None or min(reference.shape[:2]) < _WINDOW:
        return math.nan
    from scipy.ndimage import binary_dilation
    from skimage.metrics import structural_similarity

    low, span = _range(reference)
    first, second = ((plane.astype(np.float64) - low) / span for plane in (reference, image))
    gaps = ~(np.isfinite(first) & np.isfinite(second))
    first, second = (np.where(gaps, 0, plane) for plane in (first, second))
    _, local = structural_similarity(
        first,
        second,
        win_size=_WINDOW,
        data_range=1.0,
        channel_axis=-1 if reference.ndim == 3 else None,
        full=True,
    )
    if gaps.any():
        sides = (_WINDOW, _WINDOW) + (1,) * (reference.ndim - 2)
        gaps = binary_dilation(gaps, np.ones(sides, bool))
    edge = _WINDOW // 2  # where the window does not lie within the image
    within = (slice(edge, -edge), slice(edge, -edge))
    seen = local[within][~gaps[within]]
    return float(seen.mean()) if seen.size else math.nan


def why_undefined(reference: NDArray[Any], image: NDArray[Any]) -> str | None:
    """Why two images cannot be compared; None where they can.

    Raises
    ------
    BadImage
        The shapes differ.
    """
    if reference.shape != image.shape:
        raise BadImage(
            f"The reference has shape {reference.shape}, the image {image.shape}",
            hint="Compare planes of the same field.",
        )
    if not (np.isfinite(reference) & np.isfinite(image)).any():
        return "no pixel is a number in both"
    if _range(reference)[1] == 0:
        return "the reference is constant"
    return None


def _range(reference: NDArray[Any]) -> tuple[float, float]:
    """Lowest value, and distance of the highest from it."""
    numbers = reference[np.isfinite(reference)]
    low = float(numbers.min())
    return low, float(numbers.max()) - low
