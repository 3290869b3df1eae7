"""A classifier that goes on learning, from objects that somebody annotated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ... import networks
from ...classification.examples import FEWEST, Key
from ...classification.features import check_labels
from ...classification.store import check_name
from ...errors import BadSetting
from ...inference.frames import Frames
from ...inference.prepare import prepare
from ...models import Model, ModelMetadata, load
from ...models.installing import write_model
from ...models.library import user_folder
from ...models.staging import commit, staged, written_to
from ...steps import Progress, run_to_end
from .bank import Bank
from .examples import Example, Variation, crop_of, varied, window
from .learner import Learner, probabilities
from .settings import Learning

LEARNING = Learning(steps=200, learning_rate=1e-3, warm_up=20, average=0.95)
VARIATION = Variation(scale=(0.8, 1.25), invert=0, gamma=0.3, gain=0.3, shift=0.05, noise=0.02)
_KEPT = 0.25
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
        Called with steps done and steps in all.
    cancel : callable, optional
        Asked after every step; True stops.

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
    """`fine_tune`, step by step; whoever stops iterating cancels."""
    metadata = model.metadata
    if metadata.task != "classification" or metadata.network != "flexresnet":
        raise BadSetting(
            f"'{metadata.name}' is no network that classifies objects",
            hint="Choose cell_classifier or another flexresnet.",
        )
    classes = check_examples(examples)
    rng = np.random.default_rng(learning.seed)
    found = [
        (each, classes.index(name)) for each, name in _windows(model, frames, labels, examples)
    ]
    kept = _kept([kind for _, kind in found], rng)
    learnt_from = [each for number, each in enumerate(found) if number not in kept]
    network = with_classes(model.network, metadata.outputs, classes, metadata.arguments)
    learner = Learner(network, _bank(model, learnt_from, rng), learning)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()  # statistics of many kinds of images serve better than those of few
    while learner.done < learning.steps:
        learner.step()
        yield Learnt(learner.done, learning.steps)
    held = _bank(model, [found[number] for number in sorted(kept)], None)
    right = probabilities(learner.average, held.crops).argmax(axis=1) == held.kinds
    return _model(model, learner.average, classes, len(learnt_from), right)


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


def check_examples(examples: Mapping[Key, str]) -> tuple[str, ...]:
    """Classes of examples, in alphabetical order.

    Raises
    ------
    BadSetting
        There are too few to learn from.
    """
    counts = Counter(examples.values())
    classes = tuple(sorted(counts))
    if len(classes) < 2:
        raise BadSetting("A classifier needs two classes", hint="Give examples of another class.")
    rare = min(classes, key=lambda name: counts[name])
    if counts[rare] < FEWEST:
        raise BadSetting(
            f"There are {counts[rare]} examples of '{rare}'; fine-tuning needs {FEWEST} of each",
            hint="Give more, or teach a forest, for which a few are enough.",
        )
    return classes


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


def _windows(
    model: Model, frames: Frames, labels: Any, examples: Mapping[Key, str]
) -> list[tuple[Example, str]]:
    """The annotated objects, in an order that does not depend on that of the mapping."""
    preparation = model.metadata.preparation
    by_frame: dict[tuple[int, ...], list[tuple[int, str]]] = {}
    for key, name in examples.items():
        index, label = key if isinstance(key, tuple) else ((), key)
        by_frame.setdefault(tuple(index), []).append((label, name))
    found = []
    for index in sorted(by_frame):
        if index not in set(frames.indices()):
            raise BadSetting(f"There is no frame {index}", hint="Say where each example lies.")
        plane = prepare(frames[index], preparation)[0]
        numbers = np.asarray(labels[index])
        for label, name in sorted(by_frame[index]):
            mask = numbers == label
            if not mask.any():
                raise BadSetting(f"There is no object {label}", hint="It may have been deleted.")
            found.append((window(plane, mask, name), name))
    return found


def _kept(kinds: Sequence[int], rng: np.random.Generator) -> set[int]:
    """Numbers of the examples that are kept to measure, a part of each class."""
    out: set[int] = set()
    for kind in sorted(set(kinds)):
        own = np.flatnonzero(np.array(kinds) == kind)
        out |= set(rng.permutation(own)[: round(_KEPT * len(own))].tolist())
    return out


def _bank(
    model: Model, found: Sequence[tuple[Example, int]], rng: np.random.Generator | None
) -> Bank:
    """Crops of examples, as they are or each varied many times."""
    crop, preparation = model.metadata.crop, model.metadata.preparation
    assert crop is not None  # a classifier of ours says how it cuts
    objects = [(each.image, each.mask, kind) for each, kind in found]
    if rng is not None:
        times = -(-_CROPS // len(found))
        objects = [(*varied(each, rng, VARIATION), kind) for each, kind in list(found) * times]
    return Bank(
        np.stack([crop_of(i, m, crop, preparation) for i, m, _ in objects]).astype(np.float16),
        np.array([kind for *_, kind in objects], np.int64),
        ("annotated",) * len(objects),
        crop.mask_channel,
    )


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
