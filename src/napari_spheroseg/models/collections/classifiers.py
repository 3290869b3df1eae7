"""Classifiers of measurements, and other models that are no networks of ours."""

from __future__ import annotations

import hashlib
import io
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import UnknownName, UnreadableFile, UnsafeFile, WrongWeights
from ...extras import require
from ..formats.skops_file import load_skops
from ..model import sha256_of
from .kinds import Kind

PICKLED = (".pkl", ".pickle", ".joblib")
SKOPS, ONNX = ".skops", ".onnx"
CLASSIFIERS = (ONNX, SKOPS, *PICKLED)
"""Endings of what is no network of ours."""


def check_loadable(key: str, weights: Path, kind: Kind) -> None:
    """Refuse what is no network of ours, without reading it.

    Raises
    ------
    UnsafeFile
        It is a pickle.
    MissingPackage, WrongWeights, UnknownName
        Something else would have to run it.
    """
    if weights.suffix.lower() in PICKLED:
        raise _unsafe(weights)
    if kind.package:
        require(kind.package, purpose=f"'{key}'")
        raise WrongWeights(
            f"'{key}' is a detector of places, not a network of ours",
            hint=f"Open it with collection.detector('{key}').",
        )
    if kind.task == "detection":
        raise UnknownName(
            f"'{key}' is a network of RF-DETR that is not run here", hint="Use HiTMicTools for it."
        )
    if not kind.network:
        raise WrongWeights(
            f"'{key}' is a classifier of measurements, not a network",
            hint=f"Open it with collection.classifier('{key}').",
        )


def open_classifier(key: str, path: Path, allow: str | None) -> Any:
    """An ONNX Runtime session; what a skops file holds; or a pickle, if `allow` is its SHA-256.

    Raises
    ------
    UnsafeFile
        It could run code, and is not the file that is allowed.
    MissingPackage, UnreadableFile
        It cannot be opened.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise UnreadableFile(f"There is no file {path}", hint="Check the path.")
    content = path.read_bytes()  # read once: what is opened is what was compared
    checksum = hashlib.sha256(content).hexdigest()
    is_allowed = allow is not None and allow.lower() == checksum
    if suffix == SKOPS:
        return _open_skops(path, content, is_allowed)
    if suffix != ONNX and not is_allowed:
        raise _unsafe(path)
    package, extra = ("onnxruntime",) * 2 if suffix == ONNX else ("joblib", "classify")
    require(package, extra, f"'{key}'")
    try:
        module = import_module(package)
        if suffix == ONNX:
            return module.InferenceSession(content, providers=["CPUExecutionProvider"])
        return module.load(io.BytesIO(content))
    except Exception as error:  # whatever a damaged file makes these packages stumble over
        raise UnreadableFile(
            f"{path.name} cannot be opened: {str(error)[:160]}", hint="Get the file again."
        ) from error


def _open_skops(path: Path, content: bytes, is_allowed: bool) -> Any:
    try:
        return load_skops(content, path.name, allow_all=is_allowed)
    except UnsafeFile as error:
        raise UnsafeFile(error.message, hint=_how_to_allow(path)) from error


def _unsafe(path: Path) -> UnsafeFile:
    return UnsafeFile(
        f"{path.name} is a pickle, and opening it could run code",
        hint=f"{_how_to_allow(path)}. Or open it once, to write what is safe: "
        "spheroseg models convert FILE --allow … -o FILE.skops.",
    )


def _how_to_allow(path: Path) -> str:
    return (
        "If you trust who made it, allow this one file by its SHA-256, as allow='…' or --allow …: "
        f"{sha256_of(path)}"
    )
