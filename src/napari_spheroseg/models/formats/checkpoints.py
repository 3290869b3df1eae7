"""Weights from files, safely: nothing in a file is ever executed."""

from __future__ import annotations

import argparse
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ...errors import UnreadableFile, UnsafeFile, WrongWeights

StateDict = dict[str, Tensor]

_PREFIXES = ("module.", "_orig_mod.")  # DataParallel, torch.compile
_STATE_KEYS = ("model_state_dict", "state_dict", "model")
GRAPHS = {".onnx": "ONNX file", ".xml": "OpenVINO IR"}
_MEASURED = (".skops", ".joblib")
_MOST_TIMES, _MOST_BEYOND = 10, 64 << 20
"""A file may unfold to ten times its size and 64 MB; what unfolds to more is a trap."""


def read_state(path: Path) -> StateDict:
    """Weights of a checkpoint file.

    Parameters
    ----------
    path : Path
        safetensors; a torch file that holds a state_dict: bare, or under ``model_state_dict``,
        ``state_dict`` or ``model`` among whatever a training script saved; a TorchScript archive;
        an ONNX file; or the ``.xml`` of OpenVINO's IR. What a file is shows in its suffix.

    Returns
    -------
    dict of str to Tensor
        float32 where the file has half precision; prefixes of wrappers removed.

    Raises
    ------
    UnreadableFile
        The file is missing, empty, truncated, or of another format.
    UnsafeFile
        Opening it would run code, or fill the memory.
    WrongWeights
        It holds no state_dict, or values that are not finite.
    MissingPackage
        It is an ONNX file, and onnx is not installed.
    """
    if not path.is_file():
        raise UnreadableFile(f"There is no file {path}", hint="Check the path.")
    if path.stat().st_size == 0:
        raise UnreadableFile(f"{path.name} is empty", hint="Copy or download it again.")
    found = _find_state(_read(path), path)
    _check_tensors(found, path)
    state = {_strip(key): _widen(value) for key, value in found.items()}
    bad = [key for key, value in state.items() if not bool(torch.isfinite(value).all())]
    if bad:
        raise WrongWeights(
            f"{path.name} holds values that are not numbers, first in {bad[0]}",
            hint="The training run diverged; use an earlier checkpoint.",
        )
    return state


def _read(path: Path) -> Any:
    suffix = path.suffix.lower()
    if suffix in _MEASURED:
        raise WrongWeights(
            f"{path.name} is a classifier of measurements, not a network",
            hint="It is not installed: give its path to classify, as --model FILE or model=….",
        )
    if suffix == ".safetensors":
        return _read_safetensors(path)
    if suffix in GRAPHS:
        from . import graphs

        return graphs.read_onnx(path) if suffix == ".onnx" else graphs.read_openvino(path)
    if _is_zip(path) and _is_torchscript(path):
        from .torchscript import read_torchscript

        return read_torchscript(path)
    return _read_torch(path)


def _is_zip(path: Path) -> bool:
    """As torch tells; it takes all else for a bare pickle."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _is_torchscript(path: Path) -> bool:
    """Whether a zip is TorchScript's; one that would fill the memory is refused."""
    from .archive import check_directory
    from .torchscript import is_torchscript

    check_directory(path)
    try:
        with zipfile.ZipFile(path) as archive:
            unfolded = sum(entry.file_size for entry in archive.infolist())
            script = is_torchscript(archive)
    except Exception as error:  # zipfile raises whatever a damaged directory makes it stumble over
        raise _damaged(path, error) from error
    _check_size(unfolded, path)
    return script


def _check_size(unfolded: int, path: Path) -> None:
    size = path.stat().st_size
    if path.suffix.lower() == ".xml":  # its weights lie beside it
        size += path.with_suffix(".bin").stat().st_size
    if unfolded > _MOST_TIMES * size + _MOST_BEYOND:
        raise UnsafeFile(
            f"{path.name} would unfold to {unfolded / 1e9:.1f} GB, far more than it holds",
            hint="It is damaged or was made to fill the memory: do not use it.",
        )


def _check_tensors(state: Mapping[str, Tensor], path: Path) -> None:
    """Refuse what is no plain array of numbers, or is one only once it fills the memory."""
    for key, value in state.items():
        plain = value.layout == torch.strided and value.device.type == "cpu"
        if not plain or value.is_quantized or value.is_complex():
            raise WrongWeights(
                f"{path.name} holds {key}, which is no plain tensor of real numbers",
                hint="Save the state_dict() of the float32 network.",
            )
    _check_size(sum(v.numel() * v.element_size() for v in state.values()), path)


def _read_safetensors(path: Path) -> StateDict:
    try:
        state: StateDict = load_file(path)
        return state
    except (SafetensorError, OSError) as error:
        raise UnreadableFile(
            f"{path.name} is no safetensors file, or damaged: {error}",
            hint="Copy or download it again.",
        ) from error


def _read_torch(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_allowed()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")  # ours follows
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if zipfile.is_zipfile(path) or _starts_like_pickle(path):
            raise UnsafeFile(
                f"{path.name} holds more than weights, and opening it could run code",
                hint="Ask its author for a state_dict or a safetensors file.",
            ) from error
        raise _damaged(path, error) from error
    except Exception as error:  # torch raises whatever a damaged file makes it stumble over
        raise _damaged(path, error) from error


def _starts_like_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1) == b"\x80"


def _damaged(path: Path, error: Exception) -> UnreadableFile:
    first_line = str(error).strip().splitlines()[:1]
    return UnreadableFile(
        f"{path.name} is no checkpoint, or damaged ({''.join(first_line)[:120]})",
        hint="Copy or download it again.",
    )


def _allowed() -> list[Any]:
    """What published checkpoints hold beside tensors: plain data, nothing that acts."""
    scalar = import_module("numpy._core.multiarray").scalar
    numbers = ("float16", "float32", "float64", "int32", "int64", "bool")
    return [
        argparse.Namespace,
        np.dtype,
        *(type(np.dtype(number)) for number in numbers),
        (scalar, "numpy.core.multiarray.scalar"),  # written with numpy 1
        (scalar, "numpy._core.multiarray.scalar"),
    ]


def _find_state(content: Any, path: Path) -> Mapping[str, Tensor]:
    if isinstance(content, Mapping):
        found = next((content[key] for key in _STATE_KEYS if key in content), content)
        if (
            isinstance(found, Mapping)
            and found
            and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items())
        ):
            return found
    raise WrongWeights(
        f"{path.name} holds no weights: no state_dict was found in it",
        hint="Save the network's state_dict(), not the network.",
    )


def _strip(key: str) -> str:
    while key.startswith(_PREFIXES):
        key = key.split(".", 1)[1]
    return key


def _widen(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
