"""One training run of a segmentation in this process, from settings to the best weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping

from .. import models, networks
from ..errors import BadSetting
from ..inference.shared import check_task
from ..models import ModelMetadata, Preparation
from ..models.formats.fitting import build, first_channels
from ..networks.segmenter import Segmenter
from . import loop
from .pairs import Dataset
from .samples import Samples, Validation
from .settings import TrainingSettings
from .task import SegmentationTask

_FIRST_PREPARATION = Preparation(long_side=512, best_diameter=(40, 64), multiple=32)
SPLIT = {"split_touching": True}
"""How models that learn the distance split, unless they are told otherwise."""


def open_network(settings: TrainingSettings) -> tuple[Segmenter, ModelMetadata]:
    """The network to train, and the metadata of the model that it becomes.

    Raises
    ------
    BadSetting
        The model to start from is for something else, the network does not segment, or settings
        do not fit it.
    SpherosegError
        The model to start from cannot be opened.
    """
    network, metadata = (
        _new(settings) if settings.start is None else _started(settings.start, settings)
    )
    takes = first_channels(network)
    if takes != metadata.in_channels:
        raise BadSetting(
            f"'{metadata.network}' takes {takes} channels, and preparation says "
            f"{metadata.in_channels}",
            hint="Leave channels out of preparation.",
        )
    return network, metadata


def _started(start: str, settings: TrainingSettings) -> tuple[Segmenter, ModelMetadata]:
    """The network of a model, to learn on."""
    model = models.load(start)
    metadata = model.metadata
    check_task(metadata, "segmentation")
    if metadata.is_graph:
        raise BadSetting(
            f"'{metadata.name}' came as an ONNX graph, which does not learn",
            hint="Start from another model, or a new network.",
        )
    kind, network = _segmenter(metadata.network), model.network
    arguments = _with_dropout(kind, metadata.network, metadata.arguments, settings.dropout)
    if arguments != metadata.arguments:
        network = build(metadata.network, arguments, network.state_dict(), metadata.name)
    assert isinstance(network, Segmenter)
    return network.train(), metadata.replace(  # Lightning keeps the mode
        **_named(settings),
        arguments=arguments,
        preparation=metadata.preparation.replace(**settings.preparation),
        post_processing={**metadata.post_processing, **settings.post_processing},
        sha256=None,
        metrics={},
        source=start,
    )


def _new(settings: TrainingSettings) -> tuple[Segmenter, ModelMetadata]:
    """A new network."""
    assert settings.network is not None
    kind = _segmenter(settings.network)
    outputs = ("foreground", "distance") if settings.distance else ("foreground",)
    arguments = {"in_channels": 1, **settings.arguments, kind.outputs_argument: len(outputs)}
    arguments = _with_dropout(kind, settings.network, arguments, settings.dropout)
    metadata = ModelMetadata(
        **_named(settings),
        network=settings.network,
        arguments=arguments,
        outputs=outputs,
        post_processing={**(SPLIT if settings.distance else {}), **settings.post_processing},
        preparation=_FIRST_PREPARATION.replace(
            **{"channels": arguments["in_channels"], **settings.preparation}
        ),
    )
    network = networks.create(settings.network, **arguments)
    assert isinstance(network, Segmenter)
    return network, metadata


def _named(settings: TrainingSettings) -> dict[str, str]:
    return {"name": settings.name, "title": settings.title or settings.name}


def _segmenter(name: str) -> type[Segmenter]:
    kind: type = networks.NETWORKS[name]
    if not issubclass(kind, Segmenter):
        there_are = [each for each, own in networks.NETWORKS.items() if issubclass(own, Segmenter)]
        raise BadSetting(
            f"Network '{name}' does not segment", hint=f"Choose one of {', '.join(there_are)}."
        )
    return kind


def _with_dropout(
    kind: type[Segmenter], name: str, arguments: dict[str, Any], rate: float | None
) -> dict[str, Any]:
    if rate is None:
        return arguments
    if kind.dropout_argument is None:
        raise BadSetting(
            f"The dropout of network '{name}' cannot be set",
            hint="Leave dropout out, or choose another network.",
        )
    return {**arguments, kind.dropout_argument: rate}


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
