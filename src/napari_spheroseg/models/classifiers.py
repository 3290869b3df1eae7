"""Classifiers of measurements, and other models that are no networks of ours."""

from __future__ import annotations

import hashlib
import io
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import SpherosegError, UnknownName, UnreadableFile, UnsafeFile, WrongWeights
from .model import sha256_of

PICKLED = (".pkl", ".pickle", ".joblib")


class MissingPackage(SpherosegError, ImportError):
    """A model that needs a package that is not installed."""


def check_loadable(key: str, weights: Path, network: str, package: str) -> None:
    """Refuse what is no network of ours, without reading it.

    Raises
    ------
    UnsafeFile
        It is a pickle.
    MissingPackage, WrongWeights
        Something else would have to run it.
    """
    if weights.suffix.lower() in PICKLED:
        raise _unsafe(key, weights)
    if package:
        _require(key, package)
        raise UnknownName(f"There is no network '{package}' here", hint="Use HiTMicTools for it.")
    if not network:
        raise WrongWeights(
            f"'{key}' is a classifier of measurements, not a network",
            hint=f"Open it with collection.classifier('{key}').",
        )


def open_classifier(key: str, path: Path, allow: str | None) -> Any:
    """An ONNX Runtime session; or what a pickle holds, if `allow` is its SHA-256.

    Raises
    ------
    UnsafeFile
        It is a pickle, and not the one that is allowed.
    MissingPackage, UnreadableFile
        It cannot be opened.
    """
    is_onnx = path.suffix.lower() == ".onnx"
    if not path.is_file():
        raise UnreadableFile(f"There is no file {path}", hint="Check the path.")
    content = path.read_bytes()  # read once: what is opened is what was compared
    checksum = hashlib.sha256(content).hexdigest()
    if not is_onnx and (allow is None or allow.lower() != checksum):
        raise _unsafe(key, path)
    package = "onnxruntime" if is_onnx else "joblib"
    _require(key, package)
    try:
        module = import_module(package)
        return module.InferenceSession(content) if is_onnx else module.load(io.BytesIO(content))
    except Exception as error:  # whatever a damaged file makes these packages stumble over
        raise UnreadableFile(
            f"{path.name} cannot be opened: {str(error)[:160]}", hint="Get the file again."
        ) from error


def _unsafe(key: str, path: Path) -> UnsafeFile:
    return UnsafeFile(
        f"{path.name} is a pickle, and opening it could run code",
        hint=(
            "If you trust who made it, allow this one file by its SHA-256: "
            f"collection.classifier('{key}', allow='{sha256_of(path)}')."
        ),
    )


def _require(key: str, package: str) -> None:
    if find_spec(package) is None:
        raise MissingPackage(
            f"'{key}' needs {package}, which is not installed",
            hint=f"Install it with: pip install {package}",
        )
