"""How well found objects agree with the truth: pixel by pixel, and object by object.

Tested against torchmetrics (pixels), and MONAI's panoptic quality and a search through all
matchings (objects). Formulas are in docs/evaluation.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage

IOUS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
"""What an object's IoU must reach to count as found, from lenient to strict."""


def score(truth: NDArray[Any], found: NDArray[Any], *, binary: bool = False) -> dict[str, float]:
    """All scores of one image, by name: those of `pixel_scores`, then those of `object_scores`.

    Parameters
    ----------
    truth, found : ndarray of integers, (Y, X)
        Objects by number; 0 is background.
    binary : bool
        The truth tells no objects apart: the scores of objects are NaN.

    Raises
    ------
    BadImage
        Shapes differ.
    """
    objects = dict.fromkeys(_OBJECT_NAMES, np.nan) if binary else object_scores(truth, found)
    return pixel_scores(truth, found) | objects


def pixel_scores(truth: NDArray[Any], found: NDArray[Any]) -> dict[str, float]:
    """Agreement of foreground and background.

    Parameters
    ----------
    truth, found : ndarray of integers or bool, (Y, X)
        0 is background.

    Returns
    -------
    dict of str to float
        IoU, Dice, accuracy, precision, recall and F1 (the same number as Dice), in [0, 1]. NaN
        where undefined; 1 where both are empty.

    Raises
    ------
    BadImage
        Shapes differ.
    """
    _check(truth, found)
    is_true, is_found = truth > 0, found > 0
    both = int(np.count_nonzero(is_true & is_found))
    true, pixels = int(np.count_nonzero(is_true)), int(np.count_nonzero(is_found))
    either = true + pixels - both
    none = np.nan if either else 1.0
    return {
        "pixel_iou": _share(both, either, none),
        "pixel_dice": _share(2 * both, true + pixels, none),
        "pixel_accuracy": _share(truth.size - (either - both), truth.size, none),
        "pixel_precision": _share(both, pixels, none),
        "pixel_recall": _share(both, true, none),
        "pixel_f1": _share(2 * both, true + pixels, none),
    }


def object_scores(truth: NDArray[Any], found: NDArray[Any]) -> dict[str, float]:
    """Agreement of objects; but for the average precisions, objects match from an IoU of 0.5.

    Parameters
    ----------
    truth, found : ndarray of integers, (Y, X)
        Objects by number; 0 is background.

    Returns
    -------
    dict of str to float
        Counts (``objects_true``, ``objects_found``, ``objects_matched``); ``object_f1``,
        ``object_precision``, ``detection_rate`` (recall), ``false_positive_rate`` (share of the
        found that match nothing), ``mean_matched_iou``; ``ap_50`` to ``ap_95`` and ``mean_ap``;
        ``count_error`` (found - true) and ``relative_count_error`` (its size over the true).
        NaN where undefined; where both are empty, scores are 1 and errors 0.

    Raises
    ------
    BadImage
        Shapes differ.
    """
    table = overlaps(truth, found)
    matches = {iou: table.matched(iou) for iou in IOUS}
    iou = matches[0.5]
    hits, true, objects = len(iou), table.true_count, table.found_count
    perfect = not true and not objects
    none = 1.0 if perfect else np.nan
    aps = {
        f"ap_{round(100 * at)}": _share(len(m), true + objects - len(m), none)
        for at, m in matches.items()
    }
    return {
        "objects_true": float(true),
        "objects_found": float(objects),
        "objects_matched": float(hits),
        "object_f1": _share(2 * hits, true + objects, none),
        "object_precision": _share(hits, objects, none),
        "detection_rate": _share(hits, true, none),
        "false_positive_rate": _share(objects - hits, objects, 1 - none),
        "mean_matched_iou": _share(float(iou.sum()), hits, none),
        **aps,
        "mean_ap": float(np.mean(list(aps.values()))),
        "count_error": float(objects - true),
        "relative_count_error": _share(abs(objects - true), true, 1 - none),
    }


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Which true and which found objects share pixels.

    Attributes
    ----------
    true, found : ndarray of int, (n,)
        Numbers of the two objects of each pair that shares any.
    iou : ndarray of float, (n,)
        Pixels that they share over pixels that either has.
    true_count, found_count : int
        Objects in all, those without a partner included.
    """

    true: NDArray[np.int64]
    found: NDArray[np.int64]
    iou: NDArray[np.float64]
    true_count: int
    found_count: int

    def matched(self, least: float) -> NDArray[np.float64]:
        """IoU of the pairs that match, each object in one pair at most.

        Parameters
        ----------
        least : float
            IoU that a pair must reach. Up to 0.5 an object may have several partners: then as
            many pairs as possible are made, and of these choices the one with the highest IoU.
        """
        near = self.iou >= least
        iou = self.iou[near]
        if least > 0.5 or not len(iou):  # more than half of an object is there only once
            return iou
        from scipy.optimize import linear_sum_assignment

        rows = np.unique(self.true[near], return_inverse=True)[1]
        columns = np.unique(self.found[near], return_inverse=True)[1]
        gain = np.zeros((rows.max() + 1, columns.max() + 1))
        gain[rows, columns] = len(iou) + iou  # one pair more is worth more than all IoU together
        chosen = gain[linear_sum_assignment(gain, maximize=True)]
        return np.asarray(chosen[chosen > 0] - len(iou), np.float64)


def overlaps(truth: NDArray[Any], found: NDArray[Any]) -> Overlaps:
    """Pairs of a true and a found object that share pixels, counted in one pass.

    Parameters
    ----------
    truth, found : ndarray of integers, (Y, X)
        Objects by number; 0 is background, gaps between numbers do not matter.

    Raises
    ------
    BadImage
        Shapes differ.
    """
    _check(truth, found)
    true_areas, found_areas = (np.bincount(each[each > 0].ravel()) for each in (truth, found))
    both = (truth > 0) & (found > 0)
    width = len(found_areas) or 1
    keys, shared = np.unique(truth[both].astype(np.int64) * width + found[both], return_counts=True)
    of_true, of_found = np.divmod(keys, width)
    either = true_areas[of_true] + found_areas[of_found] - shared
    counts = (int(np.count_nonzero(areas)) for areas in (true_areas, found_areas))
    return Overlaps(of_true, of_found, shared / either, *counts)


def _check(truth: NDArray[Any], found: NDArray[Any]) -> None:
    if truth.shape != found.shape:
        raise BadImage(f"The truth has shape {truth.shape}, what was found {found.shape}")


def _share(part: float, whole: float, none: float) -> float:
    """A part of a whole; `none` where there is no whole."""
    return part / whole if whole else none


_EMPTY = np.zeros((1, 1), np.int32)
_OBJECT_NAMES = tuple(object_scores(_EMPTY, _EMPTY))
NAMES = tuple(score(_EMPTY, _EMPTY))
"""All scores, in the order of `score`."""
