"""Tiles in focus and out of focus: by computation, and of real stacks."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ... import synthetic
from ...inference.frames import as_grey
from ...inference.prepare import prepare
from ...readwrite.images import read_image
from ...restoration.content import content
from ...restoration.defocus import brightfield, defocus, diffraction, disc, gaussian
from ...restoration.grid import Grid
from ...restoration.sharpness import tile_map
from .stacks import PREPARATION, TILE, Stack

Float = NDArray[np.float32]
SOURCES = (
    "orgaquant_poly",
    "fis_organoids",
    "invasion_fluo",
    "ewing_microwell",
    "ipsc_aggregates",
    "cells_omnipose",
)
"""Images that are defocused; cells_yeast_baby is not among them: it shows fields of the stacks."""
DRAWN = 24  # synthetic images
_FLAT = ("cells_sephace", "yeast_5plane")  # of one layer, which is in focus at once
_VIEWS = 40  # tiles at least that a stack is seen through
_FAINT = 0.85  # of the best sharpness of a place, above which a plane is not out of focus


@dataclass(frozen=True, eq=False)
class Tiles:
    """Prepared tiles, and which of them are in focus.

    Attributes
    ----------
    values : ndarray of float32, (N, TILE, TILE)
    sharp : ndarray of bool, (N,)
    """

    values: Float
    sharp: NDArray[np.bool_]

    @classmethod
    def of(cls, tiles: list[Float], sharp: list[bool]) -> Tiles:
        """Tiles of a list, which may be empty."""
        values = np.array(tiles, np.float32).reshape(-1, TILE, TILE)
        return cls(values, np.array(sharp, bool))


def join(tiles: list[Tiles]) -> Tiles:
    """Tiles of several places."""
    return Tiles(
        np.concatenate([each.values for each in tiles]),
        np.concatenate([each.sharp for each in tiles]),
    )


def sharp_images(data: Path) -> dict[str, list[Float]]:
    """Prepared images of the train part by source, and synthetic ones.

    Parameters
    ----------
    data : Path
        Holds manifest.csv.
    """
    images: dict[str, list[Float]] = {name: [] for name in SOURCES}
    with (data / "manifest.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["part"] == "train" and row["source"] in SOURCES:
                plane = as_grey(np.asarray(read_image(data / row["file"]).data))
                images[row["source"]].append(prepare(plane, PREPARATION)[0])
    for number in range(DRAWN):
        modality: synthetic.Modality = "fluorescence" if number % 2 else "brightfield"
        drawn = synthetic.spheroids((384, 384), 8, modality, seed=number)
        images.setdefault("synthetic", []).append(prepare(drawn.image, PREPARATION)[0])
    return images


def defocused(images: dict[str, list[Float]], count: int, rng: np.random.Generator) -> Tiles:
    """Pairs of tiles: as they are, and defocused by computation.

    Parameters
    ----------
    images : dict of str to list of ndarray
        Of each source, all of which count alike.
    count : int
        Pairs.
    rng : Generator
    """
    tiles, sharp = [], []
    for seen, _ in zip(_places(images, rng), range(count), strict=False):
        clear = defocus(_scaled(seen, 0.6, 1.25, rng), gaussian(rng.uniform(0.01, 0.6)))
        radius = float(np.exp(rng.uniform(np.log(2.0), np.log(12.0))))
        tiles += [_middle(clear), _middle(defocus(clear, _kernel(radius, rng)))]
        sharp += [True, False]
    return Tiles.of(tiles, sharp)


def tiles_of(stack: Stack, rng: np.random.Generator) -> Tiles:
    """Tiles of a stack at places whose focus is clear.

    In focus is the plane that is sharpest there; out of focus are planes two or more away that
    are less sharp.

    Parameters
    ----------
    stack : Stack
    rng : Generator
    """
    grid = Grid(stack.raw[0].shape, TILE, TILE // 2)
    maps = np.nan_to_num(np.stack([tile_map(each, "laplacian") for each in stack.raw]))
    held = np.stack([content(each, grid) for each in stack.planes])
    best, peak = maps.argmax(axis=0), maps.max(axis=0)
    clear = held.max(axis=0) > 0.3
    if stack.source in _FLAT:
        best[:] = stack.best
    else:
        clear &= peak > 1.3 * np.median(maps, axis=0)
    places = np.argwhere(clear)
    times = max(1, _VIEWS // len(places)) if len(places) else 1
    tiles, sharp = [], []
    for row, column in np.repeat(places, times, axis=0):
        away = np.abs(np.arange(len(maps)) - best[row, column])
        blurred = (away >= 2) & (maps[:, row, column] < _FAINT * peak[row, column])
        seen = (held[:, row, column] >= 0.1) & ((away == 0) | blurred)
        y, x = int(grid.starts[0][row]), int(grid.starts[1][column])
        for z in np.flatnonzero(seen):
            dy, dx = rng.integers(-8, 9, 2) if times > 1 else (0, 0)
            view = _window(stack.planes[z], y + int(dy), x + int(dx), 112)
            tiles.append(_middle(_scaled(view, 0.6, 1.3, rng)))
            sharp.append(bool(away[z] == 0))
    return Tiles.of(tiles, sharp)


def _places(images: dict[str, list[Float]], rng: np.random.Generator) -> Iterator[Float]:
    """Squares of 128 px about the sharper half of the tiles of each image."""
    corners = {name: [_sharper_half(each) for each in own] for name, own in images.items()}
    names = list(images)
    while True:
        name = names[rng.integers(len(names))]
        number = rng.integers(len(images[name]))
        found = corners[name][number]
        if len(found):
            y, x = found[rng.integers(len(found))] + rng.integers(-12, 13, 2)
            yield _window(images[name][number], int(y), int(x), 128)


def _sharper_half(image: Float) -> NDArray[np.intp]:
    """Corners of the tiles that hold something and are sharper than half of these."""
    grid = Grid((image.shape[0], image.shape[1]), TILE, TILE // 2)
    values = np.where(content(image, grid) > 0.5, tile_map(image, "laplacian"), np.nan)
    if np.isnan(values).all():
        return np.zeros((0, 2), np.intp)
    rows, columns = np.nonzero(values >= np.nanmedian(values))
    return np.stack([grid.starts[0][rows], grid.starts[1][columns]], axis=1)


def _window(image: Float, y: int, x: int, side: int) -> Float:
    """A square about the tile with this corner; mirrored beyond the border."""
    margin = (side - TILE) // 2
    rows, columns = (
        np.pad(np.arange(length), side, mode="symmetric")[start - margin + side :][:side]
        for length, start in zip(image.shape, (y, x), strict=True)
    )
    return np.asarray(image[np.ix_(rows, columns)], np.float32)


def _scaled(image: Float, low: float, high: float, rng: np.random.Generator) -> Float:
    scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.float32)


def _middle(image: Float) -> Float:
    y, x = ((length - TILE) // 2 for length in image.shape)
    return image[y : y + TILE, x : x + TILE]


def _kernel(radius: float, rng: np.random.Generator) -> Float:
    """One of the kernels of a plane out of focus."""
    way = rng.integers(4)
    if way == 0:
        return disc(radius)
    if way == 1:
        return gaussian(radius / 2)
    if way == 2:
        return diffraction(radius, rng.uniform(-0.5, 0.5))
    return brightfield(radius, rng.uniform(-1, 1))
