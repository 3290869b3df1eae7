"""Outputs of a model for a plane that does not fit in memory: tile by tile onto the disk."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import OutOfMemory
from ...inference.plan import batch_for
from ...inference.predictor import Predictor
from ...inference.prepare import grey_range, stretch, working_shape
from ...inference.tiles import gaussian_window, padded_shape, round_up, starts
from ...models import Preparation
from ..geometry import Box
from .resample import Shape, shrunk_window, stretched_needs, stretched_window
from .room import Room, Scratch
from .source import Source

Map = NDArray[np.float32]
_UNTILED = 2048  # longest side of a plane that a model without tiles gets in one piece
_TILE = 1024  # of larger ones


@dataclass(frozen=True, eq=False)
class Maps:
    """Outputs of a model, at the resolution that it worked in.

    Attributes
    ----------
    array : Scratch of float32, (K, y, x)
    shape : (int, int)
        Height and width of the plane.
    """

    array: Scratch
    shape: Shape

    def __len__(self) -> int:
        return int(self.array.shape[0])

    def window(self, output: int, box: Box) -> Map:
        """One output, (y, x), at the resolution of the plane."""
        source = (self.array.shape[1], self.array.shape[2])
        values = self.array[output, *stretched_needs(source, self.shape, box)]
        return stretched_window(values, source, self.shape, box)


class Grid:
    """The tiles of a plane, as `Predictor.predict` lays them.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the plane.
    preparation : Preparation
    largest : int, optional
        Tiles are made no larger than this (px).
    """

    def __init__(self, shape: Shape, preparation: Preparation, largest: int | None = None) -> None:
        self.working = working_shape(shape, preparation)
        padded = padded_shape(self.working, preparation.multiple)
        tile = preparation.tile
        if tile is None:
            tile = _TILE if max(self.working) > _UNTILED else max(padded)
        side = round_up(min(tile, largest or tile), preparation.multiple)
        self.tile = (min(side, padded[0]), min(side, padded[1]))
        self.width = padded[1]
        self.rows, self.columns = (
            starts(n, m, preparation.overlap) for n, m in zip(padded, self.tile, strict=True)
        )
        # mirrored at the bottom and right
        self._at = [
            np.pad(np.arange(n), (0, m - n), mode="symmetric")
            for n, m in zip(self.working, padded, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def pixels(self, y: int, x: int) -> list[NDArray[np.int64]]:
        """Rows and columns of the working plane that a tile shows."""
        return [
            at[start : start + n] for at, start, n in zip(self._at, (y, x), self.tile, strict=True)
        ]


def predict(
    predictor: Predictor, source: Source, preparation: Preparation, room: Room
) -> Generator[None, None, Maps]:
    """Predict a plane; the same values, and the same ways out of memory, as `Predictor.predict`.

    Yields
    ------
    None
        After every batch of tiles.

    Returns
    -------
    Maps

    Raises
    ------
    OutOfMemory
        Even the smallest tiles do not fit.
    """
    while True:
        given = predictor.concessions
        grid = Grid(source.shape, preparation, given.tile)
        batch = given.batch or batch_for(
            predictor.model, grid.tile, predictor.device, len(grid.columns)
        )
        room.expect(len(grid.rows) * -(-len(grid.columns) // batch))
        array: Scratch | None = None
        try:
            for rows, values in _rows(predictor, source, grid, batch, preparation):
                if values is not None:
                    if array is None:
                        array = room.array((len(values), *grid.working), np.float32)
                    for output, each in enumerate(values):
                        array[output, rows, :] = each
                yield
        except OutOfMemory as error:
            predictor.give_way(error, batch, max(grid.tile))
        else:
            assert array is not None, "there is at least one row of tiles"
            return Maps(array, source.shape)


def _rows(
    predictor: Predictor, source: Source, grid: Grid, batch: int, preparation: Preparation
) -> Iterator[tuple[slice, Map | None]]:
    """Finished rows of the maps, (K, y, x), at the end of every row of tiles; else None."""
    grey = grey_range(source.survey.sample, preparation)
    band: _Band | None = None
    # a small plane is padded by so much that whole tiles begin beyond it
    ends = [min(end, grid.working[0]) for end in (*grid.rows[1:], grid.working[0])]
    for y, end in zip(grid.rows, ends, strict=True):
        rows = slice(y, max(end, y))
        for first in range(0, len(grid.columns), batch):
            columns = grid.columns[first : first + batch]
            tiles = [_tile(source, grid, (y, x), grey, preparation) for x in columns]
            found = predictor.maps_of(np.stack(tiles), preparation)
            band = band or _Band(found.shape[1], grid)
            for x, values in zip(columns, found, strict=True):
                band.add(x, values)
            last = first + batch >= len(grid.columns)
            yield rows, band.take(rows.stop - y)[..., : grid.working[1]] if last else None


def _tile(
    source: Source, grid: Grid, corner: Shape, grey: tuple[float, float], preparation: Preparation
) -> Map:
    """What the network sees of a tile, (C, y, x)."""
    rows, columns = grid.pixels(*corner)
    box = (
        slice(int(rows.min()), int(rows.max()) + 1),
        slice(int(columns.min()), int(columns.max()) + 1),
    )
    small = shrunk_window(source.window, source.shape, grid.working, box, preparation.interpolation)
    small = small[np.ix_(rows - box[0].start, columns - box[1].start)]
    return stretch(small, *grey, preparation)


class _Band:
    """Weighted sums of the rows that tiles may still be added to; see `inference.tiles.Blend`."""

    def __init__(self, outputs: int, grid: Grid) -> None:
        height, self._width = grid.tile
        self._window = gaussian_window(grid.tile) if len(grid) > 1 else None
        self._sum = np.zeros((outputs, height, grid.width), np.float32)
        self._weight = np.zeros((height, grid.width), np.float32)

    def add(self, x: int, values: Map) -> None:
        """Add the result of a tile that begins with the band."""
        columns = slice(x, x + self._width)
        if self._window is None:
            self._sum[:], self._weight[:] = values, 1
        else:
            self._sum[..., columns] += values * self._window
            self._weight[..., columns] += self._window

    def take(self, rows: int) -> Map:
        """The first rows, finished; the band then begins after them."""
        done = self._sum[:, :rows] / self._weight[:rows]
        for each in (self._sum, self._weight):
            rest = each[..., rows:, :].copy()
            each[..., : rest.shape[-2], :] = rest
            each[..., rest.shape[-2] :, :] = 0
        return np.asarray(done)
