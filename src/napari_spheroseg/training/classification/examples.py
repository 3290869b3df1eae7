"""One object in a window of its image, and how it becomes what a classifier sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...classification.crops import crops, objects_of
from ...models.metadata import Crop, Preparation
from ...settings import Settings
from ..augment import draw_map, take
from ..settings import Augmentation

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
_TURNED = Augmentation(stretch=0.1, elastic=0, grid=0, optical=0)


class Variation(Settings):
    """How examples are varied while a network learns."""

    diameter: tuple[float, float] = Field(
        (6, 160), description="Longer side of an object's box (px), at least and at most."
    )
    scale: tuple[float, float] = Field((0.6, 2.0), description="Least and largest change of size.")
    invert: float = Field(0.2, ge=0, le=1, description="Probability of swapped dark and bright.")
    gamma: float = Field(0.5, ge=0, description="Largest logarithm of a gamma.")
    gain: float = Field(0.7, ge=0, description="Largest logarithm of a loss of contrast.")
    shift: float = Field(0.15, ge=0, description="Largest shift of grey values.")
    noise: float = Field(0.05, ge=0, description="Largest standard deviation of noise.")


@dataclass(frozen=True, eq=False)
class Example:
    """An object and what surrounds it.

    Attributes
    ----------
    image : ndarray of float32, (y, x)
        In [0, 1], as the preparation of a whole image makes it.
    mask : ndarray of bool, (y, x)
        The object; not empty.
    source : str
        Where it comes from.
    """

    image: Float
    mask: Mask
    source: str


class Maker(Protocol):
    """Makes examples of some classes, without end."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Classes that it has examples of."""

    def draw(self, kind: str, rng: np.random.Generator) -> Example:
        """An example of a class."""


def crop_of(image: Float, mask: Mask, crop: Crop, preparation: Preparation) -> Float:
    """What a classifier sees of one object.

    Parameters
    ----------
    image : ndarray of float32, (y, x)
        In [0, 1].
    mask : ndarray of bool, (y, x)
    crop : Crop
    preparation : Preparation

    Returns
    -------
    ndarray of float32, (C, size, size)
    """
    objects = objects_of(mask.astype(np.uint8))
    return np.asarray(next(crops(image[None], objects, crop, preparation))[0], np.float32)


def window(image: Float, mask: Mask, source: str, around: float = 0.0) -> Example:
    """An object of a plane with its surroundings, as an example of its own.

    Parameters
    ----------
    image : ndarray of float32, (Y, X)
    mask : ndarray of bool, (Y, X)
    source : str
    around : float
        What to keep around its bounding box beside 12 px, in longer sides of the box.
    """
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    margin = 12 + int(around * max(np.ptp(rows), np.ptp(columns)))
    box = tuple(
        slice(max(0, int(found[0]) - margin), int(found[-1]) + 1 + margin)
        for found in (rows, columns)
    )
    return Example(image[box], mask[box], source)


def varied(example: Example, rng: np.random.Generator, settings: Variation) -> tuple[Float, Mask]:
    """The same object on another microscope: turned, at another size, of other grey values.

    Parameters
    ----------
    example : Example
    rng : Generator
    settings : Variation

    Returns
    -------
    image : ndarray of float32, (side, side)
        In [0, 1].
    mask : ndarray of bool, (side, side)
        Not empty.
    """
    ys, xs = np.nonzero(example.mask)
    height, width = int(np.ptp(ys)) + 1, int(np.ptp(xs)) + 1
    least, most = (side / max(height, width) for side in settings.diameter)
    change = float(np.exp(rng.uniform(*np.log(np.clip(settings.scale, least, most)))))
    image = example.image
    if change < 0.9:  # what a coarser camera cannot tell apart is not sampled, but averaged
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 / change), np.float32)
    centre = (float(ys.min() + ys.max()) / 2, float(xs.min() + xs.max()) / 2)
    side = int(np.hypot(height, width) * change * (1 + _TURNED.stretch)) + 12
    where = draw_map(rng, side, change, centre, _TURNED)
    # the mask is not mirrored at the edge of the window: that would make a second object
    mask = cv2.remap(example.mask.astype(np.float32), *where, cv2.INTER_LINEAR, borderValue=0)
    mask = mask > 0.5
    if not mask.any():  # an object of a few pixels may fall between those of the sample
        return example.image, example.mask
    return other_grey(take(image, where), rng, settings), np.asarray(mask)


def other_grey(image: Float, rng: np.random.Generator, settings: Variation) -> Float:
    """Other grey values.

    `training.augment.vary_grey` does as much and more, in 30 ms for a small image: too long for
    hundreds of thousands of objects.

    Parameters
    ----------
    image : ndarray of float32, (y, x)
        In [0, 1].
    rng : Generator
    settings : Variation

    Returns
    -------
    ndarray of float32, (y, x)
        In [0, 1].
    """
    if rng.random() < settings.invert:
        image = 1 - image
    if rng.random() < 0.5:
        image = np.clip(image, 0, 1) ** np.float32(np.exp(rng.uniform(-1, 1) * settings.gamma))
    gain = np.float32(np.exp(rng.uniform(-1, 0.4) * settings.gain))
    shift = np.float32(rng.uniform(-1, 1) * settings.shift)
    middle = np.float32(image.mean())
    image = (image - middle) * gain + middle + shift
    if rng.random() < 0.5:
        strength = np.float32(rng.uniform(0, settings.noise))
        image = image + strength * rng.standard_normal(image.shape).astype(np.float32)
    return np.asarray(np.clip(image, 0, 1), np.float32)
