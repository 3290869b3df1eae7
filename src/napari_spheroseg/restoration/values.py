"""From what a network makes back to grey values of the image's type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inference.prepare import prepare
from ..models import Preparation


def as_type(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Values as another type: rounded, and cut off at the ends of what it holds.

    Parameters
    ----------
    values : ndarray of floats
        Those of a boolean image lie between 0 and 255, as the network saw it.
    dtype : dtype
        Boolean, integer or float.
    """
    if dtype.kind == "b":
        return np.asarray(values > 127.5)
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        # 2**63 - 1 becomes 2**63 as a float, which the type does not hold
        top = np.nextafter(float(ends.max) + 1, 0)
        return np.asarray(np.clip(np.rint(values), float(ends.min), top).astype(dtype))
    with np.errstate(over="ignore"):  # float16 ends at 65504: beyond it is infinite
        return np.asarray(values.astype(dtype))


def within_range(restored: NDArray[Any], plane: NDArray[Any]) -> NDArray[Any]:
    """Values cut off at the least and the greatest of a plane; of RGB, sample by sample."""
    finite = plane if plane.dtype.kind != "f" else np.where(np.isfinite(plane), plane, np.nan)
    ends = (np.nanmin(finite, axis=(0, 1)), np.nanmax(finite, axis=(0, 1)))
    return np.asarray(np.clip(restored, *ends))


def keep_gaps(restored: NDArray[Any], plane: NDArray[Any]) -> NDArray[Any]:
    """Put back the pixels of a plane that were no numbers."""
    if plane.dtype.kind == "f":
        gaps = ~np.isfinite(plane)
        restored[gaps] = plane[gaps]
    return restored


def unchanged(plane: NDArray[Any], preparation: Preparation, *, rescale: bool) -> NDArray[Any]:
    """A plane in which there is nothing to restore, in the range that was asked for."""
    if rescale:
        return plane.copy()
    if plane.dtype.kind == "f" and not np.isfinite(plane).any():
        return plane.astype(np.float32)
    value = prepare(plane, preparation)[:, 0, 0]
    value = value if plane.ndim == 3 and len(value) == plane.shape[2] else value.mean()
    return keep_gaps(np.array(np.broadcast_to(value, plane.shape), np.float32), plane)
