"""Tiles on a regular grid: where they lie, what they hold, and a map made of their values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSetting

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """Square tiles that cover a plane; the last of a row or column ends with it.

    Attributes
    ----------
    shape : (int, int)
        Height and width of the plane in pixels.
    tile, step : int
        Side of a tile, and the distance from one to the next, in pixels.

    Raises
    ------
    BadSetting
        The step is not between 1 and the tile.
    """

    shape: tuple[int, int]
    tile: int = 64
    step: int = 32

    def __post_init__(self) -> None:
        if not 1 <= self.step <= self.tile:
            raise BadSetting(
                f"Tiles of {self.tile} px every {self.step} px do not cover a plane",
                hint="Choose a step between 1 and the side of a tile.",
            )

    @property
    def starts(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """First rows and first columns of the tiles; just 0 where a side is below a tile."""
        first, second = (_starts(length, self.tile, self.step) for length in self.shape)
        return first, second

    def pad(self, plane: Float) -> Float:
        """The plane (..., Y, X), mirrored at the bottom and right to a tile at least."""
        more = [(0, max(0, self.tile - length)) for length in self.shape]
        if not any(after for _, after in more):
            return plane
        return np.pad(plane, [(0, 0)] * (plane.ndim - 2) + more, mode="symmetric")

    def means(self, plane: NDArray[np.floating]) -> NDArray[np.float64]:
        """Mean of a plane (Y, X) over each tile, as (rows, columns) of tiles."""
        rows, columns = self.starts
        height, width = (min(self.tile, length) for length in self.shape)
        sums = np.zeros((self.shape[0] + 1, self.shape[1] + 1))
        np.cumsum(plane, axis=0, dtype=np.float64, out=sums[1:, 1:])
        np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
        top, left = rows[:, None], columns[None, :]
        bottom, right = top + height, left + width
        area = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return np.asarray(area / (height * width), np.float64)

    def spread(self, values: NDArray[np.floating]) -> Float:
        """Values of the tiles, (rows, columns), as a map of the plane, (Y, X).

        Linear between the middles of tiles, constant beyond the outermost; where a tile has no
        value, the nearest that has one counts. NaN where none has.
        """
        rows, columns = self.starts
        height, width = (min(self.tile, length) for length in self.shape)
        filled = _filled(np.asarray(values, np.float64))
        y = np.interp(np.arange(self.shape[0]), rows + (height - 1) / 2, np.arange(len(rows)))
        x = np.interp(np.arange(self.shape[1]), columns + (width - 1) / 2, np.arange(len(columns)))
        above, left = y.astype(int), x.astype(int)
        below = np.minimum(above + 1, len(rows) - 1)
        right = np.minimum(left + 1, len(columns) - 1)
        down, along = (y - above)[:, None], x - left
        along_rows = filled[:, left] * (1 - along) + filled[:, right] * along
        return np.asarray(along_rows[above] * (1 - down) + along_rows[below] * down, np.float32)


def _starts(length: int, tile: int, step: int) -> NDArray[np.intp]:
    last = max(0, length - tile)
    return np.append(np.arange(0, last, step), last)


def _filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The value of the nearest tile that has one."""
    from scipy.ndimage import distance_transform_edt

    none = np.isnan(values)
    if not none.any() or none.all():
        return values
    nearest = distance_transform_edt(none, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)], np.float64)
