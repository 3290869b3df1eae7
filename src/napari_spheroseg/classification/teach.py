"""Teach classes by examples: a random forest or a logistic regression on features."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSetting
from ..segmentation.large.source import Survey
from ..steps import Steps
from .check import Check, cross_validate
from .crops import Objects
from .description import check_weights, describe, describe_steps
from .embedding import Embedding
from .estimators import fit, make_estimator, values_of
from .examples import (
    Key,
    ObjectClass,
    TeachSettings,
    check_classes,
    check_examples,
    object_classes,
    place_columns,
    rows_of,
)
from .judge import Judged, Judgement, too_large
from .result import table_of
from .settings import ClassifySettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TaughtClassifier", "describe", "most_uncertain", "teach"]


@dataclass(frozen=True, eq=False)
class TaughtClassifier:
    """Classes learnt from examples; a `Judge`.

    Attributes
    ----------
    objects : tuple of ObjectClass
        Those that had examples.
    features : tuple of str
        Columns that it looks at.
    estimator : object
        scikit-learn's pipeline.
    settings : TeachSettings
    examples : mapping of str to int
        Number of examples of each class.
    check : Check
        How well it tells the examples themselves, each left out in turn.
    reference : str
        Name of the model that it was saved as.
    sha256 : str or None
        Of that model's file.
    """

    objects: tuple[ObjectClass, ...]
    features: tuple[str, ...]
    estimator: Any = field(repr=False)
    settings: TeachSettings = field(default_factory=TeachSettings)
    examples: Mapping[str, int] = field(default_factory=dict)
    check: Check = field(default_factory=Check)
    reference: str = ""
    sha256: str | None = None
    embedding: Embedding | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of the probabilities."""
        return tuple(each.name for each in self.objects)

    @property
    def recipe(self) -> dict[str, Any]:
        """Model, checksum and settings."""
        return {"model": self.reference, "sha256": self.sha256, **self.settings.model_dump()}

    def predict(self, table: pd.DataFrame) -> pd.DataFrame:
        """Classes of the objects of a table.

        Parameters
        ----------
        table : DataFrame
            From `describe`, with all columns of `features`.

        Returns
        -------
        DataFrame
            ``label``, place, ``class``, ``probability_<class>``; row by row that of `table`.

        Raises
        ------
        BadSetting
            A feature is missing, or was seen by another network.
        """
        check_weights(table, self.embedding)
        place = place_columns(table)
        found = table_of(
            [((), table["label"].to_numpy(np.int64), self._judge(table))], "", self.classes
        )
        for at, name in enumerate(place):
            found.insert(1 + at, name, table[name].to_numpy())
        return found

    def judge(
        self, plane: NDArray[Any], objects: Objects, settings: ClassifySettings
    ) -> Generator[Judged, None, Judgement]:
        """Classes of a frame's objects; see `Judge`."""
        pixel_size = settings.pixel_size if self.needs_pixel_size else None
        if self.needs_pixel_size and pixel_size is None:
            raise BadSetting(
                f"'{self.reference}' was taught in µm", hint="Give the pixel size of the image."
            )
        steps = Steps(describe_steps(objects, plane, pixel_size, self.embedding))
        for _ in steps:
            yield Judged(0, len(objects))  # nothing is told before all is described
        judgement = self._judge(steps.result)
        yield Judged(len(objects), len(objects))
        return judgement

    def warnings(self, plane: NDArray[Any], settings: ClassifySettings) -> tuple[str, ...]:
        """None."""
        return ()

    def by_window(self, survey: Survey, settings: ClassifySettings) -> ClassifySettings:
        """Not at all: what is measured depends on the grey values of the whole frame."""
        raise too_large(self.reference or "What was taught")

    @property
    def needs_pixel_size(self) -> bool:
        """Whether it was taught in µm."""
        return any(name.endswith(("_um", "_um2", "_um3")) for name in self.features)

    def _judge(self, table: pd.DataFrame) -> Judgement:
        values = values_of(table, self.features)
        if not len(values):
            return Judgement.none(0, len(self.classes))
        return Judgement.of(np.asarray(self.estimator.predict_proba(values), float))


def teach(
    table: pd.DataFrame,
    examples: Mapping[Key, str],
    classes: Sequence[ObjectClass] | None = None,
    settings: TeachSettings | None = None,
    *,
    check: bool = True,
) -> TaughtClassifier:
    """Learn classes from examples.

    Parameters
    ----------
    table : DataFrame
        From `describe`.
    examples : mapping
        From an object to the name of its class. An object is its label; in a stack
        ``((t,), label)``, its place and its label.
    classes : sequence of ObjectClass, optional
        By default those of the examples, in alphabetical order. One without examples is not
        learnt.
    settings : TeachSettings, optional
    check : bool
        Cross-validate, which takes some times as long as learning.

    Returns
    -------
    TaughtClassifier
        The same for the same seed and examples, in whatever order they come.

    Raises
    ------
    BadSetting
        There is no example, or of one class only; an object or a class is not there; or the table
        was described with another embedding, or with other weights of it.
    NoDevice
        scikit-learn is not installed.
    """
    settings = settings or TeachSettings()
    check_examples(examples)
    defined = object_classes(sorted(set(examples.values()))) if classes is None else tuple(classes)
    check_classes(defined)
    if strange := set(examples.values()) - {each.name for each in defined}:
        raise BadSetting(f"There is no class '{min(strange)}'", hint="Define it first.")
    taught = tuple(each for each in defined if each.name in examples.values())
    if len(taught) < 2:
        raise BadSetting(
            f"All examples are of the class '{taught[0].name}'",
            hint="Give examples of another class, too.",
        )
    place = place_columns(table)
    columns = tuple(name for name in table.columns if name not in ("label", *place))
    _same_embedding(columns, settings)
    embedding = Embedding.of(settings.embedding)
    check_weights(table, embedding)
    rows = rows_of(table, examples)
    order = np.argsort(rows)
    number = {each.name: at for at, each in enumerate(taught)}
    truth = np.array([number[name] for name in examples.values()], np.intp)[order]
    values = values_of(table.iloc[rows[order]], columns)
    estimator = fit(make_estimator(settings), values, truth)
    names = tuple(each.name for each in taught)
    checked = cross_validate(values, truth, names, columns, settings) if check else Check()
    counts = dict(zip(names, np.bincount(truth).tolist(), strict=True))
    return TaughtClassifier(
        taught, columns, estimator, settings, counts, checked, embedding=embedding
    )


def _same_embedding(columns: Sequence[str], settings: TeachSettings) -> None:
    """Refuse a table that was described with another choice of embedding than is taught with."""
    has_it = any(name.startswith("embedding_") for name in columns)
    if has_it != (settings.embedding is not None):
        raise BadSetting(
            f"The settings name {settings.embedding or 'no'} embedding, "
            f"and the table has {'one' if has_it else 'none'}",
            hint="Give describe and teach the same settings.",
        )


def most_uncertain(
    predicted: pd.DataFrame, n: int = 10, known: Mapping[Key, str] | None = None
) -> list[Key]:
    """Objects whose two likeliest classes are nearest to each other: what to look at next.

    Parameters
    ----------
    predicted : DataFrame
        From `TaughtClassifier.predict` or `classify`.
    n : int
        How many.
    known : mapping, optional
        Examples, which are left out.

    Returns
    -------
    list
        The most uncertain first; those without probabilities not at all.
    """
    place = place_columns(predicted)
    likely = predicted.filter(regex="^probability_").to_numpy(float)
    if likely.shape[1] < 2:
        return []
    best = np.sort(likely, axis=1)[:, -2:]
    margin = best[:, 1] - best[:, 0]
    left_out = {(key if isinstance(key, tuple) else ((), key)) for key in known or {}}
    found: list[Key] = []
    for row in np.argsort(margin, kind="stable"):
        if len(found) == n or not np.isfinite(margin[row]):
            break
        label = int(predicted["label"].iloc[row])
        index = tuple(int(predicted[name].iloc[row]) for name in place)
        if (index, label) not in left_out:
            found.append((index, label) if place else label)
    return found
