"""What a training run is made from: the contents of its CONFIG.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ..errors import UnreadableFile
from ..segmentation.settings import PostProcessing
from ..settings import Settings

Share = Field(ge=0, le=1)


def read_yaml(path: Path) -> dict[str, Any]:
    """What a YAML file says, by name.

    Raises
    ------
    UnreadableFile
        It is missing, no YAML, or holds no names.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnreadableFile(
            f"{path} cannot be read: {error}".splitlines()[0], hint="It must be a YAML file."
        ) from error
    if not isinstance(content, dict):
        raise UnreadableFile(f"{path} holds no settings", hint="Write `name: ...` lines.")
    return {str(key): value for key, value in content.items()}


class Data(Settings):
    """Where the images and masks are, and how they are divided."""

    manifest: Path | None = Field(
        None, description="CSV with the columns file and mask_file; source, group, part if known."
    )
    images: Path | None = Field(None, description="Folder of images.")
    masks: Path | None = Field(None, description="Folder of masks; each has its image's stem.")
    sources: dict[str, Annotated[float, Field(gt=0)]] = Field(
        {}, description="Sources of the manifest to learn from, and how often; empty: all alike."
    )
    validation_share: float = Field(
        0.2, gt=0, lt=1, description="Where no part is named: groups kept to validate."
    )
    group: str | None = Field(
        None,
        description="Regular expression on the stem; files with the same match stay together.",
    )
    synthetic_share: float = Field(0.0, ge=0, le=1, description="Part of the samples to draw.")
    any_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Part of the drawn samples with grey, grain and rim as no microscope in "
        "particular shows them, so that shapes are learnt.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.manifest is None) == (self.images is None):
            raise ValueError("data needs either a manifest or a folder of images")
        if (self.images is None) != (self.masks is None):
            raise ValueError("images and masks go together")
        return self


class Augmentation(Settings):
    """How training images are varied: probabilities in [0, 1], strengths as said."""

    diameter: tuple[float, float] = Field(
        (14, 150), description="Objects are drawn this large (px); sizes between are as likely."
    )
    flip: bool = Field(True, description="Mirror at random.")
    rotate: bool = Field(True, description="Turn by any angle.")
    stretch: float = Field(0.1, ge=0, lt=1, description="Sides differ by up to this part.")
    elastic: float = Field(0.2, ge=0, le=1, description="Probability of elastic distortion.")
    grid: float = Field(0.1, ge=0, le=1, description="Probability of grid distortion.")
    optical: float = Field(0.1, ge=0, le=1, description="Probability of lens distortion.")
    invert: float = Field(0.2, ge=0, le=1, description="Probability of swapped dark and bright.")
    gamma: float = Field(0.5, ge=0, le=1, description="Probability of a gamma from 0.5 to 2.")
    contrast: float = Field(0.5, ge=0, le=1, description="Probability of contrast by 0.6 to 1.3.")
    brightness: float = Field(0.5, ge=0, le=1, description="Probability of a shift up to 0.15.")
    vignetting: float = Field(0.3, ge=0, le=1, description="Probability of uneven light.")
    blur: float = Field(0.25, ge=0, le=1, description="Probability of blur, σ 0.4 to 2 px.")
    noise: float = Field(0.4, ge=0, le=1, description="Probability of noise, σ 0.01 to 0.08.")
    out_of_focus: float = Field(
        0.15, ge=0, le=1, description="Probability of neighbours out of focus, not in the mask."
    )

    @model_validator(mode="after")
    def _from_small_to_large(self) -> Self:
        if not 0 < self.diameter[0] <= self.diameter[1]:
            raise ValueError("diameter is a smaller and a larger number above 0")
        return self


class Loss(Settings):
    """What is minimised."""

    name: Literal["dice_bce", "bce", "dice", "focal", "dice_focal", "tversky"] = "dice_bce"
    dice_weight: float = Field(1.0, ge=0, description="In dice_bce and dice_focal.")
    other_weight: float = Field(1.0, ge=0, description="Of BCE or focal beside Dice.")
    gamma: float = Field(2.0, ge=0, description="Of focal.")
    alpha: float = Field(0.3, ge=0, le=1, description="Tversky's weight of false positives.")
    beta: float = Field(0.7, ge=0, le=1, description="Tversky's weight of false negatives.")
    distance_weight: float = Field(
        1.0, ge=0, description="Of the distance output, where the network has one."
    )
    supervision_weight: float = Field(
        0.5, ge=0, description="Of coarser outputs, where deep supervision is on."
    )


class EarlyStopping(Settings):
    """When to stop before the last epoch."""

    monitor: Literal["dice", "loss"] = "dice"
    patience: int = Field(20, ge=1, description="Epochs without improvement.")


class Machine(Settings):
    """What it runs on; passed to Lightning's Trainer."""

    accelerator: str = "auto"
    devices: int | str = 1
    num_nodes: int = Field(1, ge=1)
    strategy: str = "auto"
    precision: str = Field(
        "32-true", description="'16-mixed' or 'bf16-mixed' on GPUs and processors that have it."
    )
    channels_last: bool = Field(
        False, description="Weights lie channels last in memory; faster for some networks."
    )
    workers: int = Field(0, ge=0, description="Processes that prepare samples.")
    compile: bool = Field(False, description="Compile the network; pays off in long runs.")
    cache_gb: float = Field(2.0, ge=0, description="Images kept in memory (GB).")


CPU = Machine(accelerator="cpu")


class Learning(Settings):
    """How any network learns."""

    epochs: int = Field(20, ge=1, description="Each ends with a look at the validation images.")
    steps_per_epoch: int = Field(50, ge=1, description="Batches that are learnt from.")
    batch_size: int = Field(4, ge=1, description="Samples in a batch; more need more memory.")
    learning_rate: float = Field(1e-3, gt=0, description="How far a step moves the weights.")
    weight_decay: float = Field(1e-2, ge=0)
    schedule: Literal["cosine", "plateau", "constant"] = "cosine"
    warm_up: int = Field(50, ge=0, description="Steps until the learning rate is reached.")
    average: float = Field(
        0.98, ge=0, lt=1, description="Weights are averaged over steps with this decay; 0: not."
    )
    average_grows: bool = Field(
        False,
        description="While steps are few, average over these; and statistics of norms, too.",
    )
    clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    seed: int = Field(0, ge=0)

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return self.epochs * self.steps_per_epoch


class TrainingSettings(Learning):
    """A whole training run of a segmentation."""

    crop: int = Field(256, ge=64, multiple_of=32, description="Side of a sample (px).")
    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="Name that the model is installed by."
    )
    title: str = Field("", description="Name on screen; by default made from the name.")
    data: Data
    start: str | None = Field(None, description="Model to start from: a name or a path.")
    network: str | None = Field(None, description="Without a start: the network.")
    arguments: dict[str, Any] = Field({}, description="Without a start: its arguments.")
    preparation: dict[str, Any] = Field({}, description="Fields that differ from the start's.")
    post_processing: dict[str, Any] = Field({}, description="Fields that differ from the start's.")
    distance: bool = Field(
        True, description="A new network also learns the distance to the border, to split by."
    )
    freeze_encoder: bool = Field(False, description="Learn in the decoder only.")
    dropout: float | None = Field(None, ge=0, lt=1, description="None: as the network has it.")
    loss: Loss = Loss()
    augmentation: Augmentation = Augmentation()
    early_stopping: EarlyStopping | None = EarlyStopping()
    machine: Machine = Machine()

    @field_validator("post_processing")
    @classmethod
    def _is_post_processing(cls, value: dict[str, Any]) -> dict[str, Any]:
        PostProcessing(**value)  # or the model would be refused after it was trained
        return value

    @model_validator(mode="after")
    def _one_network(self) -> Self:
        if (self.start is None) == (self.network is None):
            raise ValueError("Give either a model to start from, or a network")
        return self

    @classmethod
    def read(cls, path: str | Path, manifest: str | Path | None = None) -> Self:
        """Settings of a YAML file; paths in it are relative to the file.

        Parameters
        ----------
        path : str or Path
        manifest : str or Path, optional
            Takes the place of the data that the file names.

        Raises
        ------
        UnreadableFile
            It is missing or no YAML.
        BadSetting
            It says something that is not known or out of bounds.
        """
        path = Path(path)
        content = read_yaml(path)
        data = content.get("data")
        if isinstance(data, dict):
            for key in {"manifest", "images", "masks"} & set(data):
                if data[key] is not None:
                    data[key] = path.parent / str(data[key])
        if manifest is not None:
            kept = {} if not isinstance(data, dict) else data
            kept = {k: v for k, v in kept.items() if k not in ("images", "masks")}
            content["data"] = {**kept, "manifest": Path(manifest)}
        return cls(**content)
