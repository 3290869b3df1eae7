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
        "resunet_advanced": "napari_spheroseg.networks.resunet_advanced:AdvancedResUNet",
        "resunet_small": "napari_spheroseg.networks.resunet_small:ResUNetSmall",
        "monai_unet": "napari_spheroseg.networks.monai_unet:MonaiUNet",
        "nafnet": "napari_spheroseg.networks.nafnet:NAFNet",
        "flexresnet": "napari_spheroseg.networks.flexresnet:FlexResNet",
    },
)

_NOT_BUILT = (TypeError, ValueError, RuntimeError, LookupError, ArithmeticError, AttributeError)
_MOST_WIDE, _MOST_BLOCKS = 1 << 16, 64
_BLOCKS = frozenset(
    {"modules", "blocks", "num_blocks", "num_res_units"}
    | {"middle_blk_num", "enc_blk_nums", "dec_blk_nums"}
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
    for key, value in arguments.items():
        _check_size(name, key, value)
    try:
        network: nn.Module = factory(**arguments)
    except _NOT_BUILT as error:
        raise BadSetting(
            f"Network '{name}' cannot be built from {arguments}: {error}",
            hint="Compare the arguments with those of the published network.",
        ) from error
    return network


def _check_size(name: str, key: str, value: Any) -> None:
    """Refuse numbers that no network has, and that a damaged model.json could have."""
    most = _MOST_BLOCKS if key in _BLOCKS else _MOST_WIDE
    parts = value if isinstance(value, list | tuple) else [value]
    largest = max((part for part in parts if isinstance(part, int | float)), default=0)
    if len(parts) > _MOST_BLOCKS or largest > most:
        raise BadSetting(
            f"Network '{name}' cannot be built with so large a {key}",
            hint=f"At most {_MOST_BLOCKS} entries, and numbers up to {most}.",
        )
