"""Network architectures: torch modules, one a file, found by name.

``create(name)`` without arguments builds the published full size; every width is an
argument, so that the same classes make the small models that ship.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from ..errors import BadSetting
from ..registry import Registry

if TYPE_CHECKING:
    from torch import nn

NETWORKS = Registry(
    "network",
    {
        "hrnet": "napari_spheroseg.networks.hrnet:HRNetV2",
        "cbam_resunet": "napari_spheroseg.networks.cbam_resunet:ResUNetCBAM",
        "unet": "napari_spheroseg.networks.unet:UNet",
    },
)


def names() -> list[str]:
    """Names of all networks, without importing torch."""
    return list(NETWORKS)


def create(name: str, **arguments: Any) -> nn.Module:
    """Build a network.

    Parameters
    ----------
    name : str
        One of `names`.
    **arguments
        Constructor arguments of the published network; their defaults are the published ones.

    Returns
    -------
    torch.nn.Module
        In training mode, with random weights.

    Raises
    ------
    UnknownName
        No network has this name.
    BadSetting
        The network has no such argument, or cannot be built from these values.
    """
    factory = NETWORKS[name]
    known = list(inspect.signature(factory).parameters)
    if unknown := sorted(set(arguments) - set(known)):
        raise BadSetting(
            f"Network '{name}' has no argument '{unknown[0]}'",
            hint=f"Its arguments are: {', '.join(known)}.",
        )
    try:
        network: nn.Module = factory(**arguments)
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        raise BadSetting(
            f"Network '{name}' cannot be built from {arguments}: {error}",
            hint="Compare the arguments with those of the published network.",
        ) from error
    return network
