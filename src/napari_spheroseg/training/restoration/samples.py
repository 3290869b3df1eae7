"""Sharp images and what a microscope out of focus makes of them, each decided by its number."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ...errors import UnreadableFile
from ...inference.frames import as_grey
from ...inference.prepare import grey_range
from ...models.metadata import Preparation
from ...readwrite.images import read_image
from ...restoration.defocus import (
    brightfield,
    camera,
    defocus,
    defocus_by_depth,
    diffraction,
    disc,
    gaussian,
)
from ...synthetic import spheroids
from .settings import Degradation, RestorationTraining

Float = NDArray[np.float32]
KINDS = ("disc", "gaussian", "diffraction", "brightfield")
_MARGIN = 24  # px around a sample, so that its border is blurred by what lies beyond


class Pair(NamedTuple):
    """An image out of focus and the same in focus, float32 of (1, y, x) or (B, 1, y, x)."""

    blurred: Any
    sharp: Any


def find_sharp(folder: Path, sources: dict[str, float], part: str) -> dict[str, list[Path]]:
    """Images of a part by source, from ``manifest.csv`` and ``manifest_unlabelled.csv``.

    Images of the second belong to the train part, but those of a series of planes, of which most
    are out of focus.

    Raises
    ------
    UnreadableFile
        A source has no image.
    """
    found: dict[str, list[Path]] = {source: [] for source in sources}
    for name in ("manifest.csv", "manifest_unlabelled.csv"):
        with (folder / name).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                own = row.get("part") or ("" if row["z"] else "train")
                if row["source"] in found and own == part:
                    found[row["source"]].append(folder / row["file"])
    if part == "train":
        for source, files in found.items():
            if not files:
                raise UnreadableFile(f"There is no image of '{source}' in {folder}")
    return {source: files for source, files in found.items() if files}


class SharpImages:
    """Images in memory, in [0, 1] between the percentiles of the preparation.

    Parameters
    ----------
    files : dict
        By source.
    preparation : Preparation
    """

    def __init__(self, files: dict[str, list[Path]], preparation: Preparation) -> None:
        self.by_source = {
            source: [unit(as_grey(_read(path)), preparation) for path in own]
            for source, own in files.items()
        }

    def __iter__(self) -> Iterator[Float]:
        for images in self.by_source.values():
            yield from images


def _read(path: Path) -> NDArray[Any]:
    data = np.asarray(read_image(path).data)
    return data if data.ndim == 2 or data.shape[-1] in (3, 4) else data[0]


def unit(plane: NDArray[Any], preparation: Preparation) -> Float:
    """Grey values with 0 and 1 where the preparation puts them."""
    low, high = grey_range(plane, preparation)
    return np.asarray((plane.astype(np.float32) - low) / max(high - low, 1e-6), np.float32)


def take_sharp(
    image: Float, side: int, scale: float, rng: np.random.Generator, tries: int = 2
) -> Float:
    """A piece of an image, turned and mirrored; of several, the one with most in it."""
    wanted = round(side / scale)
    short = [max(0, wanted - n) for n in image.shape]
    if any(short):
        image = np.pad(image, [(n // 2, n - n // 2) for n in short], mode="symmetric")
    pieces = []
    for _ in range(tries):
        y, x = (int(rng.integers(n - wanted + 1)) for n in image.shape)
        pieces.append(image[y : y + wanted, x : x + wanted])
    piece = max(pieces, key=np.std)
    piece = np.asarray(cv2.resize(piece, (side, side), interpolation=cv2.INTER_AREA), np.float32)
    turned = np.rot90(piece, int(rng.integers(4)))
    return np.ascontiguousarray(turned[:, ::-1] if rng.random() < 0.5 else turned)


def vary(sharp: Float, rng: np.random.Generator, settings: Degradation) -> Float:
    """Another contrast."""
    if rng.random() < settings.invert:
        sharp = 1 - sharp
    if rng.random() < settings.gamma:
        power = np.float32(np.exp(rng.uniform(np.log(0.6), np.log(1.6))))
        sharp = np.sign(sharp) * np.abs(sharp) ** power
    return np.asarray(sharp, np.float32)


def blur(sharp: Float, rng: np.random.Generator, settings: Degradation) -> Float:
    """A piece as it looks out of focus, or as it is."""
    if rng.random() < settings.sharp:
        return sharp
    smallest, largest = settings.radius
    radius = smallest + (largest - smallest) * rng.random() ** 1.5
    kind = str(rng.choice(KINDS))
    spherical = rng.uniform(-1, 1) * settings.spherical
    phase = rng.uniform(-1, 1) * settings.phase
    pupil = rng.uniform(0.25, 0.5)
    kernels: dict[str, Callable[[float], Float]] = {
        "disc": disc,
        "gaussian": lambda r: gaussian(r / 2),
        "diffraction": lambda r: diffraction(r, spherical, pupil),
        "brightfield": lambda r: brightfield(r, phase, pupil),
    }
    kernel = kernels[kind]
    if rng.random() >= settings.depth:
        return defocus(sharp, kernel(radius))
    coarse = rng.random((3, 3)).astype(np.float32)
    size = (sharp.shape[1], sharp.shape[0])
    depth = np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.float32)
    spread = rng.uniform(0.3, 1)
    radii = [radius * (1 + spread * step) for step in (-1, 0, 1)]
    return defocus_by_depth(sharp, [kernel(max(r, 0.3)) for r in radii], depth)


def degrade(
    sharp: Float, rng: np.random.Generator, settings: Degradation, preparation: Preparation
) -> tuple[Float, Float]:
    """What the camera sees of a piece, and the piece, on the scale of what the camera sees.

    Parameters
    ----------
    sharp : ndarray of float32, (y, x)
        About [0, 1].
    rng : Generator
    settings : Degradation
    preparation : Preparation
        The network's: its percentiles are those of the image out of focus.

    Returns
    -------
    tuple of ndarray of float32, (y, x)
    """
    floor = np.float32(rng.uniform(0, settings.floor))
    photons = np.exp(rng.uniform(*np.log(settings.photons)))
    noise = rng.uniform(0, settings.read_noise)
    seen = camera(floor + (1 - floor) * blur(sharp, rng, settings), photons, noise, rng)
    seen = (seen - floor) / (1 - floor)
    # a field's percentiles lie between those of this piece and those of the whole image
    own, part = grey_range(seen, preparation), rng.random()
    low, high = part * own[0], 1 + part * (own[1] - 1)
    gain = np.float32(1 / max(high - low, 0.1))
    return (seen - np.float32(low)) * gain, (sharp - np.float32(low)) * gain


class RestorationSamples(Dataset[Pair]):
    """Endless training samples: number i is always the same.

    Parameters
    ----------
    images : SharpImages
    settings : RestorationTraining
    """

    def __init__(self, images: SharpImages, settings: RestorationTraining) -> None:
        self.images, self.settings = list(images.by_source.items()), settings
        weights = [settings.sources[source] for source, _ in self.images]
        real = 1 - settings.synthetic_share
        self._chances = [*(real * w / sum(weights) for w in weights), 1 - real]

    def __getitem__(self, number: int) -> Pair:
        settings = self.settings
        rng = np.random.default_rng([settings.seed, number])
        which = int(rng.choice(len(self._chances), p=self._chances))
        if which == len(self.images):
            image = draw_sharp(rng, settings.preparation)
        else:
            own = self.images[which][1]
            image = own[rng.integers(len(own))]
        scale = np.exp(rng.uniform(*np.log(settings.degradation.scale)))
        sharp = take_sharp(image, settings.crop + 2 * _MARGIN, scale, rng)
        sharp = vary(sharp, rng, settings.degradation)
        pair = degrade(sharp, rng, settings.degradation, settings.preparation)
        return Pair(*(_inner(each) for each in pair))


class RestorationValidation(Dataset[Pair]):
    """A piece of every validation image, degraded in a way that its number decides.

    Parameters
    ----------
    images : SharpImages
    settings : RestorationTraining
    side : int
        Of a piece, in pixels.
    tries : int
        Pieces of which the one with most in it is taken.
    """

    def __init__(
        self, images: SharpImages, settings: RestorationTraining, side: int = 256, tries: int = 2
    ) -> None:
        self.images, self.settings = list(images), settings
        self.side, self.tries = side, tries

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, number: int) -> Pair:
        rng = np.random.default_rng([987, number])
        whole = math.lcm(8, self.settings.preparation.multiple)
        side = min(self.side, min(self.images[number].shape)) // whole * whole + 2 * _MARGIN
        sharp = take_sharp(self.images[number], side, 1.0, rng, self.tries)
        pair = degrade(sharp, rng, self.settings.degradation, self.settings.preparation)
        return Pair(*(_inner(each) for each in pair))


def draw_sharp(rng: np.random.Generator, preparation: Preparation) -> Float:
    """A synthetic image."""
    largest = rng.uniform(0.06, 0.25)
    drawn = spheroids(
        (256, 256),
        int(rng.integers(1, 16)),
        "brightfield" if rng.random() < 0.6 else "fluorescence",
        seed=int(rng.integers(2**31)),
        radius=(0.4 * largest, largest),
    )
    return unit(drawn.image, preparation)


def _inner(plane: Float) -> Float:
    inner = plane[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return np.ascontiguousarray(inner)[None]
