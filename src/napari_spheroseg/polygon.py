"""The outline of an object: what segmentation makes, files hold and viewers show."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Polygon:
    """The outline of one object.

    Attributes
    ----------
    id : int
        The object's label.
    outer : ndarray of float32, (n, 2)
        Corners as (y, x) in pixels, n >= 3; the first is not repeated. Integers are the centres
        of pixels, and the line runs between the pixels inside and those outside.
    holes : tuple of ndarray
        Rings of the same kind.
    name : str
        Class of the object.
    parent : int or None
        The object in whose hole this one lies.
    mean_probability : float
        NaN where it is not known.
    frame : tuple of int
        Position along the leading axes; () in a single plane.
    """

    id: int
    outer: Ring
    holes: tuple[Ring, ...] = ()
    name: str = "spheroid"
    parent: int | None = None
    mean_probability: float = float("nan")
    frame: tuple[int, ...] = field(default=())

    @property
    def rings(self) -> tuple[Ring, ...]:
        """The outer ring, then the holes."""
        return (self.outer, *self.holes)
