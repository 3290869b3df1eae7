"""What is in focus already, or too noisy to tell, is left as it is."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..inference.predictor import Predictor, TileDone
from ..inference.record import check_weights
from ..models import info
from ..steps import Steps
from .detector import judge_plane, open_detector
from .settings import RestorationRecipe
from .sharpness import noise_share
from .values import as_type, keep_gaps

DETECTOR = "focus_detector"
"""The model that decides."""
BLURRED, SHARP = 0.4, 0.6
"""Focus scores up to which a plane is restored in full, and from which on not at all."""
NOISY = 0.4
"""Share of noise above which the detector cannot tell; planes of real stacks have up to 0.3, but
for yeast at 0.4 to 0.7, where it called blurred what was sharp."""


class Restored(NamedTuple):
    """A plane, and how much was done to it.

    Attributes
    ----------
    plane : ndarray, (Y, X) or (Y, X, 3)
    share : float
        1: it is the restored one; 0: it is as it was; between, both are mixed.
    """

    plane: NDArray[Any]
    share: float


def open_judge(restorer: Predictor, spare_sharp: bool) -> Predictor | None:
    """The focus detector that decides what is spared, on the device of the restoration; or None."""
    return open_detector(DETECTOR, restorer.device) if spare_sharp else None


def judge_of(recipe: RestorationRecipe, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """What a recipe's ``made_with`` says of the focus detector; nothing where none decides.

    Raises
    ------
    BadSetting
        It was `recorded` with other weights.
    """
    if not (recipe.spare_sharp and recipe.rescale):
        return {}
    detector = info(DETECTOR)
    check_weights(detector, recorded.get(DETECTOR))
    return {DETECTOR: detector.sha256}


def share_of(score: float) -> float:
    """How much of the restoration a plane of this focus score gets; all where it has none."""
    if np.isnan(score):
        return 1.0
    return float(np.clip((SHARP - score) / (SHARP - BLURRED), 0, 1))


def judged(
    judge: Predictor | None, plane: NDArray[Any], tiles: int
) -> Generator[TileDone, None, float]:
    """The share of a plane; while it is judged, none of so many tiles is restored.

    Parameters
    ----------
    judge : Predictor or None
        From `open_judge`; None restores everything.
    plane : ndarray, (Y, X) or (Y, X, 3)
    tiles : int
        That the restoration will have.

    Yields
    ------
    TileDone
        With 0 done.

    Returns
    -------
    float
    """
    if judge is None:
        return 1.0
    if noise_share(plane) > NOISY:
        return 0.0
    steps = Steps(judge_plane(judge, plane))
    for _ in steps:
        yield TileDone(0, tiles)
    return share_of(steps.result.score)


def mix(plane: NDArray[Any], restored: NDArray[Any], share: float) -> NDArray[Any]:
    """A plane on its way to the restored one, in its own type."""
    if share == 1:
        return restored
    if plane.dtype.kind == "b":  # there is nothing between the two
        return restored if share > 0.5 else plane.copy()
    start = plane.astype(np.float64)
    return keep_gaps(as_type(start + share * (restored - start), plane.dtype), plane)
