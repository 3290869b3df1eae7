"""What an evaluation found: scores an image, a source and overall, and the best threshold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..models import ModelMetadata
from ..segmentation.recipe import Recipe
from .metrics import NAMES

if TYPE_CHECKING:
    import pandas as pd

Scores = dict[str, float]
SWEPT = ("pixel_iou", "pixel_dice", "object_f1")
"""Scores that are taken at every threshold."""


@dataclass(frozen=True, eq=False)
class Case:
    """One image with its truth and what was found.

    Attributes
    ----------
    file, source : str
    image : ndarray, (Y, X) or (Y, X, 3)
    truth, found : ndarray of int32, (Y, X)
    scores : dict of str to float
        As in `metrics.score`.
    """

    file: str
    source: str
    image: NDArray[Any]
    truth: NDArray[np.int32]
    found: NDArray[np.int32]
    scores: Scores

    @property
    def quality(self) -> float:
        """What cases are ranked by; see `quality`."""
        return quality(self.scores["pixel_dice"], self.scores["object_f1"])


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How well a model does on images whose truth is known.

    Attributes
    ----------
    images : DataFrame
        One row an image: file, source, error ("" where there is none) and all scores; NaN where
        undefined, or where the image failed.
    swept : DataFrame
        One row an image and threshold: file, source, threshold, and the scores of `SWEPT`.
    worst : tuple of Case
        Of each source those of the lowest quality, the worst first.
    model : ModelMetadata
    settings : Recipe
        How images were segmented.
    part : str
        Which part of the data it is.
    left_out : tuple of str
        Files without a partner, as sentences.
    """

    images: pd.DataFrame
    swept: pd.DataFrame
    worst: tuple[Case, ...]
    model: ModelMetadata
    settings: Recipe
    part: str
    left_out: tuple[str, ...] = ()

    @property
    def recipe(self) -> dict[str, Any]:
        """How images were segmented: ``segment(image, **recipe)`` does it again."""
        recipe: dict[str, Any] = self.settings.model_dump(mode="json")
        return recipe

    @property
    def failures(self) -> pd.DataFrame:
        """Images that could not be read or segmented: file, source and error."""
        return self.images.loc[self.images["error"] != "", ["file", "source", "error"]]

    @cached_property
    def sources(self) -> pd.DataFrame:
        """One row a source: images, failed, and the mean of each score over its images."""
        by_source = self.images.groupby("source")
        table = by_source[list(NAMES)].mean()
        failed = self.failures.groupby("source").size().reindex(table.index, fill_value=0)
        table.insert(0, "images", by_source.size() - failed)
        table.insert(1, "failed", failed)
        return table.reset_index()

    @cached_property
    def overall(self) -> Scores:
        """The mean of each score over sources: each counts the same, however many its images."""
        return {str(name): float(mean) for name, mean in self.sources[list(NAMES)].mean().items()}

    @cached_property
    def sweep(self) -> pd.DataFrame:
        """One row a threshold: IoU, Dice and F1, averaged over images, then over sources."""
        by_source = self.swept.groupby(["threshold", "source"])[list(SWEPT)].mean()
        return by_source.groupby("threshold").mean().reset_index()

    @cached_property
    def best_threshold(self) -> float:
        """The threshold of the highest quality; of equals the one nearest to 0.5.

        NaN where nothing was scored.
        """
        ranks = [
            (quality(dice, f1), -abs(threshold - 0.5), threshold)
            for threshold, _, dice, f1 in self.sweep.to_numpy(float).tolist()
            if not np.isnan(dice)
        ]
        return max(ranks)[-1] if ranks else float("nan")


def quality(dice: float, f1: float) -> float:
    """One number to rank by: the mean of pixels' Dice and objects' F1, or Dice where F1 is NaN."""
    return float(dice if np.isnan(f1) else (dice + f1) / 2)
