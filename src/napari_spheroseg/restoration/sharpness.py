"""How sharp a plane or a tile of it is, by its derivatives.

Each measure is the mean square of a derivative, divided by the variance of the grey values. By
Parseval's theorem that is a weighted mean over the power spectrum: the share of fine detail in
all contrast. A factor on the image, or an offset, does not change it; noise raises it, which is
why planes are smoothed a little first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..inference.frames import as_grey
from ..registry import Registry
from .grid import Grid

Float = NDArray[np.float32]
Energy = Callable[[Float], Float]

SHARPNESS = Registry(
    "sharpness measure",
    {
        "tenengrad": "napari_spheroseg.restoration.sharpness:gradient_energy",
        "brenner": "napari_spheroseg.restoration.sharpness:brenner_energy",
        "laplacian": "napari_spheroseg.restoration.sharpness:laplacian_energy",
    },
)
SMOOTHING = 1.0
"""Standard deviation, in pixels, of the Gaussian that planes are smoothed by first."""
_SECOND = np.array([1, -2, 1], np.float32)
_LOOKED = 1024  # px of a side at which noise is looked at: of larger planes, every other pixel
_SAME = 1e-6  # deviations of a plane below which a tile counts as constant


def sharpness(plane: NDArray[Any], measure: str = "tenengrad", smooth: float = SMOOTHING) -> float:
    """Sharpness of a plane; only values of planes of one place, or kind, compare.

    Parameters
    ----------
    plane : ndarray, (Y, X) or (Y, X, 3)
        Grey values of any real type; samples of RGB are averaged. Values that are not finite
        count as the median of the others.
    measure : str
        "tenengrad", "brenner" or "laplacian".
    smooth : float
        Standard deviation in pixels of the Gaussian before; 0 takes the plane as it is.

    Returns
    -------
    float
        At least 0; the same for ``gain * plane + offset``. NaN where `why_unknown` says so.

    Raises
    ------
    UnknownName
        There is no such measure.
    """
    energy: Energy = SHARPNESS[measure]
    if why_unknown(plane) is not None:
        return float("nan")
    smoothed = _smoothed(standardised(plane), smooth)
    variance = float(np.var(smoothed, dtype=np.float64))
    if variance < _SAME**2:  # all that was seen was single pixels
        return float("nan")
    return float(np.mean(energy(smoothed), dtype=np.float64)) / variance


def why_unknown(plane: NDArray[Any]) -> str | None:
    """Why a plane has no sharpness; None where it has.

    Parameters
    ----------
    plane : ndarray, (Y, X) or (Y, X, 3)
    """
    grey = as_grey(plane)
    finite = grey[np.isfinite(grey)] if grey.dtype.kind == "f" else grey
    if not finite.size:
        return "no value is a number"
    if finite.min() == finite.max():
        return "all values are equal"
    return None


def noise_share(plane: NDArray[Any]) -> float:
    """Part of a plane's deviation that is noise from pixel to pixel.

    Parameters
    ----------
    plane : ndarray, (Y, X) or (Y, X, 3)
        As in `sharpness`.

    Returns
    -------
    float
        0 without noise, 1 where nothing else is there; NaN where `why_unknown` says so.

    Notes
    -----
    Immerkær's mask, which sees neither slopes nor straight edges (Fast noise variance estimation,
    CVIU 1996), with the median absolute deviation in place of the mean: outlines do not count.
    """
    if why_unknown(plane) is not None:
        return float("nan")
    grey = as_grey(plane).astype(np.float32)
    if not (finite := np.isfinite(grey)).all():
        grey[~finite] = np.median(grey[finite])
    overall = cv2.meanStdDev(grey)[1].item()
    every = 1 + max(grey.shape) // _LOOKED
    detail = cv2.filter2D(grey, -1, np.outer(_SECOND, _SECOND))[::every, ::every]
    deviation = float(np.median(np.abs(detail))) / 0.6745  # of a normal distribution
    return deviation / float(np.square(_SECOND).sum() * overall) if overall else float("nan")


def tile_map(
    plane: NDArray[Any],
    measure: str = "tenengrad",
    *,
    tile: int = 64,
    step: int = 32,
    smooth: float = SMOOTHING,
) -> NDArray[np.float64]:
    """Sharpness of the tiles of a plane, each divided by its own variance.

    Parameters
    ----------
    plane : ndarray, (Y, X) or (Y, X, 3)
    measure : str
        As in `sharpness`.
    tile, step : int
        Side of a tile and the distance to the next, in pixels. ``Grid(shape, tile, step)`` says
        where they lie and spreads their values over the plane.
    smooth : float
        As in `sharpness`.

    Returns
    -------
    ndarray of float64, (rows, columns)
        NaN where a tile is constant.

    Raises
    ------
    UnknownName
        There is no such measure.
    BadSetting
        The tiles do not cover the plane.
    """
    energy: Energy = SHARPNESS[measure]
    grid = Grid((plane.shape[0], plane.shape[1]), tile, step)
    if why_unknown(plane) is not None:
        return np.full(tuple(len(each) for each in grid.starts), np.nan)
    smoothed = _smoothed(standardised(plane), smooth)
    means, squares = grid.means(smoothed), grid.means(smoothed.astype(np.float64) ** 2)
    variance = squares - means**2
    seen = variance > _SAME**2
    return np.divide(grid.means(energy(smoothed)), variance, where=seen, out=variance * np.nan)


def standardised(plane: NDArray[Any]) -> Float:
    """Grey values with mean 0 and deviation 1, so that neither gain nor offset is seen."""
    grey = as_grey(plane).astype(np.float64)
    finite = np.isfinite(grey)
    if not finite.all():
        grey = np.where(finite, grey, np.median(grey[finite]))
    return np.asarray((grey - grey.mean()) / grey.std(), np.float32)


def gradient_energy(plane: Float) -> Float:
    """Squared Sobel gradient (per pixel of distance).

    Tenengrad: J. M. Tenenbaum, "Accommodation in computer vision", Stanford (1970); without the
    threshold, as E. Krotkov, "Focusing", Int. J. Comput. Vision 1, 223 (1987) has it.
    """
    steps = (cv2.Sobel(plane, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1)))
    return np.asarray(sum(each**2 for each in steps), np.float32)


def brenner_energy(plane: Float) -> Float:
    """Squared difference of pixels two apart, mean of rows and columns.

    J. F. Brenner et al., "An automated microscope for cytologic research", J. Histochem.
    Cytochem. 24, 100 (1976), which takes rows alone: a turned image is then as sharp as before.
    """
    kernel = np.array([[-1, 0, 1]], np.float32)
    along = cv2.filter2D(plane, cv2.CV_32F, kernel)
    across = cv2.filter2D(plane, cv2.CV_32F, kernel.T)
    return np.asarray((along**2 + across**2) / 2, np.float32)


def laplacian_energy(plane: Float) -> Float:
    """Squared deviation of the Laplacian from its mean; the mean of it is its variance.

    J. L. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a comparative
    study", ICPR 3, 314 (2000).
    """
    laplacian = cv2.Laplacian(plane, cv2.CV_32F)
    return np.asarray((laplacian - laplacian.mean()) ** 2, np.float32)


def _smoothed(plane: Float, sigma: float) -> Float:
    if sigma <= 0:
        return plane
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)
