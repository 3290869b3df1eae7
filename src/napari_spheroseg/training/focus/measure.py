"""How well a focus detector tells sharp planes of stacks from blurred ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ...restoration.detector import focus_score
from ...restoration.sharpness import SHARPNESS
from .stacks import Stack

Float = NDArray[np.float64]
DETECTOR = "focus_detector"
WAYS = (DETECTOR, *SHARPNESS)
GAINS = (0.5, 0.7, 1.4, 2.0)
OFFSETS = (-0.5, 1.0)  # of the range of grey values


@dataclass(frozen=True)
class Judged:
    """Scores of the planes of a stack.

    Attributes
    ----------
    stack : Stack
    scores : dict of str to ndarray
        By each of `WAYS`.
    """

    stack: Stack
    scores: dict[str, Float]

    def sides(self, way: str) -> tuple[Float, Float]:
        """Of the sharpest plane, and of those two planes away or more."""
        away = np.abs(np.arange(len(self.stack.raw)) - self.stack.best)
        return self.scores[way][away == 0], self.scores[way][away >= 2]


def judge(stack: Stack, model: Path) -> Judged:
    """Score the planes of a stack with a model and without.

    Parameters
    ----------
    stack : Stack
    model : Path
        Folder of a focus detector.
    """
    focus = focus_score(np.stack(stack.raw), str(model), axes="ZYX", device="cpu")
    measures = {name: focus.table[name].to_numpy() for name in SHARPNESS}
    return Judged(stack, {DETECTOR: np.asarray(focus.score), **measures})


def pooled(judged: Sequence[Judged], way: str) -> tuple[Float, Float]:
    """Scores of the sharp and of the blurred planes of several stacks."""
    sharp, blurred = zip(*(each.sides(way) for each in judged), strict=True)
    return np.concatenate(sharp), np.concatenate(blurred)


def area_under_curve(sharp: Float, blurred: Float) -> float:
    """Of the receiver operating characteristic: how often a sharp plane scores higher.

    Parameters
    ----------
    sharp, blurred : ndarray
        Scores; of equal ones half counts.
    """
    ranks = rankdata(np.concatenate([sharp, blurred]))[: len(sharp)]
    wins = ranks.sum() - len(sharp) * (len(sharp) + 1) / 2
    return float(wins / (len(sharp) * len(blurred)))


def best_threshold(sharp: Float, blurred: Float) -> float:
    """The one that is right most often, of sharp and of blurred planes alike."""
    tried = np.arange(0.05, 1, 0.05)
    right = np.array([(sharp >= each).mean() + (blurred < each).mean() for each in tried])
    return round(float(tried[np.isclose(right, right.max())].mean()), 2)


def report(judged: Sequence[Judged]) -> dict[str, Any]:
    """Areas under the curve by source and overall, and how often the best plane is found.

    Parameters
    ----------
    judged : sequence of Judged
    """
    of: dict[str, list[Judged]] = {}
    for each in judged:
        of.setdefault(each.stack.source, []).append(each)
    of["all"] = list(judged)
    areas = {
        way: {name: round(area_under_curve(*pooled(own, way)), 3) for name, own in of.items()}
        for way in WAYS
    }
    near = [abs(int(np.nanargmax(j.scores[DETECTOR])) - j.stack.best) <= 1 for j in judged]
    return {
        "auc_held_out": areas,
        "stacks": {name: len(own) for name, own in of.items()},
        "best_plane_within_one": sum(near),
    }


def flatness(stacks: Sequence[Stack], model: Path) -> float:
    """The largest change of a score when images get brighter, darker or an offset.

    Parameters
    ----------
    stacks : sequence of Stack
        Every other plane is tried.
    model : Path
        Folder of a focus detector.
    """
    score = partial(focus_score, model=str(model), axes="ZYX", device="cpu")
    largest = 0.0
    for each in stacks:
        image = np.stack(each.raw)[::2].astype(np.float64)
        before = np.asarray(score(image).score)
        others = [image * gain for gain in GAINS] + [image + np.ptp(image) * n for n in OFFSETS]
        for other in others:
            largest = max(largest, float(np.abs(np.asarray(score(other).score) - before).max()))
    return largest
