"""Tiles of an image, and their seamless sum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.metadata import Preparation
from .prepare import working_shape

Float = NDArray[np.float32]


def starts(length: int, tile: int, overlap: float) -> list[int]:
    """Where tiles begin along an axis: evenly spread, sharing at least `overlap` of a tile.

    Parameters
    ----------
    length : int
        Pixels along the axis, at least `tile`.
    tile : int
        Pixels of a tile.
    overlap : float
        Part of a tile that neighbours share, in [0, 1).

    Returns
    -------
    list of int
        The first is 0, the last tile ends with the axis.
    """
    step = max(1, int(tile * (1 - overlap)))
    count = -(-(length - tile) // step) + 1
    return [round(i * (length - tile) / max(count - 1, 1)) for i in range(count)]


def gaussian_window(tile: tuple[int, int]) -> Float:
    """Weights of a tile's pixels: a Gaussian with deviation of an eighth of each side.

    The same as MONAI's sliding window in its mode "gaussian"; never quite 0, so that the sum of
    weights can be divided by.
    """
    axes = []
    for n in tile:
        distance = (np.arange(n) - (n - 1) / 2) / (n / 8)
        axes.append(np.exp(-0.5 * distance**2))
    window = np.outer(axes[0], axes[1])
    return np.maximum(window, 1e-3).astype(np.float32)


class Blend:
    """Weighted mean of overlapping tiles.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the whole.
    tile : int
        Side of a tile; capped at the whole's sides.
    overlap : float
        Part of a tile that neighbours share.
    """

    def __init__(self, shape: tuple[int, int], tile: int, overlap: float) -> None:
        self.shape = shape
        self.tile = (min(tile, shape[0]), min(tile, shape[1]))
        self.corners = [
            (y, x)
            for y in starts(shape[0], self.tile[0], overlap)
            for x in starts(shape[1], self.tile[1], overlap)
        ]
        self._window = gaussian_window(self.tile) if len(self.corners) > 1 else None
        self._sum: Float | None = None
        self._weight = np.zeros(shape, np.float32)

    def __len__(self) -> int:
        return len(self.corners)

    def slices(self) -> Iterator[tuple[slice, slice]]:
        """The tiles, row by row."""
        for y, x in self.corners:
            yield slice(y, y + self.tile[0]), slice(x, x + self.tile[1])

    def add(self, where: tuple[slice, slice], values: Float) -> None:
        """Add one tile's result, (K, tile height, tile width)."""
        if self._window is None:
            self._sum = values
            return
        if self._sum is None:
            self._sum = np.zeros((len(values), *self.shape), np.float32)
        self._sum[:, *where] += values * self._window
        self._weight[where] += self._window

    def result(self) -> Float:
        """The whole, (K, height, width), once every tile was added."""
        assert self._sum is not None, "no tile was added"
        return self._sum if self._window is None else self._sum / self._weight


def count_tiles(shape: tuple[int, int], preparation: Preparation) -> int:
    """Number of tiles that a plane of this height and width is predicted in."""
    working = working_shape(shape, preparation)
    return len(tiled(padded_shape(working, preparation.multiple), preparation))


def round_up(n: int, multiple: int) -> int:
    """The next multiple."""
    return -(-n // multiple) * multiple


def padded_shape(shape: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Sides rounded up to a multiple; twice that at least, for instance norm needs two pixels."""
    least = 2 * multiple if multiple > 1 else 1
    height, width = (max(round_up(n, multiple), least) for n in shape)
    return height, width


def pad(image: Float, multiple: int) -> Float:
    """Mirror at the bottom and right."""
    shape = (image.shape[1], image.shape[2])
    extra = [(0, n - m) for n, m in zip(padded_shape(shape, multiple), shape, strict=True)]
    return np.pad(image, [(0, 0), *extra], mode="symmetric")


def tiled(shape: Any, preparation: Preparation, largest: int | None = None) -> Blend:
    """The tiles of a padded plane, none larger than `largest` (px)."""
    tile = min(preparation.tile or max(shape), largest or max(shape))
    return Blend((shape[0], shape[1]), round_up(tile, preparation.multiple), preparation.overlap)
