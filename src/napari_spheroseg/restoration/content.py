"""Which tiles hold something: empty ground is neither sharp nor blurred."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .grid import Grid

Float = NDArray[np.float32]
_FINE, _COARSE = 2.0, 16.0  # px: finer is noise, coarser is uneven light
_OF_NOISE = 0.13  # deviation that white noise of deviation 1 has left between the two
_LEAST, _ENOUGH = 0.02, 0.06  # of the grey range


def content(plane: Float, grid: Grid) -> NDArray[np.float64]:
    """How much the score of a tile counts: 0 where it is empty, 1 where it holds something.

    Parameters
    ----------
    plane : ndarray of float32, (Y, X)
        Prepared: its grey range is 0 to 1.
    grid : Grid
        Of the plane.

    Returns
    -------
    ndarray of float64, (rows, columns)
        From the deviation within the tile, in [0, 1], of what is neither noise nor uneven light.
    """
    band = cv2.GaussianBlur(plane, (0, 0), _FINE) - cv2.GaussianBlur(plane, (0, 0), _COARSE)
    means, squares = grid.means(band), grid.means(band.astype(np.float64) ** 2)
    deviation = np.sqrt(np.clip(squares - means**2, 0, None))
    least = max(_LEAST, 2 * _OF_NOISE * noise_of(plane))
    return np.asarray(np.clip((deviation - least) / (_ENOUGH - _LEAST), 0, 1), np.float64)


def noise_of(plane: Float) -> float:
    """Standard deviation of the noise of a plane, in its units.

    From the median of a difference that is blind to edges and slopes: J. Immerkær, "Fast noise
    variance estimation", Comput. Vis. Image Underst. 64, 300 (1996), with a robust mean.

    Parameters
    ----------
    plane : ndarray of float32, (Y, X)
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    return float(np.median(np.abs(cv2.filter2D(plane, cv2.CV_32F, kernel)))) / 0.6745
