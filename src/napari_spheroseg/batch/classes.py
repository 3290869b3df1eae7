"""Classes of the objects that a batch finds."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..classification.judge import Judge
from ..classification.result import PROBABILITY, class_map, count
from ..classification.run import classify_steps, open_judge
from ..classification.settings import ClassifySettings
from ..errors import BadSetting
from ..models.library import METADATA, entries
from ..segmentation.result import Segmentation
from ..steps import Step

if TYPE_CHECKING:
    import pandas as pd


def classified(result: Segmentation, judge: Judge) -> Generator[Step, None, Segmentation]:
    """A result whose table has classes.

    Parameters
    ----------
    result : Segmentation
    judge : Judge

    Yields
    ------
    Step
        After every batch of objects, and as the objects of each frame are found.
    """
    settings = ClassifySettings(pixel_size=result.settings.pixel_size)
    wanted = sorted(result.maps)
    for number, index in enumerate(wanted, start=1):
        result.plane(index)
        yield Step(number, len(wanted), index)
    done = yield from classify_steps(result.frames, result.labels, judge, settings, wanted)
    return result.with_columns(done.table, done.warnings, classification=dict(judge.recipe))


def judge_of(
    model: str,
    device: str,
    backend: str = "auto",
    precision: str = "auto",
    allow: str | None = None,
) -> Judge:
    """A classifier, opened once for all images of a batch; arguments are those of `open_judge`."""
    return _opened(model, device, backend, precision, allow, _state(model))


@lru_cache(maxsize=1)
def _opened(
    model: str, device: str, backend: str, precision: str, allow: str | None, state: str
) -> Judge:
    return open_judge(model, device, backend, precision, allow=allow)  # anew in another state


def _state(model: str) -> str:
    """What changes when another model takes its name or its path."""
    if (found := entries().get(model)) is not None:
        return found[0].model_dump_json()
    archive, mark, _ = model.rpartition("#")
    path = Path(archive if mark and Path(archive).is_file() else model)
    path = path / METADATA if path.is_dir() else path
    return str(path.stat().st_mtime_ns) if path.exists() else ""


def classes_of(table: pd.DataFrame) -> tuple[str, ...]:
    """All classes that a table has probabilities of, in their order."""
    names = (str(name) for name in table.columns)
    return tuple(name.removeprefix(PROBABILITY) for name in names if name.startswith(PROBABILITY))


def map_of(result: Segmentation) -> NDArray[np.uint16]:
    """The class of every pixel's object, from 1, in the order of `classes_of`."""
    table = result.table
    return class_map(result.labels, table, classes_of(table), result.frames.leading_axes)


def counts(table: pd.DataFrame) -> Mapping[str, Any]:
    """Columns for the table of images: objects of each class of one frame."""
    if "class" not in table:
        return {}
    found = count(table[["label", "class"]], classes_of(table)).iloc[0]
    return {f"objects_{name}": int(found[name]) for name in classes_of(table)}


def check(classify: str | None, outputs: tuple[str, ...]) -> None:
    """Refuse a batch that could not end, before it begins.

    Raises
    ------
    BadSetting
        Classes are to be written and there is no classifier, or the model is none.
    SpherosegError
        The classifier cannot be opened.
    """
    if classify is not None:
        judge_of(classify, "cpu")
    elif "classes" in outputs:
        raise BadSetting("Classes are written of classified objects", hint="Name a classifier.")
