"""Models to benchmark, what their networks are fed, and the plain network beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import models, networks
from ..errors import BadSetting
from ..models import Model, ModelMetadata
from ..models.library import METADATA, WEIGHTS
from ..models.metadata import PUBLISHED_PREPARATION
from ..models.model import sha256_of
from ..readwrite.atomic import write_text

Float = NDArray[np.float32]
_TORCHS = ("cuda", "mps", "cpu")

_PUBLISHED = ("hrnet", "cbam_resunet", "unet")  # of the service: RGB in, foreground out


def wanted_models(names: tuple[str, ...], published: bool, scratch: Path) -> list[Model]:
    """Models by name; without names all for segmentation; or published networks.

    Parameters
    ----------
    names : tuple of str
        Models, or networks where `published`.
    published : bool
        Networks in their full size, with random weights that are the same in every run.
    scratch : Path
        Folder that these weights are written to.

    Raises
    ------
    UnknownName, NoWeights, BadSetting
        There is no such model, it has no weights, or is not for segmentation.
    """
    if published:
        return [_published(name, scratch) for name in names or _PUBLISHED]
    if not names:
        names = tuple(each.name for each in models.available() if each.task == "segmentation")
    opened = [models.load(name) for name in names]
    for each in opened:
        if each.metadata.task != "segmentation":
            raise BadSetting(
                f"'{each.metadata.name}' is a model for {each.metadata.task}",
                hint="Choose one for segmentation.",
            )
    return opened


def _published(name: str, scratch: Path) -> Model:
    """A network with random weights as a model's folder, so that any process can open it."""
    if name not in networks.NETWORKS:
        _ = networks.NETWORKS[name]  # raises our error, with the near names
    import torch
    from safetensors.torch import save_file

    folder = scratch / name
    folder.mkdir()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = networks.create(name).state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, folder / WEIGHTS)
    metadata = ModelMetadata(
        name=name,
        title=f"{name}, published size",
        network=name,
        preparation=PUBLISHED_PREPARATION,
        sha256=sha256_of(folder / WEIGHTS),
    )
    write_text(folder / METADATA, metadata.model_dump_json())
    return models.load(folder)


def network_input(model: Model, side: int, batch: int = 1) -> Float:
    """Random numbers (batch, C, side, side) in [0, 1): a network takes the same time for all."""
    shape = (batch, model.metadata.in_channels, side, side)
    return np.random.default_rng(0).random(shape, np.float32)


def plain_device(device: str) -> str:
    """Where PyTorch runs beside a backend: on the same device if it can, else on the CPU."""
    return device if device.partition(":")[0] in _TORCHS else "cpu"


def plain_network(reference: str, device: str) -> Callable[[Float], Float]:
    """The network of a model in PyTorch and float32, as anybody would run it.

    Parameters
    ----------
    reference : str
        Name or path of the model: it is opened anew, for backends rearrange their network.
    device : str
        As torch names it.
    """
    import torch

    network = models.load(reference).network.to(device)

    @torch.inference_mode()
    def run(batch: Float) -> Float:
        # our backend switches the search for the fastest convolution on for the whole process
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=False, allow_tf32=True
        ):
            return np.asarray(network(torch.from_numpy(batch).to(device)).cpu().numpy())

    return run
