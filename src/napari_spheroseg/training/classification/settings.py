"""What a classifier is trained from: the contents of its training.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field

from ...errors import UnreadableFile
from ...models import Preparation
from ...models.metadata import Crop
from ...settings import Settings
from .examples import Variation


class Learning(Settings):
    """How a network learns from crops."""

    steps: int = Field(2000, ge=1, description="Batches that are learnt from.")
    batch_size: int = Field(64, ge=2, description="Crops in a batch.")
    learning_rate: float = Field(3e-3, gt=0, description="Highest; it rises and falls.")
    weight_decay: float = Field(1e-2, ge=0)
    warm_up: int = Field(100, ge=0, description="Steps until the learning rate is reached.")
    average: float = Field(0.99, ge=0, lt=1, description="Decay of the mean of the weights.")
    smoothing: float = Field(0.05, ge=0, lt=1, description="Part of a label that all others share.")
    seed: int = Field(0, ge=0)


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
        """Settings of a YAML file.

        Raises
        ------
        UnreadableFile
            It is missing or no YAML.
        BadSetting
            It says something that is not known or out of bounds.
        """
        import yaml

        try:
            content = yaml.safe_load(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UnreadableFile(
                f"{path} cannot be read: {error}".splitlines()[0], hint="It must be a YAML file."
            ) from error
        return cls(**content)
