"""Samples that a network learns from, each decided by the seed and its number alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset

from ..inference.prepare import normalise, prepare
from ..models import Preparation
from ..segmentation.geometry import find_boxes
from ..segmentation.scale import usual_diameter
from ..synthetic import Modality, spheroids
from .augment import draw_map, take, vary_grey
from .pairs import Dataset, Pair
from .settings import TrainingSettings

Float = NDArray[np.float32]
USUAL_DIAMETER = (24.0, 96.0)  # px, for validation where the model has no best diameter
LONGEST_SIDE = 1600


class Sample(NamedTuple):
    """What a network sees, and what it should answer.

    Attributes
    ----------
    image : float32, (C, y, x)
    foreground : float32, (1, y, x)
        1 in objects.
    distance : float32, (1, y, x)
        Distance to the border of the object, 1 where it is largest.
    """

    image: Any
    foreground: Any
    distance: Any


def distance_to_border(labels: NDArray[np.int32]) -> Float:
    """Distance to the border of each object, divided by the object's largest: 0 outside, 1 inside.

    Parameters
    ----------
    labels : ndarray of int32, (Y, X)

    Returns
    -------
    ndarray of float32, (Y, X)
    """
    out = np.zeros(labels.shape, np.float32)
    for number, box in enumerate(find_boxes(labels), start=1):
        inside = labels[box] == number
        # the edge of the image is no border: what is cut there goes on
        wide = np.pad(inside, 1, mode="edge")
        for axis, (at, size) in enumerate(zip(box, labels.shape, strict=True)):
            border = np.moveaxis(wide, axis, 0)
            border[0] &= at.start == 0
            border[-1] &= at.stop == size
        exact = cv2.distanceTransform(wide.astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        out[box][inside] = exact[inside] / max(float(exact[inside].max()), 1e-6)
    return out


class _Opened:
    """A pair in memory, in the range that the network takes, at halved sizes too."""

    def __init__(self, image: NDArray[Any], labels: NDArray[np.int32], preparation: Preparation):
        unit = prepare(
            image, preparation.replace(size=None, long_side=None, scale=1, normalise="unit")
        )
        self.image = [np.ascontiguousarray(unit.transpose(1, 2, 0))]
        self.foreground = (labels > 0).astype(np.float32)
        self.distance = distance_to_border(labels)
        self.diameter = usual_diameter(labels)
        while max(self.image[-1].shape[:2]) > 400:
            height, width = self.image[-1].shape[:2]
            half = cv2.resize(
                self.image[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA
            )
            self.image.append(np.atleast_3d(half))

    @property
    def shape(self) -> tuple[int, int]:
        return self.foreground.shape[0], self.foreground.shape[1]

    @property
    def bytes(self) -> int:
        maps = (*self.image, self.foreground, self.distance)
        return sum(each.nbytes for each in maps)

    def image_at(self, where: tuple[Float, Float], scale: float) -> Float:
        """Pixels of the image at a map, (C, y, x), from the size that needs no smoothing."""
        level = min(max(0, int(np.log2(1 / scale))), len(self.image) - 1)
        image = self.image[level]
        factor = [np.float32(a / b) for a, b in zip(image.shape, self.shape, strict=False)]
        x, y = where
        x, y = (x + 0.5) * factor[1] - 0.5, (y + 0.5) * factor[0] - 0.5
        return np.asarray(np.atleast_3d(take(image, (x, y))).transpose(2, 0, 1), np.float32)


class Samples(TorchDataset[Sample]):
    """Endless training samples: number i is always the same.

    Parameters
    ----------
    dataset : Dataset
        Its train part is drawn from.
    settings : TrainingSettings
    preparation : Preparation
        What the network takes.
    """

    def __init__(
        self, dataset: Dataset, settings: TrainingSettings, preparation: Preparation
    ) -> None:
        self.settings = settings
        self.preparation = preparation
        self._by_source = dataset.by_source
        weights = [settings.data.sources.get(name, 1.0) for name in self._by_source]
        real = 1 - settings.data.synthetic_share
        self._chances = [*(real * w / sum(weights) for w in weights), 1 - real]
        self._opened = _Cache(preparation, settings.machine.cache_gb)

    def __getitem__(self, number: int) -> Sample:
        rng = np.random.default_rng([self.settings.seed, number])
        which = rng.choice(len(self._chances), p=self._chances)
        if which == len(self._by_source):
            drawn = draw_synthetic(rng, self.settings.data.any_share)
            opened = _Opened(*drawn, self.preparation)
        else:
            pairs = list(self._by_source.values())[which]
            opened = self._opened[pairs[rng.integers(len(pairs))]]
        return self._vary(opened, rng)

    def _vary(self, opened: _Opened, rng: np.random.Generator) -> Sample:
        settings, side = self.settings.augmentation, self.settings.crop
        scale = _draw_scale(opened, rng, settings.diameter)
        centre = tuple(
            rng.uniform(min(n / 2, 0.45 * side / scale), max(n / 2, n - 0.45 * side / scale))
            for n in opened.shape
        )
        where = draw_map(rng, side, scale, (centre[0], centre[1]), settings)
        image = vary_grey(opened.image_at(where, scale), rng, settings)
        return Sample(
            normalise(image, self.preparation),
            (take(opened.foreground, where) > 0.5).astype(np.float32)[None],
            take(opened.distance, where)[None],
        )


def _draw_scale(opened: _Opened, rng: np.random.Generator, diameters: tuple[float, float]) -> float:
    """A scale at which objects have a diameter between the two."""
    longest = max(opened.shape)
    wanted = np.exp(rng.uniform(*np.log(diameters)))
    scale = wanted / opened.diameter if opened.diameter > 0 else rng.uniform(224, 640) / longest
    return float(np.clip(scale, min(1, 192 / longest), min(4, LONGEST_SIDE / longest)))


class _Cache:
    """Pairs that were opened, as many as fit."""

    def __init__(self, preparation: Preparation, gigabytes: float) -> None:
        self._preparation = preparation
        self._left = gigabytes * 1e9
        self._pairs: dict[Pair, _Opened] = {}

    def __getitem__(self, pair: Pair) -> _Opened:
        if pair in self._pairs:
            return self._pairs[pair]
        opened = _Opened(*pair.read(), self._preparation)
        if opened.bytes <= self._left:
            self._left -= opened.bytes
            self._pairs[pair] = opened
        return opened


def draw_synthetic(
    rng: np.random.Generator, any_share: float = 0.0
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """One synthetic image of random kind, and its objects.

    Parameters
    ----------
    rng : Generator
    any_share : float
        Part of those that look like no microscope in particular.

    Returns
    -------
    tuple of ndarray
        uint16 and int32, (Y, X).
    """
    largest = rng.uniform(0.06, 0.3)
    modality: Modality = "any"
    if any_share == 0 or rng.random() >= any_share:
        modality = "brightfield" if rng.random() < 0.6 else "fluorescence"
    drawn = spheroids(
        (384, 384),
        int(rng.integers(0, 20)),
        modality,
        seed=int(rng.integers(2**31)),
        radius=(0.4 * largest, largest),
    )
    return drawn.image, drawn.labels


class Validation(TorchDataset[Sample]):
    """Whole images, unvaried, objects at a usual size.

    Parameters
    ----------
    pairs : sequence of Pair
    preparation : Preparation
        What the network takes.
    """

    def __init__(self, pairs: Sequence[Pair], preparation: Preparation) -> None:
        self.pairs = pairs
        self.preparation = preparation

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: int) -> Sample:
        image, labels = self.pairs[number].read()
        diameter = usual_diameter(labels)
        longest = max(labels.shape)
        wanted = self.preparation.best_diameter or USUAL_DIAMETER
        scale = np.clip(diameter, *wanted) / diameter if diameter > 0 else 448 / longest
        scale = np.clip(scale, min(1, 192 / longest), min(4, 1024 / longest))
        height, width = (max(64, round(n * scale / 32) * 32) for n in labels.shape)
        here = self.preparation.replace(size=(height, width), long_side=None)
        foreground, distance = (
            np.asarray(cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA), np.float32)
            for each in ((labels > 0).astype(np.float32), distance_to_border(labels))
        )
        mask = (foreground > 0.5).astype(np.float32)
        return Sample(prepare(image, here), mask[None], distance[None])
