"""What a classifier is trained from: the contents of its training.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ...models import Preparation
from ...models.metadata import Crop
from ...settings import Settings
from ..settings import Learning as LearningInEpochs
from ..settings import read_yaml
from .examples import Variation

_LONGEST = 50  # steps that are lost at most where a training is killed


class Learning(LearningInEpochs):
    """How a network learns from crops; ``steps`` may stand for epochs and their length."""

    epochs: int = Field(40, ge=1, description="After each it is saved.")
    batch_size: int = Field(64, ge=2, description="Crops in a batch.")
    learning_rate: float = Field(3e-3, gt=0, description="Highest; it rises and falls.")
    warm_up: int = Field(100, ge=0, description="Steps until the learning rate is reached.")
    average: float = Field(0.99, ge=0, lt=1, description="Decay of the mean of the weights.")
    average_grows: bool = Field(True, description="While steps are few, the mean is over these.")
    smoothing: float = Field(0.05, ge=0, lt=1, description="Part of a label that all others share.")

    @model_validator(mode="before")
    @classmethod
    def _in_epochs(cls, values: Any) -> Any:
        match values:
            case {"steps": int(steps), **rest}:
                each = max(n for n in range(1, _LONGEST + 1) if steps % n == 0)
                return rest | {"epochs": steps // each, "steps_per_epoch": each}
        return values


class ClassifierSettings(Settings):
    """A whole training of a classifier that ships."""

    name: str
    title: str
    objects: Literal["cells", "spheroids"] = Field(description="Who makes the examples.")
    arguments: dict[str, Any] = Field({}, description="Of flexresnet.")
    preparation: Preparation = Preparation()
    crop: Crop = Crop()
    sources: dict[str, float] = Field(
        description="Sources of the manifest to learn from, and how often."
    )
    blurred: dict[str, tuple[str, ...]] = Field(
        {},
        description="For a source: files, relative to the manifest, of the same fields out of "
        "focus; {stem} stands for the name of the image.",
    )
    dirty: tuple[str, ...] = Field((), description="Sources to look for dirt in.")
    ragged: tuple[str, ...] = Field((), description="Sources of irregular objects.")
    held_out: tuple[str, ...] = Field(
        (), description="Groups to measure on, beside the test part; not learnt from."
    )
    found_share: float = Field(0.5, ge=0, le=1, description="Part of the examples that is real.")
    count: int = Field(24_000, ge=1, description="Examples; each is varied anew at every step.")
    variation: Variation = Variation()
    learning: Learning = Learning()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Settings of a YAML file; what may be wrong with it is what `read_yaml` says."""
        return cls(**read_yaml(path))
