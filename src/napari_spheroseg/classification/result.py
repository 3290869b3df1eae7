"""What a classification gives: a table, and maps of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..inference.frames import Index
from .judge import Judgement

if TYPE_CHECKING:
    import pandas as pd

PROBABILITY = "probability_"
"""What the columns of probabilities begin with; the name of the class follows."""


@dataclass(frozen=True, eq=False)
class Classification:
    """Objects and their classes.

    Attributes
    ----------
    table : DataFrame
        One row an object: ``label``, one column a leading axis (``t``, ``z``...), ``class``, and
        for each class ``probability_<class>``. What could not be judged has no class, and NaN.
    classes : tuple of str
        All that the model knows, in its order.
    warnings : tuple of str
        What the user should know.
    recipe : mapping
        Model, settings and checksum.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> pd.DataFrame:
        """Objects of each class: one row a frame, one column a class, 0 where there are none."""
        return count(self.table, self.classes)


def table_of(
    frames: Sequence[tuple[Index, NDArray[np.int64], Judgement]],
    axes: str,
    classes: Sequence[str],
) -> pd.DataFrame:
    """A table of what was found.

    Parameters
    ----------
    frames : sequence of (index, labels, judgement)
        Of each frame: its place, the labels of its objects, and what they are.
    axes : str
        Letters of the leading axes.
    classes : sequence of str

    Returns
    -------
    DataFrame
        As `Classification.table` has it.
    """
    import pandas as pd

    labels = np.concatenate([np.zeros(0, np.int64), *(labels for _, labels, _ in frames)])
    chosen = np.concatenate([np.zeros(0, np.intp), *(each.chosen for _, _, each in frames)])
    likely = np.concatenate([np.zeros((0, len(classes))), *(each.likely for _, _, each in frames)])
    counts = [len(labels) for _, labels, _ in frames]
    columns: dict[str, Any] = {"label": labels}
    for at, axis in enumerate(axes.lower()):
        places = np.array([index[at] for index, _, _ in frames], np.int64)
        columns[axis] = np.repeat(places, counts)
    # -1 is the last: no class, which pandas' own type for text would make NaN
    columns["class"] = pd.Series(np.array([*classes, None], object)[chosen], dtype=object)
    names = (PROBABILITY + name for name in classes)
    return pd.DataFrame({**columns, **dict(zip(names, likely.T, strict=True))})


def count(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Objects of each class, frame by frame; see `Classification.counts`."""
    import pandas as pd

    place = list(table.columns[1 : list(table.columns).index("class")])
    wanted = list(dict.fromkeys([*classes, *table["class"].dropna().unique()]))
    if not place:
        found = table["class"].value_counts()
        return pd.DataFrame([{name: int(found.get(name, 0)) for name in wanted}])
    grouped = table.groupby([*place, "class"]).size().unstack(fill_value=0)
    return grouped.reindex(columns=wanted, fill_value=0).rename_axis(columns=None).reset_index()


def class_map(
    labels: NDArray[Any], table: pd.DataFrame, classes: Sequence[str], axes: str = ""
) -> NDArray[np.uint16]:
    """Labels with the class in the place of each object's number: index of the class + 1.

    Parameters
    ----------
    labels : ndarray of integers, (..., Y, X)
    table : DataFrame
        As `Classification.table` has it.
    classes : sequence of str
    axes : str
        Letters of the leading axes.

    Returns
    -------
    ndarray of uint16
        0 is background, and objects without a class.
    """
    map_ = np.zeros(labels.shape, np.uint16)
    for index, numbers in class_numbers(table, classes, axes).items():
        map_[index] = put_classes(np.asarray(labels[index]), numbers)
    return map_


Numbers = tuple[NDArray[np.int64], NDArray[np.uint16]]
"""Labels, ascending, and the number of each one's class."""


def class_numbers(
    table: pd.DataFrame, classes: Sequence[str], axes: str = ""
) -> dict[Index, Numbers]:
    """By frame, the numbers that `class_map` puts in the place of labels."""
    if "class" not in table:  # nobody has classified them
        return {}
    number = {name: at for at, name in enumerate(classes, start=1)}
    place = list(axes.lower())
    found: dict[Index, Numbers] = {}
    for index, rows in table.groupby(place) if place else [((), table)]:
        names = rows["label"].to_numpy(np.int64)
        values = np.array([number.get(each, 0) for each in rows["class"]], np.uint16)
        order = np.argsort(names)
        at: Any = index if isinstance(index, tuple) else (index,)
        found[tuple(map(int, at))] = names[order], values[order]
    return found


def put_classes(labels: NDArray[Any], numbers: Numbers | None) -> NDArray[np.uint16]:
    """Labels of a frame, or of a window of it, with its `class_numbers` in their place."""
    if numbers is None or not len(numbers[0]):
        return np.zeros(labels.shape, np.uint16)
    names, values = numbers
    spot = np.minimum(np.searchsorted(names, labels), len(names) - 1)
    told = np.where((labels != 0) & (names[spot] == labels), values[spot], 0)
    return np.asarray(told, np.uint16)
