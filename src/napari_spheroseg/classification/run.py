"""Classify objects: as a generator of steps, and as one call."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadImage, BadSetting
from ..inference.frames import Frames, Index
from ..inference.shared import check_task, shared_predictor
from ..models import Model, info, known, load
from ..models.collections.classifiers import PICKLED, SKOPS, open_classifier
from ..models.model import sha256_of
from ..readwrite.images import LARGE
from ..steps import Progress, Step, Steps, run_to_end
from .features import check_labels
from .judge import Judge, NetworkJudge
from .look import Look, Seen, look_of
from .measured import MeasuredJudge
from .result import Classification, table_of
from .settings import ClassifySettings
from .store import open_taught

if TYPE_CHECKING:
    import pandas as pd


def classify_steps(
    frames: Frames,
    labels: Any,
    judge: Judge,
    settings: ClassifySettings | None = None,
    indices: Iterable[Index] | None = None,
    large: float = LARGE,
) -> Generator[Step, None, Classification]:
    """Classify the objects of frames, one frame after the other.

    Parameters
    ----------
    frames : Frames
        The image.
    labels : array of integers
        numpy, dask or zarr, of the shape of `frames`; 0 is background. Of a stack every plane has
        objects of its own.
    judge : Judge
        From `open_judge`, or a `TaughtClassifier`.
    settings : ClassifySettings, optional
    indices : iterable of tuple, optional
        Frames to look at; by default all.
    large : float
        Planes of more pixels that are not in memory anyway are looked at window by window.

    Yields
    ------
    Step
        After every batch of objects; whoever stops iterating cancels.

    Returns
    -------
    Classification

    Raises
    ------
    BadImage
        Labels are no whole numbers or of another shape, the image has no number in it, or is too
        large for what the judge needs to see at once.
    BadSetting
        There is no such frame.
    """
    settings = settings or ClassifySettings()
    labels = check_labels(frames, labels)
    wanted = frames.chosen(indices)
    seen = yield from _look_at(wanted, look_of(frames, labels, large), judge, settings)
    recipe = {
        **judge.recipe,
        "axes": frames.axes,
        "channel": frames.channel,
        "region": frames.region,
        "frames": None if len(wanted) == math.prod(frames.leading_shape) else tuple(wanted),
        **settings.model_dump(exclude_none=True),
    }
    found = [(index, each.names, each.judgement) for index, each in zip(wanted, seen, strict=True)]
    table = table_of(found, frames.leading_axes, judge.classes)
    return Classification(table, judge.classes, _warnings(seen), recipe)


def _look_at(
    wanted: Sequence[Index], look: Look, judge: Judge, settings: ClassifySettings
) -> Generator[Step, None, list[Seen]]:
    """Look at frames one after the other."""
    done, found = 0, []
    for left, index in zip(range(len(wanted), 0, -1), wanted, strict=True):
        steps = Steps(look(index, judge, settings))
        for each in steps:
            yield Step(done + each.done, done + each.total * left, index)  # as if all were alike
        seen = steps.result
        if seen.is_blind and len(wanted) == 1:
            raise BadImage(
                "No value of the image is a number", hint="Every pixel is NaN or infinite."
            )
        found.append(seen)
        done += len(seen.names)
        if not (seen.judgement.chosen >= 0).any():  # many may be empty: let it be cancelled there
            yield Step(done, max(1, done + left - 1), index)
    if not done:
        yield Step(1, 1, ())
    return found


def _warnings(seen: Sequence[Seen]) -> tuple[str, ...]:
    """Of the first frame that has any, and why objects have no class."""
    told = list(next((each.warnings for each in seen if each.warnings), ()))
    if blind := sum(each.is_blind for each in seen):
        told += [f"{blind} of {len(seen)} frames hold no number: their objects have no class"]
    judged = (each.judgement.chosen for each in seen if not each.is_blind)
    if untold := sum(int((chosen < 0).sum()) for chosen in judged):
        objects = sum(len(each.names) for each in seen)
        told += [
            f"{untold} of {objects} objects have no class: a measure of theirs is no number, "
            "or they are too large"
        ]
    return tuple(told)


def open_judge(
    model: str | Path | Model,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    *,
    allow: str | None = None,
) -> Judge:
    """What tells the classes, by the name of its model.

    Parameters
    ----------
    model : str, Path or Model
        A name from `models.available`, a path, ``collection.zip#key``, or an opened model.
    device, backend, precision : str
        As in `classify`.
    allow : str, optional
        SHA-256 of the one pickle that may be opened, though opening it runs its code.

    Raises
    ------
    BadSetting
        The model is for something else, or something is of a type that it cannot be.
    UnknownName, NoWeights, WrongWeights, UnreadableFile, UnsafeFile, NoDevice
        It cannot run, or not there.
    """
    _check_types(model, device=device, backend=backend, precision=precision, allow=allow)
    if not isinstance(model, Model) and (measured := _open_measured(str(model), allow)):
        return measured
    if not isinstance(model, Model) and str(model) in {each.name for each in known()}:
        name, metadata = str(model), info(str(model))
        opened: str | Model = load(name) if metadata.is_taught else name
    else:
        opened = model if isinstance(model, Model) else load(model)
        metadata = opened.metadata
    check_task(metadata, "classification")
    if isinstance(opened, Model) and metadata.is_taught:
        return open_taught(opened)
    return NetworkJudge(shared_predictor(opened, device, backend, precision))


def _check_types(model: Any, **words: Any) -> None:
    if not isinstance(model, str | Path | Model) or model == "":
        raise BadSetting(
            f"A model cannot be {model!r:.60}",
            hint="Give the name of one, like 'cell_classifier', its path, or what models.load "
            "gives; models.available() lists them.",
        )
    for name, word in words.items():
        if not isinstance(word, str) and not (name == "allow" and word is None):
            hint = "Give the SHA-256 of a file." if name == "allow" else "Give a word, like 'auto'."
            raise BadSetting(f"{name} cannot be {word!r}", hint=hint)


def _open_measured(model: str, allow: str | None) -> Judge | None:
    """A classifier of measurements, in a collection or a file; None where it is something else."""
    archive, _, key = model.rpartition("#")
    if key and Path(archive).is_file():
        from ..models.collections.reading import open_collection

        collection = open_collection(archive)
        if key in collection.classifiers:
            opened = collection.classifier(key, allow=allow)
            return MeasuredJudge.of(opened, model, collection.checksum(key))
    elif Path(model).suffix.lower() in (SKOPS, *PICKLED) and Path(model).is_file():
        opened = open_classifier(Path(model).stem, Path(model), allow)
        return MeasuredJudge.of(opened, model, sha256_of(Path(model)))
    return None


def classify(
    image: Any,
    labels: Any,
    model: str | Path | Model = "cell_classifier",
    *,
    axes: str | None = None,
    channel: int | None = None,
    region: tuple[int, int, int, int] | None = None,
    frames: Iterable[Index] | None = None,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    allow: str | None = None,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Tell the classes of labelled objects.

    Parameters
    ----------
    image : array
        numpy, dask or zarr; (Y, X), RGB(A), or a stack with leading axes.
    labels : array of integers
        Of the image's shape, without its channels; 0 is background. Numbers need not be
        consecutive. Of a stack every plane has objects of its own.
    model : str, Path or Model
        A name from `models.available`, a path, a model of a collection as
        ``collection.zip#cell_classifier`` or ``collection.zip#pi_classification``, or an opened
        model.
    axes : str, optional
        One letter an axis of the image, like "TCYX".
    channel : int, optional
        Channel to look at.
    region : tuple of int, optional
        Part of the image that the labels are of: first row, row after the last, first column,
        column after the last.
    frames : iterable of tuple of int, optional
        Positions along the leading axes; by default all.
    device, backend, precision : str
        As in `segment`.
    allow : str, optional
        SHA-256 of the one pickle (``.pkl``, ``.joblib``) that may be opened for this call.
    progress : callable, optional
        Called with objects done and objects in all.
    cancel : callable, optional
        Asked after every batch of objects; True stops.
    **settings
        Any field of `ClassifySettings`: ``batch_size``, ``size``, ``intensity``, ``low``,
        ``high``. What is not given is as the model recommends.

    Returns
    -------
    DataFrame
        One row an object: ``label``, of a stack its place (``t``, ``z``...), ``class``, and for
        each class ``probability_<class>``. Its ``attrs`` hold ``recipe`` and ``warnings``.

    Raises
    ------
    SpherosegError
        The image, the labels, the model, a setting or the device cannot be used, or `Cancelled`.

    Examples
    --------
    >>> import napari_spheroseg as ss
    >>> table = ss.classify(image, result.labels, "cell_classifier")  # doctest: +SKIP
    >>> table["class"].value_counts()  # doctest: +SKIP
    """
    wanted = ClassifySettings(**settings)
    seen = Frames.of(image, axes, channel, region)
    check_labels(seen, labels)  # before a model is loaded
    judge = open_judge(model, device, backend, precision, allow=allow)
    done = run_to_end(classify_steps(seen, labels, judge, wanted, frames), progress, cancel)
    done.table.attrs.update(recipe=dict(done.recipe), warnings=list(done.warnings))
    return done.table
