"""How well examples are told, each by a classifier that has not seen it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .estimators import fit, importance_of, make_estimator
from .examples import TeachSettings

if TYPE_CHECKING:
    import pandas as pd

ENOUGH = 3
"""Examples that each class needs before anything is said of it."""
_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Check:
    """Result of a cross-validation.

    Attributes
    ----------
    accuracy : float
        Share of examples whose class was told; NaN where it was not computed.
    confusion : DataFrame or None
        Examples: rows are their classes, columns what was told.
    importance : Series or None
        How much each feature matters, the largest first; shares of 1.
    reason : str
        Why nothing was computed.
    """

    accuracy: float = float("nan")
    confusion: pd.DataFrame | None = None
    importance: pd.Series[float] | None = None
    reason: str = "Not cross-validated"


def cross_validate(
    values: NDArray[np.float64],
    truth: NDArray[np.intp],
    classes: Sequence[str],
    features: Sequence[str],
    settings: TeachSettings,
) -> Check:
    """Leave parts of the examples out, learn from the others, and tell those.

    Parameters
    ----------
    values : ndarray, (N, features)
    truth : ndarray of int, (N,)
        Index of the class.
    classes, features : sequence of str
    settings : TeachSettings

    Returns
    -------
    Check
        Of as many parts as the smallest class has examples, five at most; with a reason instead
        where a class has fewer than `ENOUGH`.
    """
    import pandas as pd
    from sklearn.model_selection import StratifiedKFold

    counts = np.bincount(truth, minlength=len(classes))
    if counts.min() < ENOUGH:
        few = classes[int(counts.argmin())]
        return Check(
            reason=f"Class '{few}' has {counts.min()} examples: {ENOUGH} of each are needed"
        )
    folds = StratifiedKFold(min(_FOLDS, int(counts.min())), shuffle=True, random_state=0)
    told = np.empty_like(truth)
    gains = []
    for learn, leave in folds.split(values, truth):
        estimator = fit(make_estimator(settings), values[learn], truth[learn])
        told[leave] = estimator.predict(values[leave])
        gains.append(importance_of(estimator))
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (truth, told), 1)
    names = list(classes)
    gain = np.mean(gains, axis=0)
    order = np.argsort(-gain, kind="stable")
    matters = dict(zip(np.array(features)[order].tolist(), gain[order].tolist(), strict=True))
    return Check(
        accuracy=float((told == truth).mean()),
        confusion=pd.DataFrame(confusion, names, names),
        importance=pd.Series(matters, name="importance", dtype=float),
        reason="",
    )
