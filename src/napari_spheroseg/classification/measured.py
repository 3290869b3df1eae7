"""Classifiers of published measurements, such as HiTMicTools' PI classifier.

They say themselves which features they need: scikit-learn's by ``feature_names_in_``, ONNX's by
its metadata ``feature_names``.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSetting
from ..inference.frames import as_grey
from ..segmentation.large.source import Survey
from ..steps import Steps
from .crops import Objects
from .judge import Judged, Judgement, too_large
from .published import check_names, measurements
from .settings import ClassifySettings

Told = tuple[Sequence[Any], NDArray[np.float64] | None]
"""What each object is, and the probabilities of the classes where they are told."""
STATES = {0: "piNEG", 1: "piPOS"}
"""Of propidium iodide, by the number that classifiers tell; names are kept."""


@dataclass(frozen=True, eq=False)
class MeasuredJudge:
    """A classifier that sees measurements of an object; a `Judge`.

    Attributes
    ----------
    classifier : _Fitted or _Session
    reference : str
        What it was opened as.
    sha256 : str
        Of its file.
    """

    classifier: _Fitted | _Session
    reference: str
    sha256: str

    @classmethod
    def of(cls, opened: Any, reference: str, sha256: str) -> MeasuredJudge:
        """Wrap what `Collection.classifier` gives.

        Raises
        ------
        BadSetting
            It is no classifier, does not name its features, or needs one that we do not measure.
        """
        wrapped = _Session(opened) if hasattr(opened, "get_modelmeta") else _Fitted(opened)
        if not wrapped.features:
            raise BadSetting(
                f"{reference} does not say which features it needs",
                hint="It needs feature_names_in_, or metadata 'feature_names' in ONNX.",
            )
        check_names(wrapped.features)
        return cls(wrapped, reference, sha256)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of the probabilities."""
        return tuple(map(_named, self.classifier.classes))

    @property
    def recipe(self) -> dict[str, Any]:
        """What it was opened as, its checksum and its features."""
        features = list(self.classifier.features)
        return {"model": self.reference, "sha256": self.sha256, "features": features}

    def judge(
        self, plane: NDArray[Any], objects: Objects, settings: ClassifySettings
    ) -> Generator[Judged, None, Judgement]:
        """Classes of a frame's objects; those with a measure that is not finite have none."""
        features = self.classifier.features
        steps = Steps(measurements(as_grey(plane), objects, features))
        for each in steps:
            yield Judged(0, each.total)  # nothing is told before all is measured
        columns = steps.result
        values = np.column_stack([columns[name] for name in features])
        good = np.isfinite(values).all(axis=1)
        judgement = Judgement.none(len(objects), len(self.classes))
        if good.any():
            told, likely = self.classifier.tell(values[good])
            judgement.chosen[good] = [self._index(each) for each in told]
            if likely is not None:
                judgement.likely[good] = likely
        yield Judged(len(objects), len(objects))
        return judgement

    def warnings(self, plane: NDArray[Any], settings: ClassifySettings) -> tuple[str, ...]:
        """None."""
        return ()

    def by_window(self, survey: Survey, settings: ClassifySettings) -> ClassifySettings:
        """Not at all: what is measured depends on the grey values of the whole frame."""
        raise too_large(self.reference)

    def _index(self, told: Any) -> int:
        name = _named(told)
        if name not in self.classes:
            raise BadSetting(f"{self.reference} tells a class '{name}' that it does not name")
        return self.classes.index(name)


def _named(told: Any) -> str:
    """A class as a name."""
    return str(told) if isinstance(told, str) else STATES.get(int(told), str(told))


class _Fitted:
    """A fitted scikit-learn classifier."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        if not hasattr(estimator, "predict") or not hasattr(estimator, "classes_"):
            raise BadSetting(f"A {type(estimator).__name__} is no classifier")
        self.features = tuple(map(str, getattr(estimator, "feature_names_in_", ())))
        self.classes: tuple[Any, ...] = tuple(estimator.classes_)

    def tell(self, values: NDArray[np.float64]) -> Told:
        """Classes of rows of features."""
        import pandas as pd

        table = pd.DataFrame(values, columns=list(self.features))
        likely = None
        if hasattr(self._estimator, "predict_proba"):
            likely = np.asarray(self._estimator.predict_proba(table), np.float64)
        return self._estimator.predict(table), likely


class _Session:
    """A classifier in ONNX: one input of all features, or one of each."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._inputs = [each.name for each in session.get_inputs()]
        named = session.get_modelmeta().custom_metadata_map.get("feature_names", "")
        self.features = tuple(each.strip() for each in named.split(",") if each.strip())
        self.classes = tuple(STATES)
        if self.features:
            self.classes = self._look()

    def tell(self, values: NDArray[np.float64]) -> Told:
        """Classes of rows of features."""
        told, likely = self._run(values)
        if isinstance(likely, list):  # a mapping of each row, as scikit-learn's exporter has it
            likely = np.array([[row[each] for each in self.classes] for row in likely], float)
        return told.tolist(), likely

    def _run(self, values: NDArray[np.float64]) -> tuple[NDArray[Any], Any]:
        rows = values.astype(np.float32)
        given = {self._inputs[0]: rows}
        if len(self._inputs) > 1:
            place = {name: at for at, name in enumerate(self.features)}
            given = {name: rows[:, [place[name]]] for name in self._inputs}
        told, *more = self._session.run(None, given)
        return np.asarray(told).ravel(), more[0] if more else None

    def _look(self) -> tuple[Any, ...]:
        """The classes, from what it tells of nothing."""
        try:
            _, likely = self._run(np.zeros((1, len(self.features))))
        except Exception as error:  # ONNX Runtime's own, of many kinds
            raise BadSetting(f"The classifier cannot be run: {str(error)[:160]}") from error
        if isinstance(likely, list):
            return tuple(likely[0])
        if likely is not None and likely.shape[-1] != len(STATES):
            raise BadSetting("The classifier does not say which classes it tells")
        return tuple(STATES)
