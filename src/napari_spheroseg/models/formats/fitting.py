"""Which network weights belong to, and whether they are all of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ... import networks
from ...errors import WrongWeights
from .checkpoints import GRAPHS, StateDict

_UNTOLD = {"monai_unet", "flexresnet"}


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
        except (LookupError, ValueError, TypeError, ZeroDivisionError) as error:
            raise WrongWeights(
                f"{name} is like a {network}, but weights are missing or misshapen ({error})",
                hint="The file is incomplete: copy or download it again.",
            ) from error
        if arguments is not None:
            _check_told(network, name)
            return network, arguments
    some = ", ".join(list(shapes)[:3])
    raise WrongWeights(
        f"{name} belongs to no network that we know; its first keys are {some}",
        hint=f"Networks: {', '.join(networks.names())}.",
    )


def _check_told(network: str, name: str) -> None:
    kind = GRAPHS.get(Path(name).suffix.lower())
    if kind is not None and network in _UNTOLD:
        raise WrongWeights(
            f"{name} is like a {network}, but an {kind} keeps no names of activations and norms, "
            "of which such a network may have any",
            hint="Use the checkpoint that it was converted from.",
        )


def build(
    network: str, arguments: Mapping[str, Any], state: StateDict, name: str
) -> torch.nn.Module:
    """A network with these weights, which takes memory only where they fit.

    Parameters
    ----------
    network : str
        One of `networks.names`.
    arguments : mapping
        For `networks.create`.
    state : dict of str to Tensor
        As from `read_state`; copied.
    name : str
        What to call the file in an error.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, on the CPU.

    Raises
    ------
    UnknownName, BadSetting
        There is no such network, or it cannot be built from these arguments.
    WrongWeights
        As `compare`.
    """
    with torch.device("meta"):
        module = networks.create(network, **arguments)
    compare(module, state, name)
    own = {
        key: state[key].to(value.dtype, copy=True, memory_format=torch.contiguous_format)
        for key, value in module.state_dict().items()
    }
    # in place of random weights, which were not drawn; to_empty would import a second's worth
    module.load_state_dict(own, assign=True)
    return module.eval()


def first_channels(network: torch.nn.Module) -> int:
    """Channels of the images that a network takes: those of its first convolution."""
    return next(int(each.shape[1]) for each in network.state_dict().values() if each.ndim == 4)


def compare(network: torch.nn.Module, state: StateDict, name: str) -> None:
    """Refuse weights that are not all of a network's, and no others.

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
        kind = GRAPHS.get(Path(name).suffix.lower())
        raise WrongWeights(
            f"{name} {faults[0]} ({len(faults)} differences)",
            hint="The file is incomplete, or belongs to another network or width."
            if kind is None
            else f"This {kind} has lost {len(faults)} of its network's names, as happens where "
            "norms are folded: use the checkpoint that it was converted from.",
        )
