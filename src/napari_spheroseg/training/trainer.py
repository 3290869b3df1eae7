"""One training run in this process, from settings to the best weights."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn
from torch.utils.data import DataLoader

from .. import models, networks
from ..errors import BadSetting, SpherosegError
from ..models import ModelMetadata, Preparation
from .pairs import Dataset
from .samples import InOrder, Samples, Validation, to_tensors
from .settings import TrainingSettings
from .task import SegmentationTask

_FIRST_PREPARATION = Preparation(long_side=512, best_diameter=(40, 64), multiple=32)
SPLIT = {"split_touching": True}
"""How models that learn the distance split, unless they are told otherwise."""


def open_network(settings: TrainingSettings) -> tuple[nn.Module, ModelMetadata]:
    """The network to train, and the metadata of the model that it becomes.

    Raises
    ------
    SpherosegError
        The model to start from cannot be opened, or the network cannot be built.
    """
    own: dict[str, Any] = {"name": settings.name, "title": settings.title or settings.name}
    if settings.start is not None:
        start = models.load(settings.start)
        if start.metadata.is_graph:
            raise BadSetting(
                f"'{start.metadata.name}' came as an ONNX graph, which does not learn",
                hint="Start from another model, or a new network.",
            )
        network, metadata = start.network.train(), start.metadata  # Lightning keeps the mode
        own["preparation"] = metadata.preparation.replace(**settings.preparation)
        own["post_processing"] = {**metadata.post_processing, **settings.post_processing}
        if settings.dropout is not None:
            for module in network.modules():
                if isinstance(module, nn.Dropout2d):
                    module.p = settings.dropout
        return network, metadata.replace(**own, sha256=None, metrics={}, source=settings.start)
    assert settings.network is not None
    outputs = ("foreground", "distance") if settings.distance else ("foreground",)
    name = "n_class" if settings.network == "hrnet" else "out_channels"
    arguments = {"in_channels": 1, **settings.arguments, name: len(outputs)}
    if settings.dropout is not None and settings.network != "hrnet":
        arguments["dropout_rate"] = settings.dropout
    metadata = ModelMetadata(
        **own,
        network=settings.network,
        arguments=arguments,
        outputs=outputs,
        post_processing={**(SPLIT if settings.distance else {}), **settings.post_processing},
        preparation=_FIRST_PREPARATION.replace(
            channels=arguments["in_channels"], **settings.preparation
        ),
    )
    return networks.create(settings.network, **arguments), metadata


class Stopped(Exception):
    """Somebody asked to stop; everything is saved."""


class Keeper(pl.Callback):
    """Saves ``last.ckpt`` after every epoch and on a stop, and ``best.ckpt`` when it is better.

    Each is written beside and renamed, so that a full disk or a crash loses neither.

    Parameters
    ----------
    folder : Path
    monitor : {"dice", "loss"}
        What is best.
    stop : callable
        Asked after every step.
    """

    def __init__(self, folder: Path, monitor: str, stop: Callable[[], bool]) -> None:
        self.folder, self.monitor, self.stop = folder, monitor, stop
        self.best = -float("inf")

    def state_dict(self) -> dict[str, Any]:
        """Score of the best epoch so far."""
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Score of the best epoch so far."""
        self.best = state["best"]

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Stop where that is asked for; after the last batch of an epoch, its validation is due."""
        if not trainer.is_last_batch and self.stop():
            self._save(trainer, "last.ckpt")
            raise Stopped

    def on_train_epoch_end(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        """Save."""
        name = f"val_{self.monitor}"
        score = float(trainer.callback_metrics[name]) * (-1 if self.monitor == "loss" else 1)
        if score > self.best:  # never where it is no number
            self.best = score
            self._save(trainer, "best.ckpt")
        self._save(trainer, "last.ckpt")
        if self.stop():
            raise Stopped

    def _save(self, trainer: pl.Trainer, name: str) -> None:
        beside = self.folder / f".{name}.part"
        try:
            trainer.save_checkpoint(beside)
            beside.replace(self.folder / name)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise SpherosegError(
                f"{self.folder / name} cannot be written: {error.strerror or error}",
                hint="Make room and resume; what was saved before is still there.",
            ) from error


def fit(
    settings: TrainingSettings,
    dataset: Dataset,
    folder: Path,
    *,
    callbacks: tuple[pl.Callback, ...] = (),
    stop: Callable[[], bool] = lambda: False,
) -> ModelMetadata:
    """Train until the last epoch, or until validation no longer improves.

    Goes on where ``folder/last.ckpt`` stopped, if that is there.

    Parameters
    ----------
    settings : TrainingSettings
    dataset : Dataset
        With a train and a val part.
    folder : Path
        Checkpoints are kept here.
    callbacks : tuple of Callback
        Lightning's, run before checkpoints are saved.
    stop : callable
        Asked after every step.

    Returns
    -------
    ModelMetadata
        Of the model that ``folder/best.ckpt`` holds.

    Raises
    ------
    Stopped
        `stop` said so; ``last.ckpt`` holds everything.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # importing it set it to INFO
    pl.seed_everything(settings.seed, verbose=False)
    network, metadata = open_network(settings)
    if settings.machine.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    task = SegmentationTask(network, settings)
    if settings.machine.compile:
        network.compile()
    monitor = settings.early_stopping.monitor if settings.early_stopping else "dice"
    watching = list(callbacks)
    if settings.early_stopping:
        mode = "min" if monitor == "loss" else "max"
        patience = settings.early_stopping.patience
        watching.append(EarlyStopping(f"val_{monitor}", patience=patience, mode=mode))
    machine = settings.machine
    trainer = pl.Trainer(
        accelerator=machine.accelerator,
        devices=machine.devices,
        num_nodes=machine.num_nodes,
        strategy=machine.strategy,
        precision=machine.precision,  # type: ignore[arg-type]
        max_epochs=settings.epochs,
        gradient_clip_val=settings.clip,
        callbacks=[*watching, Keeper(folder, monitor, stop)],
        deterministic="warn",
        use_distributed_sampler=False,  # InOrder divides the samples itself
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    samples = Samples(dataset, settings, metadata.preparation)
    order = InOrder(
        settings.steps_per_epoch,
        settings.batch_size,
        lambda: trainer.global_step,
        trainer.global_rank,
        trainer.world_size,
    )
    loading: dict[str, Any] = {"collate_fn": to_tensors, "num_workers": machine.workers}
    loading["persistent_workers"] = machine.workers > 0  # they keep the images that they opened
    last = folder / "last.ckpt"
    trainer.fit(
        task,
        DataLoader(samples, settings.batch_size, sampler=order, **loading),
        DataLoader(Validation(dataset.part("val"), metadata.preparation), 1, **loading),
        ckpt_path=last if last.exists() else None,
        weights_only=True,
    )
    return metadata
