"""How well fields, tiles and objects are in focus: what a focus detector found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage
from ..inference.frames import Frames, Index
from .grid import Grid

if TYPE_CHECKING:
    import pandas as pd

Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FieldFocus:
    """Focus of one frame.

    Attributes
    ----------
    grid : Grid
        Where the tiles lie, in the prepared plane.
    tiles : ndarray of float64, (rows, columns)
        Probability in [0, 1] that a tile is in focus; NaN where it is empty.
    held : ndarray of float64, (rows, columns)
        How much each counts: 0 where it is empty, 1 where it holds something.
    sharpness : dict of str to float
        The measures of `sharpness.SHARPNESS`, of the whole frame.
    """

    grid: Grid
    tiles: NDArray[np.float64]
    held: NDArray[np.float64]
    sharpness: Mapping[str, float]

    @cached_property
    def score(self) -> float:
        """Mean of the tiles by what they hold; NaN where all are empty."""
        weight = self.held.sum()
        if not weight:
            return float("nan")
        return float((np.nan_to_num(self.tiles) * self.held).sum() / weight)

    def map(self, shape: tuple[int, int]) -> Float:
        """Scores spread over a plane of this height and width.

        Empty ground takes the score of the nearest tile that holds something.
        """
        spread = self.grid.spread(self.tiles)
        if spread.shape == tuple(shape):
            return spread
        return np.asarray(cv2.resize(spread, (shape[1], shape[0])), np.float32)


@dataclass(frozen=True, eq=False)
class FocusScore:
    """Focus of an image.

    Attributes
    ----------
    frames : Frames
        The image.
    fields : mapping of tuple to FieldFocus
        Of every frame that was looked at.
    threshold : float
        The model's: from this score on, a frame or object counts as in focus.
    recipe : dict
        How it was made: model, axes, channel, preparation, checksum and versions.
    warnings : tuple of str
        What the user should know.
    """

    frames: Frames
    fields: Mapping[Index, FieldFocus]
    threshold: float
    recipe: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def score(self) -> float | NDArray[np.float64]:
        """Probability in [0, 1] that a frame is in focus.

        A number of a single plane; otherwise float64 of the leading axes' shape. NaN where a
        frame shows nothing or was not looked at.
        """
        if not self.frames.leading_shape:
            return self.fields[()].score
        scores = np.full(self.frames.leading_shape, np.nan)
        for index, each in self.fields.items():
            scores[index] = each.score
        return scores

    @cached_property
    def map(self) -> Float:
        """Scores of tiles spread over the frames: float32 of the image's shape, without channels.

        Empty ground takes the score of the nearest tile that holds something; NaN where a frame
        shows nothing or was not looked at.
        """
        out = np.full(self.frames.shape, np.nan, np.float32)
        for index in self.fields:
            out[index] = self.plane(index)
        return out

    def plane(self, index: Index) -> Float:
        """The map of one frame, (Y, X)."""
        return self.fields[index].map(self.frames.plane_shape)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a frame: its place along the leading axes, its score, and classical measures."""
        import pandas as pd

        axes = self.frames.leading_axes.lower()
        return pd.DataFrame(
            [
                {
                    **dict(zip(axes, index, strict=True)),
                    "focus_score": each.score,
                    "in_focus": self._above(each.score, None),
                    **each.sharpness,
                }
                for index, each in self.fields.items()
            ]
        )

    def is_sharp(self, threshold: float | None = None) -> bool | NDArray[np.bool_]:
        """Whether frames are in focus.

        Parameters
        ----------
        threshold : float, optional
            By default the model's.

        Returns
        -------
        bool or ndarray of bool
            As `score`; what has no score is not sharp.
        """
        if not self.frames.leading_shape:
            return self._above(self.fields[()].score, threshold)
        sharp = np.zeros(self.frames.leading_shape, bool)
        for index in product(*(range(n) for n in sharp.shape)):
            if index in self.fields:
                sharp[index] = self._above(self.fields[index].score, threshold)
        return sharp

    def _above(self, score: float, threshold: float | None) -> bool:
        return score >= (self.threshold if threshold is None else threshold)


def object_focus(score_map: NDArray[Any], labels: NDArray[Any]) -> pd.Series[float]:
    """Focus of objects: the mean of the score over the pixels of each.

    Parameters
    ----------
    score_map : ndarray
        `FocusScore.map`.
    labels : ndarray of integers
        Of the same shape; 0 is background.

    Returns
    -------
    Series
        Called ``focus_score``, its index the labels; NaN where the map has no number.

    Raises
    ------
    BadImage
        The shapes differ.
    """
    import pandas as pd

    if score_map.shape != labels.shape:
        raise BadImage(f"Labels have shape {labels.shape}, the focus map {score_map.shape}")
    if labels.size and labels.min() >= 0 and labels.max() <= labels.size:  # as ours are: no sorting
        flat, values = labels.ravel(), score_map.ravel()
        counts, sums = np.bincount(flat), np.bincount(flat, values)
        names = 1 + np.flatnonzero(counts[1:]).astype(labels.dtype)
        means = sums[names] / counts[names]
    else:
        inside = labels != 0
        names, number = np.unique(labels[inside], return_inverse=True)
        sums = np.bincount(number.ravel(), score_map[inside].astype(np.float64), len(names))
        means = sums / np.bincount(number.ravel(), minlength=len(names))
    return pd.Series(means, pd.Index(names, name="label"), name="focus_score")


def warn_out_of_focus(scores: pd.Series[float], threshold: float) -> str | None:
    """What to tell of objects out of focus; None where there are none.

    Parameters
    ----------
    scores : Series
        From `object_focus`.
    threshold : float
        Objects below it are out of focus.
    """
    blurred = int((scores < threshold).sum())
    if not blurred:
        return None
    verb = "is" if blurred == 1 else "are"
    return f"{blurred} of {len(scores)} objects {verb} out of focus: see focus_score in the table"
