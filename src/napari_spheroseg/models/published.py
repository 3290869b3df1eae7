"""What to take a bare checkpoint for: what its publisher feeds such a network."""

from __future__ import annotations

from math import prod
from typing import Any

from ..errors import WrongWeights
from .metadata import PUBLISHED_PREPARATION, Preparation

TITLES = {
    "hrnet": "HRNet",
    "cbam_resunet": "CBAM-ResUNet",
    "unet": "UNet",
    "resunet_advanced": "Advanced ResUNet",
    "resunet_small": "ResUNet-Small",
    "monai_unet": "MONAI UNet",
    "nafnet": "NAFNet",
    "flexresnet": "FlexResNet",
}
_TASKS = {"nafnet": "restoration", "flexresnet": "classification"}
_CELLS = ("single-cell", "clump", "noise", "off-focus", "joint-cell")
_HITMICTOOLS = Preparation(low=1, high=99.8, tile=256, multiple=1)


def published_facts(network: str, arguments: dict[str, Any], name: str) -> dict[str, Any]:
    """Title, task, outputs, preparation and post-processing of a bare checkpoint.

    Parameters
    ----------
    network, arguments
        As recognised.
    name : str
        What to call the file in an error.

    Returns
    -------
    dict
        Fields of `ModelMetadata`: those of the spheroid service's networks as it feeds them,
        those of HiTMicTools' as its examples do.

    Raises
    ------
    WrongWeights
        The network takes neither grey nor RGB, or is for segmentation and has several outputs.
    """
    channels = arguments.get("in_channels", arguments.get("img_channel"))
    outputs = arguments.get("out_channels", arguments.get("n_class"))
    task = _TASKS.get(network, "segmentation")
    if channels not in (1, 3) or (task == "segmentation" and outputs != 1):
        raise WrongWeights(
            f"{name} takes {channels} channels and gives {outputs or channels}",
            hint="Segmentation needs a network for grey or RGB images with one output.",
        )
    facts: dict[str, Any] = {"title": TITLES.get(network, network), "task": task}
    if network == "monai_unet":
        facts["preparation"] = _HITMICTOOLS.replace(
            channels=channels, tile=512, multiple=prod(arguments["strides"])
        )
    elif network == "nafnet":
        facts["preparation"] = _HITMICTOOLS.replace(channels=channels)
        facts["outputs"] = ("restored",)
    elif network == "flexresnet":
        classes = arguments["num_classes"]
        facts["preparation"] = _HITMICTOOLS.replace(channels=channels, tile=None)
        facts["outputs"] = (
            _CELLS if classes == len(_CELLS) else tuple(f"class {i}" for i in range(classes))
        )
    else:
        multiple = 2 ** len(arguments["features"]) if network == "resunet_advanced" else 1
        facts["preparation"] = PUBLISHED_PREPARATION.replace(
            channels=channels, normalise="imagenet" if channels == 3 else "unit", multiple=multiple
        )
        facts["post_processing"] = {"min_area": 50}
    return facts
