"""One training run of a restoration, from settings to the best weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lightning.pytorch as pl
import torch
from torch import nn

from ... import networks
from ...networks.nafnet import NAFNet
from .. import loop
from .samples import RestorationSamples, RestorationValidation, SharpImages, find_sharp
from .settings import RestorationTraining
from .task import RestorationTask


def new_network(settings: RestorationTraining) -> nn.Module:
    """The network; one that adds to its input restores nothing yet: its output is its input."""
    network = networks.create(settings.network, **settings.arguments)
    if isinstance(network, NAFNet):
        for parameter in network.ending.parameters():
            nn.init.zeros_(parameter)
    return network


def fit(
    settings: RestorationTraining,
    data: Path,
    folder: Path,
    start: dict[str, torch.Tensor] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, torch.Tensor]:
    """Train to the last epoch; goes on where ``folder/last.ckpt`` stopped, if that is there.

    Parameters
    ----------
    settings : RestorationTraining
    data : Path
        Folder with the manifests.
    folder : Path
        For checkpoints and ``log.jsonl``.
    start : dict, optional
        Weights to start from.
    stop : callable
        Asked after every step.

    Returns
    -------
    dict
        The averaged weights of the epoch with the least loss on the validation images.

    Raises
    ------
    Stopped
        `stop` said so; ``last.ckpt`` holds everything.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pl.seed_everything(settings.seed, verbose=False)
    network = new_network(settings)
    if start is not None:
        network.load_state_dict(start)
    train, val = (
        SharpImages(find_sharp(data, settings.sources, part), settings.preparation)
        for part in ("train", "val")
    )
    loop.fit(
        RestorationTask(network, settings),
        RestorationSamples(train, settings),
        RestorationValidation(val, settings),
        folder,
        callbacks=(loop.Log(folder / "log.jsonl"),),
        stop=stop,
    )
    return loop.best_weights(folder)
