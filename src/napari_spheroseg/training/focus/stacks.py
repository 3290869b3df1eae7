"""Real focus stacks: their planes, where they are in focus, and which are held out together."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...inference.frames import as_grey
from ...inference.prepare import prepare
from ...models import Preparation
from ...readwrite.images import read_image
from ...restoration.sharpness import sharpness

Float = NDArray[np.float32]
TILE = 64
PREPARATION = Preparation(tile=TILE, overlap=0.5, multiple=1)
_BARELY = 0.6  # px of smoothing, as little as the noise of these images allows


@dataclass(frozen=True)
class Stack:
    """Planes of one field, in order of their depth.

    Attributes
    ----------
    source, field : str
        Where it is from, and its folder.
    group : str
        Fields of one group show the same place, at other times perhaps.
    raw : tuple of ndarray, each (Y, X)
    """

    source: str
    field: str
    group: str
    raw: tuple[NDArray[Any], ...]

    @cached_property
    def planes(self) -> tuple[Float, ...]:
        """As the detector sees them, grey values from 0 to 1."""
        return tuple(prepare(each, PREPARATION)[0] for each in self.raw)

    @cached_property
    def best(self) -> int:
        """Number of the sharpest plane: where the Laplacian varies most."""
        return int(np.argmax([sharpness(each, "laplacian", _BARELY) for each in self.raw]))


def read_stacks(data: Path) -> list[Stack]:
    """All stacks that a folder with manifest_unlabelled.csv holds.

    Parameters
    ----------
    data : Path
    """
    found: dict[Path, list[dict[str, str]]] = {}
    with (data / "manifest_unlabelled.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["z"]:
                found.setdefault(Path(row["file"]).parent, []).append(row)
    stacks = []
    for folder, rows in sorted(found.items()):
        rows.sort(key=lambda row: float(row["z"]))
        raw = tuple(as_grey(read_image(data / row["file"]).data) for row in rows)
        source = rows[0]["source"]
        stacks.append(Stack(source, folder.as_posix(), f"{source} {rows[0]['group']}", raw))
    return stacks


def deal(stacks: list[Stack], folds: int) -> dict[str, int]:
    """The fold of each group, dealt out one by one.

    Parameters
    ----------
    stacks : list of Stack
    folds : int
    """
    groups = dict.fromkeys(each.group for each in stacks)
    return {group: number % folds for number, group in enumerate(groups)}
