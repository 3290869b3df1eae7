"""What is given up, rung by rung, when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SMALLEST_TILE = 256
"""Tiles are made no smaller than this (px) when memory runs out."""

before_giving_way: list[Callable[[], bool]] = []
"""Asked before the first rung: each lets go of what nobody uses, and says whether it did."""


@dataclass
class Concessions:
    """What was done because memory ran out; the next plane begins with it.

    Attributes
    ----------
    batch, tile : int or None
        Most tiles at a time, and their largest side (px).
    made : tuple of str
        All of it, in order and words.
    """

    batch: int | None = None
    tile: int | None = None
    made: tuple[str, ...] = ()

    def make(self, what: str, batch: int | None = None, tile: int | None = None) -> None:
        """Note one more."""
        self.made += (what,)
        self.batch, self.tile = batch or self.batch, tile or self.tile


def let_go() -> bool:
    """Free what nobody uses; whether there was anything."""
    return any(each() for each in before_giving_way)
