"""One training run of a segmentation in this process, from settings to the best weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn

from .. import models, networks
from ..errors import BadSetting
from ..models import ModelMetadata, Preparation
from . import loop
from .pairs import Dataset
from .samples import Samples, Validation
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
    pl.seed_everything(settings.seed, verbose=False)
    network, metadata = open_network(settings)
    monitor, stopping = "dice", settings.early_stopping
    if stopping is not None:
        monitor = stopping.monitor
        mode = "min" if monitor == "loss" else "max"
        early = EarlyStopping(f"val_{monitor}", patience=stopping.patience, mode=mode)
        callbacks = (*callbacks, early)
    loop.fit(
        SegmentationTask(network, settings),
        Samples(dataset, settings, metadata.preparation),
        Validation(dataset.part("val"), metadata.preparation),
        folder,
        monitor=monitor,
        machine=settings.machine,
        callbacks=callbacks,
        stop=stop,
    )
    return metadata
