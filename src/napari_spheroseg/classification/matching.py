"""Whether the objects of a result are still there, and the classes of those that are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .examples import place_columns
from .lesson import Place
from .result import PROBABILITY
from .stock import Box, Stock

if TYPE_CHECKING:
    import pandas as pd


def kept(table: pd.DataFrame, was: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Classes of the objects that are there now.

    Parameters
    ----------
    table : DataFrame
        As `Classification.table` has it.
    was, now : DataFrame
        `Stock.objects` of when they were classified, and of now.

    Returns
    -------
    DataFrame
        Columns of `table`, one row an object of `now`. Objects that were not there have no class;
        neither has one that only took the number of another: their boxes do not meet.
    """
    on = ["label", *place_columns(now)]
    both = now.merge(was, on=on, how="left", suffixes=("", "_was"))
    meets = (
        (both["top"] < both["bottom_was"])
        & (both["top_was"] < both["bottom"])
        & (both["left"] < both["right_was"])
        & (both["left_was"] < both["right"])
    )
    found = now[on].merge(table, on=on, how="left")[list(table.columns)]
    told = [name for name in table.columns if name not in on]
    found[told] = found[told].where(meets)
    return found


def joined(features: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Features of a Labels layer with the classes of its objects.

    Parameters
    ----------
    features : DataFrame
        As the layer has them: ``index`` is the label, or else the row is.
    table : DataFrame
        From `kept`, or `Classification.table`.

    Returns
    -------
    DataFrame
        One row an object of `table`: ``index``, place, class, probabilities; then what there was.
    """
    before = without_classes(features)
    if "index" not in before:
        before = before.assign(index=before.get("label", before.index))
    found = table.rename(columns={"label": "index"})
    on = [name for name in ("index", *place_columns(table)) if name in before]
    return found.merge(before.drop_duplicates(on), on=on, how="left")


def without_classes(features: pd.DataFrame) -> pd.DataFrame:
    """Features without class and probabilities."""
    told = [name for name in features.columns if _is_told(str(name))]
    return features.drop(columns=told)


def has_classes(features: pd.DataFrame) -> bool:
    """Whether features hold classes."""
    return "class" in features.columns


def still_there(boxes: Mapping[Place, Box | None], stock: Stock) -> set[Place]:
    """Those of some objects that are in a stock, and not only their numbers.

    Parameters
    ----------
    boxes : mapping of (index, label) to (top, bottom, left, right)
        Where they were; None where nobody knows.
    stock : Stock

    Returns
    -------
    set of (index, label)
    """
    found = set()
    for place, was in boxes.items():
        now = stock.box(place)
        if now is None:
            continue
        if was is None or (
            now[0] < was[1] and was[0] < now[1] and now[2] < was[3] and was[2] < now[3]
        ):
            found.add(place)
    return found


def _is_told(name: str) -> bool:
    return name == "class" or name.startswith(PROBABILITY)
