"""scikit-learn's part: an estimator, and the values that it sees."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSetting
from ..extras import require
from .examples import TeachSettings

if TYPE_CHECKING:
    import pandas as pd


def make_estimator(settings: TeachSettings) -> Any:
    """An unfitted pipeline: what is missing becomes the median, then all is scaled alike.

    Raises
    ------
    MissingPackage
        scikit-learn is not installed.
    """
    require("sklearn", "classify", "A classifier that learns by examples")
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    if settings.method == "forest":
        tells: Any = RandomForestClassifier(
            settings.trees, class_weight="balanced", random_state=settings.seed
        )
    else:
        tells = LogisticRegression(class_weight="balanced", max_iter=2000)
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return Pipeline([("fill", fill), ("scale", StandardScaler()), ("tell", tells)])


def fit(estimator: Any, values: NDArray[np.float64], truth: NDArray[np.intp]) -> Any:
    """The estimator, fitted; that many classes have few examples is no news to who gave them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        return estimator.fit(values, truth)


def values_of(table: pd.DataFrame, features: Sequence[str]) -> NDArray[np.float64]:
    """Values of these columns, (N, features); what is not finite is NaN.

    Raises
    ------
    BadSetting
        A column is missing.
    """
    if lacking := [name for name in features if name not in table.columns]:
        raise BadSetting(
            f"The classifier needs the feature '{lacking[0]}', which is not there",
            hint=f"There are: {', '.join(map(str, table.columns))}.",
        )
    values = table[list(features)].to_numpy(float)
    return np.where(np.isfinite(values), values, np.nan)


def importance_of(estimator: Any) -> NDArray[np.float64]:
    """How much each feature matters, as shares of 1.

    Of a forest what its trees gain by it, of a regression the size of its coefficients.
    """
    tells = estimator.named_steps["tell"]
    found = getattr(tells, "feature_importances_", None)
    if found is None:
        found = np.abs(tells.coef_).mean(axis=0)
    total = found.sum()
    return np.asarray(found / total if total > 0 else np.full(len(found), np.nan), np.float64)
