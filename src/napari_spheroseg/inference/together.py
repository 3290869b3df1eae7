"""What several threads ask of one network at the same time goes through it as one batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import OutOfMemory

Float = NDArray[np.float32]


@dataclass(eq=False)
class _Asked:
    """Tiles (B, C, y, x) of one who asks, and what the network made of them."""

    tiles: Float
    maps: Float | None = None


class Together:
    """Joins tiles of one shape that wait for the same network.

    While one batch is computed, others arrive; whoever has the next turn takes them along. So
    nobody waits for tiles that are not there yet.

    Parameters
    ----------
    turn : threading.RLock
        Held while a batch is computed: one at a time.
    """

    def __init__(self, turn: threading.RLock) -> None:
        self._turn = turn
        self._queue = threading.Lock()
        self._waiting: list[_Asked] = []

    def run(
        self,
        batches: Sequence[Float],
        network: Callable[[Float], Float],
        most: Callable[[Float], int],
        too_many: Callable[[OutOfMemory, int, Float], object],
    ) -> list[Float]:
        """Take batches through a network, each alone or with others.

        Parameters
        ----------
        batches : sequence of ndarray of float32, (B, C, y, x)
        network : callable
            Makes maps (B, K, ...) of them.
        most : callable
            How many tiles like those of a batch fit at a time.
        too_many : callable
            Told how many tiles were too many together, with one of their batches; they go on with
            fewer: `most` must be smaller from then on.

        Returns
        -------
        list of ndarray
            What came of each, in their order.

        Raises
        ------
        Exception
            What the network raises for one of them.
        """
        asked = [_Asked(each) for each in batches]
        with self._queue:
            self._waiting += asked
        try:
            for each in asked:
                with self._turn:
                    while each.maps is None:
                        self._lead(each, network, most, too_many)
        finally:
            with self._queue:
                self._waiting = [each for each in self._waiting if each not in asked]
        return [each.maps for each in asked if each.maps is not None]

    def _lead(
        self,
        own: _Asked,
        network: Callable[[Float], Float],
        most: Callable[[Float], int],
        too_many: Callable[[OutOfMemory, int, Float], object],
    ) -> None:
        """One batch, with others that fit; where they do not, nothing has happened to them."""
        joined = self._with_others(own, most(own.tiles) // len(own.tiles))
        one = len(joined) == 1
        tiles = own.tiles if one else np.concatenate([each.tiles for each in joined])
        try:
            maps = network(tiles)
        except OutOfMemory as error:
            if one:
                raise
            too_many(error, len(tiles), own.tiles)
            return
        for each, its in zip(joined, np.split(maps, len(joined)), strict=True):
            each.maps = its
        with self._queue:
            self._waiting = [each for each in self._waiting if each not in joined]

    def _with_others(self, own: _Asked, room: int) -> list[_Asked]:
        """Those of the same shape, 1, 2, 4, ... in all: each size is searched for its algorithm."""
        with self._queue:
            others = [
                each
                for each in self._waiting
                if each is not own and each.tiles.shape == own.tiles.shape
            ]
        count = max(1, min(len(others) + 1, room))
        return [own, *others][: 1 << (count.bit_length() - 1)]
