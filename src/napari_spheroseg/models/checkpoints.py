"""Weights from files, safely: nothing in a file is ever executed."""

from __future__ import annotations

import argparse
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .. import networks
from ..errors import UnreadableFile, UnsafeFile, WrongWeights

StateDict = dict[str, Tensor]

_PREFIXES = ("module.", "_orig_mod.")  # DataParallel, torch.compile
_STATE_KEYS = ("model_state_dict", "state_dict")


def read_state(path: Path) -> StateDict:
    """Weights of a checkpoint file.

    Parameters
    ----------
    path : Path
        safetensors, or a torch file that holds a state_dict: bare, or under
        ``model_state_dict`` or ``state_dict`` among whatever a training script saved.

    Returns
    -------
    dict of str to Tensor
        float32 where the file has half precision; prefixes of wrappers removed.

    Raises
    ------
    UnreadableFile
        The file is missing, empty, truncated, or of another format.
    UnsafeFile
        Opening it would run code.
    WrongWeights
        It holds no state_dict, or values that are not finite.
    """
    if not path.is_file():
        raise UnreadableFile(f"There is no file {path}", hint="Check the path.")
    if path.stat().st_size == 0:
        raise UnreadableFile(f"{path.name} is empty", hint="Copy or download it again.")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    state = {_strip(key): _widen(value) for key, value in _find_state(content, path).items()}
    bad = [key for key, value in state.items() if not bool(torch.isfinite(value).all())]
    if bad:
        raise WrongWeights(
            f"{path.name} holds values that are not numbers, first in {bad[0]}",
            hint="The training run diverged; use an earlier checkpoint.",
        )
    return state


def recognise(state: Mapping[str, Tensor], name: str) -> tuple[str, dict[str, Any]]:
    """Network and constructor arguments that these weights belong to.

    Parameters
    ----------
    state : mapping of str to Tensor
        As from `read_state`.
    name : str
        What to call the file in an error.

    Returns
    -------
    network : str
        Its name.
    arguments : dict
        For `networks.create`.

    Raises
    ------
    WrongWeights
        No network of ours has such keys, or some that tell its widths are missing.
    """
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    for network in networks.names():
        try:
            arguments = networks.NETWORKS[network].recognise(shapes)
        except (KeyError, IndexError) as error:
            raise WrongWeights(
                f"{name} is like a {network}, but weights are missing or misshapen ({error})",
                hint="The file is incomplete: copy or download it again.",
            ) from error
        if arguments is not None:
            return network, arguments
    some = ", ".join(list(shapes)[:3])
    raise WrongWeights(
        f"{name} belongs to no network that we know; its first keys are {some}",
        hint=f"Networks: {', '.join(networks.names())}.",
    )


def load_strictly(network: torch.nn.Module, state: StateDict, name: str) -> None:
    """Put weights into a network; every key must be there, and no other.

    Raises
    ------
    WrongWeights
        A key is missing or left over, or has another shape.
    """
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    faults = [f"lacks {key}" for key in expected if key not in shapes]
    faults += [f"has {key}, which the network lacks" for key in shapes if key not in expected]
    faults += [
        f"has {key} of shape {shapes[key]}, not {shape}"
        for key, shape in expected.items()
        if shapes.get(key, shape) != shape
    ]
    if faults:
        raise WrongWeights(
            f"{name} {faults[0]} ({len(faults)} differences)",
            hint="The file is incomplete, or belongs to another network or width.",
        )
    network.load_state_dict(state, strict=True)


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
        with torch.serialization.safe_globals(_allowed()):
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
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]
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
