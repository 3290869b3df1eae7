"""One training run of a restoration, from settings to the best weights."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from ... import networks
from ..samples import InOrder
from ..trainer import Keeper
from .samples import (
    RestorationSamples,
    RestorationValidation,
    SharpImages,
    find_sharp,
    to_tensors,
)
from .settings import RestorationTraining
from .task import RestorationTask


class Log(pl.Callback):
    """Writes the scores of every epoch as a line of JSON.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        """Append a line."""
        scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": trainer.global_step, **scores}) + "\n")


def new_network(settings: RestorationTraining) -> nn.Module:
    """The network, which restores nothing yet: its output is its input."""
    network = networks.create(settings.network, **settings.arguments)
    ending = network.ending
    assert isinstance(ending, nn.Conv2d)
    for parameter in ending.parameters():
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
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    pl.seed_everything(settings.seed, verbose=False)
    network = new_network(settings)
    if start is not None:
        network.load_state_dict(start)
    task = RestorationTask(network, settings)
    parts = {
        part: SharpImages(find_sharp(data, settings.sources, part), settings.preparation)
        for part in ("train", "val")
    }
    trainer = pl.Trainer(
        accelerator="auto",
        devices=1,
        max_epochs=settings.epochs,
        gradient_clip_val=settings.clip,
        callbacks=[Log(folder / "log.jsonl"), Keeper(folder, "loss", stop)],
        deterministic="warn",
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    order = InOrder(settings.steps_per_epoch, settings.batch_size, lambda: trainer.global_step)
    samples = RestorationSamples(parts["train"], settings)
    loading: dict[str, Any] = {"collate_fn": to_tensors}
    last = folder / "last.ckpt"
    trainer.fit(
        task,
        DataLoader(samples, settings.batch_size, sampler=order, **loading),
        DataLoader(RestorationValidation(parts["val"], settings), 1, **loading),
        ckpt_path=last if last.exists() else None,
        weights_only=True,
    )
    return best_weights(folder)


def best_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The averaged weights of ``best.ckpt``."""
    checkpoint = torch.load(folder / "best.ckpt", map_location="cpu", weights_only=True)
    prefix = "average.module."
    return {
        key.removeprefix(prefix): value
        for key, value in checkpoint["state_dict"].items()
        if key.startswith(prefix)
    }
