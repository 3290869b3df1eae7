"""What is taught: classes with names, colours and keys, and examples of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..errors import BadSetting
from ..inference.frames import Index
from ..settings import Settings

if TYPE_CHECKING:
    import pandas as pd

Key = int | tuple[Index, int]
"""An object: its label; in a stack its place along the leading axes, and its label."""
FEWEST = 20
"""Examples of each class that fine-tuning a network needs: a quarter is kept to measure."""
COLOURS = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccbb44",
    "#66ccee",
    "#aa3377",
    "#bbbbbb",
    "#ee7733",
    "#009988",
    "#882255",
)
"""Of classes that are given none: colours that the colour-blind tell apart (Paul Tol's)."""


class ObjectClass(Settings):
    """A class of objects, as somebody defines it."""

    name: str = Field(min_length=1, max_length=60, description="What it is called.")
    colour: str = Field(
        COLOURS[0], pattern=r"^#[0-9a-fA-F]{6}$", description="On screen, like #4477aa."
    )
    key: str = Field("", max_length=1, description="Key that gives an object this class.")


class TeachSettings(Settings):
    """How classes are learnt from examples."""

    method: Literal["forest", "logistic"] = Field(
        "forest", description="A random forest, or a logistic regression."
    )
    trees: int = Field(100, ge=1, le=2000, description="Of a forest.")
    seed: int = Field(0, ge=0, description="The same seed and examples give the same classifier.")
    embedding: str | None = Field(
        None,
        description="Name of a classifier whose network's view of an object is learnt from, too.",
    )


def object_classes(names: Iterable[str]) -> tuple[ObjectClass, ...]:
    """Classes of these names, with colours, and the keys 1 to 9."""
    return tuple(
        ObjectClass(name=name, colour=COLOURS[at % len(COLOURS)], key=str(at + 1) if at < 9 else "")
        for at, name in enumerate(names)
    )


def check_classes(classes: Sequence[ObjectClass]) -> None:
    """Refuse classes that could not be told apart.

    Raises
    ------
    BadSetting
        Two have the same name or key.
    """
    for what in ("name", "key"):
        values = [value for each in classes if (value := getattr(each, what))]
        twice = {value for value in values if values.count(value) > 1}
        if twice:
            raise BadSetting(f"Two classes have the {what} '{min(twice)}'", hint="Change one.")


def rows_of(table: pd.DataFrame, examples: Mapping[Key, str]) -> NDArray[np.intp]:
    """The rows of a table that examples are.

    Raises
    ------
    BadSetting
        An object is not in the table, or not named as a stack needs it.
    """
    place = place_columns(table)
    keys = list(zip(*(table[name] for name in (*place, "label")), strict=True))
    where = {tuple(map(int, key)): row for row, key in enumerate(keys)}
    found = []
    for key in examples:
        index, label = _parts(key)
        full = (*index, label)
        if full not in where:
            at = f" in frame {tuple(index)}" if index else ""
            raise BadSetting(
                f"There is no object {label}{at}",
                hint=f"Name objects by ({', '.join(place)}) and label." if place else "",
            )
        found.append(where[full])
    return np.array(found, np.intp)


def check_examples(examples: Mapping[Key, str]) -> None:
    """Refuse what are no examples.

    Raises
    ------
    BadSetting
        There is none, or a class has no name.
    """
    if not isinstance(examples, Mapping):
        raise BadSetting(
            f"Examples cannot be a {type(examples).__name__}",
            hint="Give a dictionary from objects to the names of their classes.",
        )
    if not examples:
        raise BadSetting("There is no example yet", hint="Give a few objects of each class.")
    for key, name in examples.items():
        if not isinstance(name, str):
            raise BadSetting(f"The class of {key} cannot be {name!r}", hint="Give its name.")


def _parts(key: Any) -> tuple[Index, int]:
    """Place and label of an object."""
    try:
        index, label = key if isinstance(key, tuple) else ((), key)
        return tuple(map(int, index)), int(label)
    except (TypeError, ValueError) as error:
        raise BadSetting(
            f"An object cannot be {key!r}",
            hint="Give its label; in a stack its place and its label, like ((3,), 12).",
        ) from error


def place_columns(table: pd.DataFrame) -> list[str]:
    """Columns that say in which frame an object is: letters of axes, after the label."""
    return [name for name in table.columns if len(name) == 1 and name.isalpha()]
