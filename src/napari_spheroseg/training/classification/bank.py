"""Crops to learn from or to measure on, each decided by the seed and its number alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..pairs import Pair, pairs_in_manifest
from .cells import CLASSES as CELLS
from .cells import DrawnCells
from .examples import Float, Maker, Mask, crop_of, varied
from .found_cells import FoundCells
from .found_spheroids import FoundSpheroids
from .planes import read_planes
from .settings import ClassifierSettings
from .spheroids import CLASSES as SPHEROIDS
from .spheroids import DrawnSpheroids

CLASSES: Mapping[str, tuple[str, ...]] = {"cells": CELLS, "spheroids": SPHEROIDS}
_THINNEST_CELL = 3.0  # px; stalks, and what is left of a cell at the edge of the image


@dataclass(frozen=True, eq=False)
class Bank:
    """Crops with their classes.

    Attributes
    ----------
    crops : ndarray of float16, (N, C, size, size)
        Half the memory; the last digits are noise anyway.
    kinds : ndarray of int64, (N,)
        Numbers of the classes.
    sources : tuple of str
        Where each comes from.
    has_mask : bool
        Whether the last channel says where the object is: `mask_channel` of `Crop`.
    """

    crops: NDArray[np.float16]
    kinds: NDArray[np.int64]
    sources: tuple[str, ...]
    has_mask: bool = False

    def __len__(self) -> int:
        return len(self.kinds)


def drawn_maker(settings: ClassifierSettings) -> Maker:
    """Who draws the objects of these settings."""
    makers: dict[str, type[DrawnCells] | type[DrawnSpheroids]]
    makers = {"cells": DrawnCells, "spheroids": DrawnSpheroids}
    return makers[settings.objects](settings.preparation)


def found_maker(
    settings: ClassifierSettings, manifest: Path, part: Literal["train", "held out"]
) -> Maker:
    """Who finds the objects of these settings in images.

    Parameters
    ----------
    settings : ClassifierSettings
    manifest : Path
        CSV with the columns file, mask_file, source, group and part.
    part : {"train", "held out"}
        Held out are the test part and the groups that the settings name.

    Raises
    ------
    UnreadableFile, BadImage
        The data cannot be read.
    """
    pairs = [
        pair
        for pair in pairs_in_manifest(manifest).pairs
        if (part == "held out") == (pair.part == "test" or pair.group in settings.held_out)
        and pair.part != "val"
    ]
    own = [pair for pair in pairs if pair.source in settings.sources]
    thinnest = _THINNEST_CELL if settings.objects == "cells" else 0.0
    planes = read_planes(own, settings.preparation, thinnest)
    if settings.objects == "spheroids":
        return FoundSpheroids(planes, settings.preparation, settings.ragged)
    blurred = [each for pair in own for each in _blurred(pair, settings, manifest.parent)]
    for plane in read_planes(blurred, settings.preparation, thinnest):
        planes.append(replace(plane, is_sharp=False))
    dirty = [pair for pair in pairs if pair.source in settings.dirty]
    return FoundCells(
        planes, read_planes(dirty, settings.preparation), settings.preparation, settings.sources
    )


def _blurred(pair: Pair, settings: ClassifierSettings, folder: Path) -> list[Pair]:
    """The same field out of focus, where there is an image of it."""
    names = settings.blurred.get(pair.source, ())
    paths = [folder / name.format(stem=pair.image.stem) for name in names]
    return [replace(pair, image=path) for path in paths if path.is_file()]


@dataclass(frozen=True, eq=False)
class Sample:
    """An object as it is fed to a network.

    Attributes
    ----------
    image : ndarray of float32, (y, x)
        In [0, 1].
    mask : ndarray of bool, (y, x)
    crop : ndarray of float32, (C, size, size)
        Cut out of them.
    kind : int
        Number of its class.
    source : str
        Where it comes from.
    """

    image: Float
    mask: Mask
    crop: Float
    kind: int
    source: str


def samples(
    makers: Mapping[Maker, float],
    settings: ClassifierSettings,
    count: int,
    seed: int,
    *,
    vary: bool = True,
) -> Iterator[Sample]:
    """Samples of all classes in turn.

    Parameters
    ----------
    makers : mapping of Maker to float
        And how often each is asked.
    settings : ClassifierSettings
        Objects, preparation, crop and variation.
    count : int
    seed : int
        Number i is the same whatever the count.
    vary : bool
        Whether objects are turned, resized and of other grey values than in their image.
    """
    kinds = len(CLASSES[settings.objects])
    asked, shares = list(makers), np.array(list(makers.values()))
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        maker = asked[rng.choice(len(asked), p=shares / shares.sum())]
        example = maker.draw(maker.kinds[number % kinds], rng)
        image, mask = example.image, example.mask
        if vary:
            image, mask = varied(example, rng, settings.variation)
        crop = crop_of(image, mask, settings.crop, settings.preparation)
        yield Sample(image, mask, crop, number % kinds, example.source)


def fill(found: Iterable[Sample], has_mask: bool = False) -> Bank:
    """A bank of the crops of samples, of which the rest is let go; `has_mask` as in `Bank`."""
    crops, kinds, sources = [], [], []
    for each in found:
        crops.append(each.crop.astype(np.float16))
        kinds.append(each.kind)
        sources.append(each.source)
    return Bank(np.stack(crops), np.array(kinds, np.int64), tuple(sources), has_mask)
