"""Whether a model finds here what it found where it was packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import SpherosegError, UnknownName
from ...registry import Registry
from ..model import Model

RUNNERS = Registry("task", {"segmentation": "napari_spheroseg.segmentation.run:segment"})
"""What runs a model, by its task: a floor above this one, and therefore found by name."""


@dataclass(frozen=True)
class Reproduction:
    """How labels made here compare with those that came with a model.

    Attributes
    ----------
    is_identical : bool
        Every pixel has the same number.
    dice : float
        Overlap of the objects' pixels, ``2 |A ∩ B| / (|A| + |B|)``; NaN where it was not measured.
    reason : str
        Why it was not measured.
    """

    is_identical: bool
    dice: float
    reason: str = ""

    def __str__(self) -> str:
        if self.is_identical:
            return "reproduced bit for bit"
        if self.reason:
            return f"not tried: {self.reason}"
        return f"differs on this machine: Dice {self.dice:.4f}"


def sample_image() -> NDArray[np.uint16]:
    """The image, drawn from a seed, that comes with a model; 256 x 256 pixels."""
    from ...synthetic import spheroids

    return spheroids((256, 256), 4, seed=7).image


def labels_of(model: Model, image: NDArray[Any]) -> NDArray[np.int32]:
    """What a model finds in an image, in the way that differs least between machines.

    Raises
    ------
    UnknownName
        Nothing runs models of this task.
    SpherosegError
        As of what runs it.
    """
    run = RUNNERS[model.metadata.task]
    result = run(
        image, model, model.metadata.threshold, device="cpu", backend="torch", precision="float32"
    )
    return np.asarray(result.labels, np.int32)


def reproduce(
    model: Model, image: NDArray[Any] | None, expected: NDArray[np.int32] | None
) -> Reproduction:
    """Run a model on its sample image and compare."""
    if image is None or expected is None:
        return _untried("it came without a sample image")
    try:
        return compare(labels_of(model, image), expected)
    except UnknownName:
        task = model.metadata.task
        return _untried(f"samples of the task {task} are not run yet")
    except SpherosegError as error:
        return _untried(str(error))


def _untried(reason: str) -> Reproduction:
    return Reproduction(False, float("nan"), reason)


def compare(labels: NDArray[np.int32], expected: NDArray[np.int32]) -> Reproduction:
    """Two label maps of one image."""
    if labels.shape != expected.shape:
        return _untried("the sample's labels have another size")
    if np.array_equal(labels, expected):
        return Reproduction(True, 1.0)
    found, truth = labels > 0, expected > 0
    total = int(found.sum()) + int(truth.sum())
    return Reproduction(False, 2 * int((found & truth).sum()) / total if total else 1.0)
