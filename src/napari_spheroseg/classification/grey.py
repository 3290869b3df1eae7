"""Grey values of objects as numbers: brightness, texture, focus; each map is made once a plane.

What is a share of the plane's own range does not change with exposure or gain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..segmentation.geometry import count_pixels
from .crops import Objects

Array = NDArray[np.float64]
RIM = 2
"""Pixels of an object this near to its border (px) are its rim; so many outside are its ring."""
_PATTERNS = 10  # of a pixel's eight neighbours: 0 to 8 brighter ones in a row, and all others


def background_of(plane: NDArray[Any], objects: NDArray[np.int32], share: float) -> float:
    """Quantile of the pixels that belong to no object; NaN where there are none.

    Parameters
    ----------
    plane : ndarray, (Y, X)
        Of numbers: see `countable`.
    objects : ndarray of int32, (Y, X)
    share : float
        In [0, 1].
    """
    ground = plane[(objects == 0) & np.isfinite(plane)]
    return float(np.quantile(ground, share)) if ground.size else float("nan")


def countable(plane: NDArray[Any]) -> NDArray[Any]:
    """Grey values that can be reckoned with: of a boolean plane 0 and 1."""
    return plane.astype(np.uint8) if plane.dtype.kind == "b" else plane


class Grey:
    """Grey values of a plane and of its objects, for `MEASURES`.

    Parameters
    ----------
    plane : ndarray, (Y, X)
        Grey values; what is not finite counts as the lowest.
    objects : Objects
    """

    def __init__(self, plane: NDArray[Any], objects: Objects) -> None:
        plane = countable(plane)
        good = np.isfinite(plane)
        low, high = np.percentile(plane[good], (1, 99)) if good.any() else (np.nan, np.nan)
        self.is_flat = not low < high
        filled = np.where(good, plane, plane[good].min() if good.any() else 0).astype(np.float32)
        self.plane = filled
        self.share = (filled - np.float32(low)) / np.float32(np.nan if self.is_flat else high - low)
        self.labels, self.count = objects.numbered, len(objects)
        self.area = count_pixels(self.labels, self.count)
        self.background = background_of(self.share, self.labels, 0.5)
        self._rim: NDArray[np.int32] | None = None

    def mean(self, map_: NDArray[Any], labels: NDArray[np.int32] | None = None) -> Array:
        """Mean of a map over each object; NaN where an object has no pixel in `labels`."""
        where = self.labels if labels is None else labels
        area = self.area if labels is None else count_pixels(where, self.count)
        sums, found = count_pixels(where, self.count, map_), np.full(self.count, np.nan)
        np.divide(sums, area, out=found, where=area > 0)
        return found

    def deviation(self, map_: NDArray[Any]) -> Array:
        """Standard deviation of a map over each object."""
        mean = self.mean(map_)
        return np.sqrt(self.mean(np.square(map_ - np.append(0, mean)[self.labels])))

    @property
    def rim(self) -> NDArray[np.int32]:
        """Labels without the inside of objects."""
        if self._rim is None:
            inside = _eroded(self.labels)
            self._rim = np.where(inside, 0, self.labels).astype(np.int32)
        return self._rim

    @property
    def ring(self) -> NDArray[np.int32]:
        """Ground around the objects, with the label of the one that it surrounds."""
        side = 2 * RIM + 1
        # of two objects the one of the higher number has what lies between them
        spread = cv2.dilate(self.labels.astype(np.float32), np.ones((side, side), np.uint8))
        return np.where(self.labels == 0, spread, 0).astype(np.int32)


def _eroded(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Pixels whose surroundings have the same label; outside of the image counts as theirs."""
    values, window = labels.astype(np.float32), np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
    same: NDArray[np.bool_] = cv2.erode(values, window) == cv2.dilate(values, window)
    return same


def _extreme(grey: Grey, choose: Any, start: float) -> Array:
    found = np.full(grey.count + 1, start)
    choose.at(found, grey.labels.ravel(), grey.plane.ravel())
    return found[1:]


def _skewness(grey: Grey) -> Array:
    """Third moment over the deviation cubed; 0 where an object is flat."""
    centred = grey.plane - np.append(0, grey.mean(grey.plane))[grey.labels]
    variance, third = grey.mean(np.square(centred)), grey.mean(centred**3)
    spread = variance**1.5
    found = np.zeros(grey.count)
    np.divide(third, spread, out=found, where=spread > 0)
    return found


def _gradient(grey: Grey) -> NDArray[np.float32]:
    across, down = (cv2.Sobel(grey.share, cv2.CV_32F, *order, scale=1 / 8) for order in _ORDERS)
    return np.asarray(cv2.magnitude(across, down), np.float32)


_ORDERS = ((1, 0), (0, 1))


def _between(grey: Grey, fine: float, coarse: float) -> Array:
    """Deviation of what lies between two scales (px)."""
    smooth = [_smooth(grey.share, fine), _smooth(grey.share, coarse)]
    return grey.deviation(smooth[0] - smooth[1])


def _smooth(map_: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return map_ if sigma == 0 else np.asarray(cv2.GaussianBlur(map_, (0, 0), sigma), np.float32)


def _sharpness(grey: Grey) -> Array:
    """Variance of the Laplacian over the variance of the grey values around (px ⁻⁴)."""
    curved = grey.deviation(cv2.Laplacian(grey.share, cv2.CV_32F)) ** 2
    spread = grey.deviation(grey.share) ** 2
    found = np.full(grey.count, np.nan)
    np.divide(curved, spread, out=found, where=spread > 0)
    return found


def _rim_gradient(grey: Grey) -> Array:
    return grey.mean(_gradient(grey), grey.rim)


def _edge_contrast(grey: Grey) -> Array:
    return grey.mean(grey.share) - grey.mean(grey.share, grey.ring)


MEASURES: dict[str, Callable[[Grey], Array]] = {
    "mean_intensity": lambda grey: grey.mean(grey.plane),
    "min_intensity": lambda grey: _extreme(grey, np.minimum, np.inf),
    "max_intensity": lambda grey: _extreme(grey, np.maximum, -np.inf),
    "std_intensity": lambda grey: grey.deviation(grey.plane),
    "skewness": _skewness,
    "contrast": lambda grey: grey.mean(grey.share) - grey.background,
    "edge_contrast": _edge_contrast,
    "variation": lambda grey: grey.deviation(grey.share),
    "texture_fine": lambda grey: _between(grey, 0, 1),
    "texture_middle": lambda grey: _between(grey, 1, 2),
    "texture_coarse": lambda grey: _between(grey, 2, 4),
    "gradient": lambda grey: grey.mean(_gradient(grey)),
    "sharpness": _sharpness,
    "rim_gradient": _rim_gradient,
}
"""Name to measure; docs/classify.md says what each is."""


def patterns(grey: Grey) -> dict[str, Array]:
    """Share of an object's pixels with each local binary pattern of eight neighbours.

    Notes
    -----
    Ojala, Pietikäinen and Mäenpää 2002, uniform patterns; neighbours are pixels, not interpolated.
    """
    share = np.pad(grey.share, 1, mode="edge")
    height, width = grey.share.shape
    code = np.zeros((height, width), np.uint8)
    around = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    for bit, (y, x) in enumerate(around):
        code |= (share[y : y + height, x : x + width] >= grey.share).astype(np.uint8) << bit
    kind = _UNIFORM[code]
    flat = (grey.labels.astype(np.int64) * _PATTERNS + kind).ravel()
    counts = np.bincount(flat, minlength=(grey.count + 1) * _PATTERNS)[_PATTERNS:]
    shares = counts.reshape(grey.count, _PATTERNS) / grey.area[:, None]
    if grey.is_flat:
        shares[:] = np.nan
    return {f"pattern_{kind}": shares[:, kind] for kind in range(_PATTERNS)}


def _uniform() -> NDArray[np.uint8]:
    """The kind of each of 256 patterns: ones in a row, or the last kind for all others."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    return np.where(changes <= 2, bits.sum(axis=1), _PATTERNS - 1).astype(np.uint8)


_UNIFORM = _uniform()
