"""Objects that somebody annotated, and the crops of them that a network learns from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...classification.examples import FEWEST, Key
from ...errors import BadSetting
from ...inference.frames import Frames
from ...inference.prepare import prepare
from ...models import Model
from .bank import Bank
from .examples import Example, Variation, crop_of, varied, window

VARIATION = Variation(scale=(0.8, 1.25), invert=0, gamma=0.3, gain=0.3, shift=0.05, noise=0.02)
_KEPT = 0.25


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


def find_objects(
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


def kept_apart(kinds: Sequence[int], rng: np.random.Generator) -> set[int]:
    """Numbers of the examples that are kept to measure, a part of each class."""
    out: set[int] = set()
    for kind in sorted(set(kinds)):
        own = np.flatnonzero(np.array(kinds) == kind)
        out |= set(rng.permutation(own)[: round(_KEPT * len(own))].tolist())
    return out


def bank_of(
    model: Model,
    found: Sequence[tuple[Example, int]],
    varied_by: np.random.Generator | None = None,
    count: int = 0,
) -> Bank:
    """Crops of examples, as they are; or each varied again and again, until there are so many."""
    crop, preparation = model.metadata.crop, model.metadata.preparation
    assert crop is not None  # a classifier of ours says how it cuts
    objects = [(each.image, each.mask, kind) for each, kind in found]
    if varied_by is not None:
        again = list(found) * -(-count // len(found))
        objects = [(*varied(each, varied_by, VARIATION), kind) for each, kind in again]
    return Bank(
        np.stack([crop_of(i, m, crop, preparation) for i, m, _ in objects]).astype(np.float16),
        np.array([kind for *_, kind in objects], np.int64),
        ("annotated",) * len(objects),
        crop.mask_channel,
    )
