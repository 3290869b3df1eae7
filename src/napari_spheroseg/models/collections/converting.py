"""Classifiers out of pickles: skops files, which hold no code and are opened without leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import BadSetting, UnreadableFile, UnsafeFile, WrongWeights, brief
from ...readwrite.atomic import replacing
from ..formats.skops_file import dump_skops, load_skops
from .classifiers import ONNX, SKOPS, open_classifier
from .reading import open_collection

_ROWS = 2000


def convert(path: str | Path, output: str | Path, *, allow: str | None = None) -> Path:
    """Write a pickled classifier of measurements as a skops file.

    Parameters
    ----------
    path : str or Path
        A joblib or pickle file; or one in a collection, as ``collection.zip#pi_classification``.
    output : str or Path
        The skops file; complete or not written.
    allow : str, optional
        SHA-256 of the one pickle that may be opened, though opening it may run its code. It is
        opened once, here; what opens the skops file later runs nothing.

    Returns
    -------
    Path
        The skops file, which tells the same of random measurements, and `classify` takes.

    Raises
    ------
    UnsafeFile
        It is not the file that is allowed, or holds types that no skops file may hold.
    BadSetting
        The output is to be of another format.
    WrongWeights
        It is no classifier, or needs no conversion.
    MissingPackage, UnreadableFile, UnknownName
        It cannot be opened, or the file not be written.
    """
    output = Path(output)
    if output.suffix.lower() != SKOPS:
        raise BadSetting(f"{output.name} is no name of a skops file", hint="Let it end in .skops.")
    estimator = _opened(str(path), allow)
    if not all(hasattr(estimator, each) for each in ("predict", "classes_", "n_features_in_")):
        raise WrongWeights(f"{path} holds a {type(estimator).__name__}, which is no classifier")
    content = _dumped(estimator, str(path))
    try:
        again = load_skops(content, output.name)
    except UnsafeFile as error:
        raise UnsafeFile(
            f"{path} cannot be converted: {error.message}",
            hint="Linear models, forests and support vectors can. Ask its author for ONNX.",
        ) from error
    try:
        is_same = _same(estimator, again)
    except Exception as error:  # of another scikit-learn, it may stumble over anything
        raise WrongWeights(
            f"{path} cannot be run: {brief(error)}",
            hint="Install the scikit-learn that it was made with.",
        ) from error
    if not is_same:
        raise WrongWeights(f"{path} tells other classes once it is converted; nothing was written")
    try:
        with replacing(output) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise UnreadableFile(f"{output} cannot be written: {error.strerror or error}") from error
    return output


def _opened(path: str, allow: str | None) -> Any:
    archive, _, key = path.partition("#")
    if key and Path(archive).is_file():
        collection = open_collection(archive)
        name = str(collection._described.get(key, {}).get("model_path", ""))
        opened = collection.classifier(key, allow=allow)
    else:
        name = path
        opened = open_classifier(Path(path).stem, Path(path), allow)
    if name.lower().endswith(ONNX):
        raise WrongWeights(f"{path} is ONNX and safe as it is", hint="Use it with classify.")
    return opened


def _dumped(estimator: Any, path: str) -> bytes:
    try:
        return dump_skops(estimator)
    except (TypeError, ValueError, AttributeError, NotImplementedError, RecursionError) as error:
        raise WrongWeights(f"{path} cannot be written as skops: {brief(error)}") from error


def _same(one: Any, other: Any) -> bool:
    """Whether two classifiers tell the same of random measurements of all magnitudes."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(_ROWS, one.n_features_in_))
    rows *= 10.0 ** random.integers(-3, 5, (_ROWS, 1))
    names = getattr(one, "feature_names_in_", None)
    table: Any = rows
    if names is not None:
        import pandas as pd

        table = pd.DataFrame(rows, columns=list(names))
    told = ("predict", "predict_proba")
    return all(
        np.array_equal(getattr(one, name)(table), getattr(other, name)(table))
        for name in told
        if hasattr(one, name)
    )
