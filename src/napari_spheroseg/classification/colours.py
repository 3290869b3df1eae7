"""Classes as colours: each object in that of its class, the surer the more opaque."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .examples import ObjectClass
from .result import PROBABILITY

if TYPE_CHECKING:
    import pandas as pd

Colour = tuple[float, float, float, float]
UNKNOWN: Colour = (0.75, 0.75, 0.75, 0.5)
"""Of objects without a class."""
_FAINTEST = 0.2  # still seen on an image
_STEPS = 20  # a viewer is faster with few different colours


def class_colours(
    table: pd.DataFrame,
    classes: Sequence[ObjectClass],
    *,
    sure: Collection[int] = (),
    only: str | None = None,
) -> dict[int | None, Colour]:
    """Colours of the objects of a frame.

    Parameters
    ----------
    table : DataFrame
        ``label``, ``class``, ``probability_<class>``.
    classes : sequence of ObjectClass
    sure : collection of int
        Labels of objects that somebody gave a class: they are opaque.
    only : str, optional
        Show this class alone.

    Returns
    -------
    dict
        Red, green, blue and opacity from 0 to 1, by label; None is for those without a class.
    """
    hidden = (0.0, 0.0, 0.0, 0.0)
    colours: dict[int | None, Colour] = {0: hidden, None: UNKNOWN if only is None else hidden}
    for each in classes:
        rows = table[table["class"] == each.name]
        if only not in (None, each.name):
            colours |= dict.fromkeys(map(int, rows["label"]), hidden)
            continue
        red, green, blue = (int(each.colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        likely = np.ones(len(rows))
        if f"{PROBABILITY}{each.name}" in rows:
            likely = np.nan_to_num(rows[f"{PROBABILITY}{each.name}"].to_numpy(float), nan=1)
        opacity = np.round(np.clip(likely, _FAINTEST, 1) * _STEPS) / _STEPS
        for label, alpha in zip(rows["label"], opacity, strict=True):
            label = int(label)
            colours[label] = (red, green, blue, 1.0 if label in sure else float(alpha))
    return colours


def best_probability(table: pd.DataFrame) -> pd.Series[float]:
    """The probability of each object's class; NaN where it is not known."""
    import pandas as pd

    likely = table.filter(regex=f"^{PROBABILITY}").max(axis=1)
    return pd.Series(likely, table.index, float).where(table["class"].notna())
