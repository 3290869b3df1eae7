"""A classifier that goes on learning, from objects that somebody annotated."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ... import networks
from ...classification.examples import Key
from ...classification.features import check_labels
from ...classification.store import check_name
from ...errors import BadSetting
from ...inference.frames import Frames
from ...models import Model, ModelMetadata, load
from ...models.installing import write_model
from ...models.library import user_folder
from ...models.staging import commit, staged, written_to
from ...steps import Progress, run_to_end
from ..process import require_trainer
from ..settings import CPU
from .annotated import bank_of, check_examples, find_objects, kept_apart
from .bank import Bank
from .settings import Learning

LEARNING = Learning(epochs=4, learning_rate=1e-3, warm_up=20, average=0.95)
_PAUSE = 5  # steps between two looks at whether it should go on
_CROPS = 2000  # in all: each example is cut out anew, turned and resized, until there are as many


@dataclass(frozen=True)
class Learnt:
    """Progress in steps."""

    done: int
    total: int


def fine_tune(
    model: str | Path | Model,
    image: Any,
    labels: Any,
    examples: Mapping[Key, str],
    *,
    axes: str | None = None,
    channel: int | None = None,
    learning: Learning = LEARNING,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Model:
    """Teach a classifier other classes, or other objects.

    Parameters
    ----------
    model : str, Path or Model
        A classifier whose network is a flexresnet, like "cell_classifier"; it stays as it is.
    image : array
        A plane or a stack.
    labels : array of integers
        Of the image's shape, without its channels.
    examples : mapping
        From an object to the name of its class, as in `classification.teach.teach`: an object is
        its label; in a stack ``((t,), label)``.
    axes : str, optional
        One letter an axis of the image, like "TCYX".
    channel : int, optional
        Channel to look at.
    learning : Learning
        How long, how fast, and the seed.
    progress : callable, optional
        Called with steps done and steps in all, every few steps.
    cancel : callable, optional
        Asked as often; True stops.

    Returns
    -------
    Model
        In memory; its classes are those of the examples, in alphabetical order. The accuracy on
        the examples that were kept is in ``metadata.metrics``. Install it with `keep`.

    Raises
    ------
    BadSetting
        The model is no such classifier, or there are fewer than `FEWEST` examples of a class, or
        one class only, or an object is not there.
    BadImage
        Labels are not of the image.
    MissingPackage
        The extra ``train`` is not installed.
    Cancelled
        `cancel` said so.
    """
    opened = model if isinstance(model, Model) else load(model)
    frames = Frames.of(image, axes, channel)
    steps = fine_tune_steps(opened, frames, check_labels(frames, labels), examples, learning)
    return run_to_end(steps, progress, cancel)


def fine_tune_steps(
    model: Model,
    frames: Frames,
    labels: Any,
    examples: Mapping[Key, str],
    learning: Learning = LEARNING,
) -> Generator[Learnt, None, Model]:
    """`fine_tune`, a few steps at a time; whoever stops iterating cancels."""
    require_trainer()
    from .task import probabilities

    metadata = model.metadata
    if metadata.task != "classification" or metadata.network != "flexresnet":
        raise BadSetting(
            f"'{metadata.name}' is no network that classifies objects",
            hint="Choose cell_classifier or another flexresnet.",
        )
    classes = check_examples(examples)
    rng = np.random.default_rng(learning.seed)
    objects = find_objects(model, frames, labels, examples)
    found = [(each, classes.index(name)) for each, name in objects]
    kept = kept_apart([kind for _, kind in found], rng)
    learnt_from = [each for number, each in enumerate(found) if number not in kept]
    network = with_classes(model.network, metadata.outputs, classes, metadata.arguments)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()  # statistics of many kinds of images serve better than those of few
    bank = bank_of(model, learnt_from, rng, _CROPS)
    with TemporaryDirectory() as folder:
        network.load_state_dict((yield from _learn(network, bank, learning, Path(folder))))
    held = bank_of(model, [found[number] for number in sorted(kept)])
    right = probabilities(network, held.crops).argmax(axis=1) == held.kinds
    return _model(model, network, classes, len(learnt_from), right)


def _learn(
    network: nn.Module, bank: Bank, learning: Learning, folder: Path
) -> Generator[Learnt, None, dict[str, Tensor]]:
    """The averaged weights; the loop is left every few steps, and goes on where it was."""
    from .. import loop
    from .task import Crops, CropTask

    task, crops = CropTask(network, learning), Crops(bank, learning.seed)
    pauses = cycle([False] * (_PAUSE - 1) + [True])
    for done in range(_PAUSE, learning.steps + _PAUSE, _PAUSE):
        with suppress(loop.Stopped):
            loop.fit(task, crops, None, folder, machine=CPU, stop=lambda: next(pauses))
        yield Learnt(min(done, learning.steps), learning.steps)
    return loop.best_weights(folder)


def keep(model: Model, name: str, *, title: str = "", replace: bool = False) -> ModelMetadata:
    """Install a model that is in memory.

    Parameters
    ----------
    model : Model
        From `fine_tune`.
    name : str
        What to call it.
    title : str
        What it is called on screen; by default as the model it was made from, "fine-tuned".
    replace : bool
        Overwrite an installed model of this name.

    Returns
    -------
    ModelMetadata
        Of the installed model.

    Raises
    ------
    NameTaken
        A model of this name is installed, ships or is shared.
    BadSetting
        It is no usable name.
    UnreadableFile
        The models folder cannot be written.
    """
    metadata = model.metadata.replace(name=name, title=title or model.metadata.title)
    check_name(name, replace=replace)
    folder = user_folder()
    with written_to(folder), staged(folder) as stage:
        metadata = write_model(stage / name, model, metadata)
        commit(stage, replace=replace)
    return metadata


def with_classes(
    network: nn.Module,
    before: Sequence[str],
    classes: Sequence[str],
    arguments: Mapping[str, Any],
) -> nn.Module:
    """A copy of a network that tells other classes; what it knew of those with a name is kept.

    Parameters
    ----------
    network : Module
        A flexresnet.
    before, classes : sequence of str
        Its classes, and those of the copy.
    arguments : mapping
        That it was created with.
    """
    torch.manual_seed(0)
    new = networks.create("flexresnet", **{**arguments, "num_classes": len(classes)})
    state = network.state_dict()
    for key, own in new.state_dict().items():
        if not key.startswith("classifier."):
            continue
        rows = own.clone()
        for number, name in enumerate(classes):
            if name in before:
                rows[number] = state[key][list(before).index(name)]
        state[key] = rows
    new.load_state_dict(state)
    return new


def _model(
    model: Model, network: nn.Module, classes: tuple[str, ...], count: int, right: Any
) -> Model:
    state = {key: value.detach().clone() for key, value in network.state_dict().items()}
    before = model.metadata
    metadata = before.replace(
        title=f"{before.title}, fine-tuned",
        arguments={**before.arguments, "num_classes": len(classes)},
        outputs=classes,
        metrics={
            "examples": {
                "learnt_from": count,
                "measured_on": len(right),
                "accuracy": round(float(np.mean(right)), 3),
            }
        },
        training_data=(),
        description=f"{before.title}, fine-tuned on {count} annotated objects.",
        source=before.name,
        source_sha256=before.sha256,
        licence="",
    )
    tuned = Model(metadata, None, "", _network=network.eval())
    return Model(metadata.replace(sha256=tuned.checksum), None, "", _state=state)
