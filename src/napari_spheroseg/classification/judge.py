"""What tells the classes of objects: one way of asking a network, measurements, or examples."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage
from ..inference.frames import as_grey
from ..inference.predictor import Predictor
from ..inference.prepare import grey_range, prepare
from ..models.metadata import Preparation
from ..segmentation.large.source import Survey
from .crops import Float, Objects, crops
from .settings import ClassifySettings

_ON_CPU = 16
"""Objects judged together: more no longer fit the processor's cache, and take longer each."""
AROUND = 64
"""Pixels that are seen around the objects of a window; a crop may have so many as its margin."""
_LEAST_RANGE = 1e-6
"""Of grey values from 0 to 1, where an image has none."""


@dataclass(frozen=True)
class Judged:
    """Progress within one frame.

    Attributes
    ----------
    done, total : int
        Objects; of a description of objects, parts of it.
    """

    done: int
    total: int


@dataclass(frozen=True, eq=False)
class Judgement:
    """What was found of a frame's objects.

    Attributes
    ----------
    chosen : ndarray of int, (N,)
        Index of the class; -1 where it could not be told.
    likely : ndarray of float, (N, classes)
        Probabilities; NaN where they are not known.
    """

    chosen: NDArray[np.intp]
    likely: NDArray[np.floating[Any]]

    @classmethod
    def of(cls, likely: NDArray[np.floating[Any]]) -> Judgement:
        """The likeliest class of each."""
        return cls(np.asarray(likely.argmax(axis=1), np.intp), likely)

    @classmethod
    def none(cls, count: int, classes: int) -> Judgement:
        """Nothing could be told."""
        return cls(np.full(count, -1, np.intp), np.full((count, classes), np.nan))


class Judge(Protocol):
    """Tells the classes of objects, a frame at a time."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of the probabilities."""

    @property
    def recipe(self) -> dict[str, Any]:
        """What it is and how it looks, for whoever wants the result again."""

    def judge(
        self, plane: NDArray[Any], objects: Objects, settings: ClassifySettings
    ) -> Generator[Judged, None, Judgement]:
        """The classes of a frame's objects, which are one at least.

        Parameters
        ----------
        plane : ndarray, (Y, X) or (Y, X, 3)
            Grey values, some of which are finite.
        objects : Objects
        settings : ClassifySettings
        """
        ...

    def warnings(self, plane: NDArray[Any], settings: ClassifySettings) -> tuple[str, ...]:
        """What the user should know of a frame."""
        ...

    def by_window(self, survey: Survey, settings: ClassifySettings) -> ClassifySettings:
        """Settings by which windows of a frame are judged as the whole of it would be.

        Parameters
        ----------
        survey : Survey
            What all of the frame's pixels tell together.
        settings : ClassifySettings

        Raises
        ------
        BadImage
            It needs all of a frame at once.
        """
        ...


@dataclass(frozen=True, eq=False)
class NetworkJudge:
    """A network that sees each object as a crop.

    Attributes
    ----------
    predictor : Predictor
    """

    predictor: Predictor

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of the network's scores."""
        return self.predictor.model.metadata.outputs

    @property
    def recipe(self) -> dict[str, Any]:
        """Model, checksum, and where it ran."""
        return {
            "model": self.predictor.model.reference,
            "sha256": self.predictor.model.metadata.sha256,
            "device": self.predictor.device,
            "backend": self.predictor.backend,
            "precision": self.predictor.precision,
        }

    def judge(
        self, plane: NDArray[Any], objects: Objects, settings: ClassifySettings
    ) -> Generator[Judged, None, Judgement]:
        """Softmax of the network's scores; see `Judge`."""
        metadata = self.predictor.model.metadata
        preparation, crop = settings.preparation(metadata), settings.crop(metadata)
        if self.predictor.device == "cpu" and settings.batch_size is None:
            crop = crop.replace(batch=min(crop.batch, _ON_CPU))
        if crop.normalise == "object":
            image = grey_channels(plane, preparation)
        else:
            image = prepare(plane, preparation)
        found: list[Float] = []
        done = 0
        for batch in crops(image, objects, crop, preparation):
            found.append(softmax(self.predictor.scores(batch)))
            done += len(batch)
            yield Judged(done, len(objects))
        return Judgement.of(np.concatenate(found))

    def by_window(self, survey: Survey, settings: ClassifySettings) -> ClassifySettings:
        """With the grey values of the frame as limits; see `Judge`."""
        metadata = self.predictor.model.metadata
        preparation, crop = settings.preparation(metadata), settings.crop(metadata)
        looks_at_all = preparation.intensity == "columns" or preparation.normalise == "standard"
        if looks_at_all or crop.margin > AROUND:
            raise too_large(metadata.title)
        if crop.normalise == "object" or preparation.intensity == "fixed":
            return settings
        low, high = grey_range(survey.sample, preparation)
        high = max(high, low + _LEAST_RANGE)
        return settings.replace(intensity="fixed", low=low, high=high)

    def warnings(self, plane: NDArray[Any], settings: ClassifySettings) -> tuple[str, ...]:
        """Whether the image's grey values are those that the network knows."""
        preparation = settings.preparation(self.predictor.model.metadata)
        low, high = preparation.low, preparation.high
        brightest = float(plane[np.isfinite(plane)].max())
        if preparation.intensity != "fixed" or brightest <= high + (high - low):
            return ()
        return (
            f"The model expects grey values from {low:g} to {high:g}, and the image has "
            f"{brightest:g}: restore it first, or set intensity='percentile'",
        )


def too_large(name: str) -> BadImage:
    """Error for a judge that needs all of a frame at once, and a frame that memory may not hold."""
    return BadImage(
        f"The image is too large for '{name}', which looks at all of it at once",
        hint="Choose a network such as cell_classifier, classify a region of fewer than 64 "
        "megapixels, or give image and labels as numpy arrays where memory holds them.",
    )


def softmax(scores: Float) -> Float:
    """Probabilities of classes from scores (N, classes)."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def grey_channels(plane: NDArray[Any], preparation: Preparation) -> Float:
    """Grey values as they are, (C, Y, X) with as many channels as a network takes.

    Values that are not finite count as the lowest.
    """
    values = as_grey(plane) if preparation.channels == 1 else np.atleast_3d(plane)
    values = np.asarray(values, np.float32)
    good = np.isfinite(values)
    if not good.all():
        values = np.where(good, values, values[good].min())
    if values.ndim == 2:
        return values[None]
    return np.ascontiguousarray(
        np.broadcast_to(values, (*values.shape[:2], preparation.channels)).transpose(2, 0, 1)
    )
