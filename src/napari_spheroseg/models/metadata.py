"""What is known of a model: the contents of its model.json."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from ..settings import Settings
from .formats.archive import RESERVED

_LONGEST = 100  # characters of a name: the trash and collections add to it


def _usable(name: str) -> str:
    fits = re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9_-])?", name)
    if fits is None or len(name) > _LONGEST or RESERVED.match(name):
        raise ValueError(
            f"a name has up to {_LONGEST} letters, digits, '_', '-' and '.', begins with a letter "
            "or digit, ends without a dot, and is none that Windows keeps for itself, as 'con'"
        )
    return name


Name = Annotated[str, AfterValidator(_usable)]
"""Of a model: the name of a folder on every system."""


def as_name(text: str, otherwise: str) -> str:
    """What a model may be called that is nearest to a text."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", text)[:_LONGEST].lstrip("_-") or otherwise
    return f"{name}_" if RESERVED.match(name) else name


class Preparation(Settings):
    """How an image becomes what the network expects."""

    recommended_by_model: ClassVar[bool] = True

    channels: Literal[1, 3] = Field(1, description="Channels that the network takes.")
    intensity: Literal["percentile", "columns", "8-bit", "fixed"] = Field(
        "percentile",
        description=(
            "Where 0 and 1 lie: at the percentiles `low` and `high` of the image, or of those of "
            "its columns; at 0 and 255 (images that are not 8 bit are stretched between the "
            "percentiles first); or at the grey values `low` and `high`."
        ),
    )
    low: float = Field(0.5, description="Percentile, or grey value, that becomes 0.")
    high: float = Field(99.5, description="Percentile, or grey value, that becomes 1.")
    clip: bool = Field(True, description="Keep within 0 and 1 what lies beyond `low` and `high`.")
    normalise: Literal["unit", "imagenet", "standard"] = Field(
        "unit",
        description="Then keep it so, or subtract a mean and divide by a deviation: ImageNet's, or "
        "those of the image itself.",
    )
    size: tuple[int, int] | None = Field(
        None, description="Resize to this height and width (pixels); the aspect is not kept."
    )
    long_side: int | None = Field(
        None, ge=32, description="Resize so that the longer side has this many pixels."
    )
    diameter: float | None = Field(
        None,
        gt=0,
        title="Object diameter (px)",
        description="Usual diameter of the objects in the image (px); estimated if not given.",
    )
    best_diameter: tuple[float, float] | None = Field(
        None,
        description=(
            "Smallest and largest diameter (px) that the network sees well: an image whose "
            "objects are of another size is resized until they are. None: never."
        ),
    )
    scale: float = Field(
        1.0, gt=0, le=16, description="Without a size: resize by this factor; 1 is native."
    )
    interpolation: Literal["bilinear", "lanczos"] = Field(
        "bilinear", description="How to resize; both are antialiased when shrinking."
    )
    tile: int | None = Field(
        1024, ge=64, description="Larger images are predicted in tiles of this side (pixels)."
    )
    overlap: float = Field(
        0.25, ge=0, lt=1, description="Part of a tile that it shares with its neighbour."
    )
    test_time_augmentation: bool = Field(
        False,
        title="Test-time augmentation",
        description="Mean over eight mirrored and turned copies: better, and eight times slower.",
    )
    multiple: int = Field(
        16, ge=1, description="Sides are padded, by mirroring, to a multiple of this."
    )

    @model_validator(mode="after")
    def _one_size(self) -> Preparation:
        if self.size is not None and self.long_side is not None:
            raise ValueError("size and long_side exclude each other")
        if self.high <= self.low:
            raise ValueError("high must be above low")
        if self.intensity != "fixed" and not 0 <= self.low < self.high <= 100:
            raise ValueError("percentiles lie between 0 and 100")
        if self.best_diameter is not None and not 0 < self.best_diameter[0] < self.best_diameter[1]:
            raise ValueError("best_diameter is a smaller and a larger number above 0")
        return self


PUBLISHED_PREPARATION = Preparation(
    channels=3, intensity="8-bit", normalise="imagenet", size=(1024, 1024), tile=None, multiple=1
)
"""What the published spheroid service feeds its networks: 1024 x 1024, ImageNet normalised."""


class Crop(Settings):
    """How an object is cut out of its image for a classifier.

    The defaults are what HiTMicTools does, but for `size`, which its collections state.
    """

    size: int | None = Field(
        64,
        ge=1,
        description="Side of a crop (px): objects that are larger shrink to it, others get zeros "
        "around them. None: all objects have the same box.",
    )
    mask_outside: bool = Field(True, description="Pixels that are not the object's are 0.")
    margin: int = Field(
        0, ge=0, description="Pixels around the bounding box that are seen as well."
    )
    mask_channel: bool = Field(
        False,
        description="The network sees what surrounds the object, too, and as its last channel "
        "where the object is. `mask_outside` then says nothing.",
    )
    normalise: Literal["image", "object"] = Field(
        "image",
        description="Where 0 and 1 lie is looked for in the whole image, or in each crop anew.",
    )
    batch: int = Field(512, ge=1, description="Objects that are classified together.")


class TrainingData(Settings):
    """One source of images that a model learnt from."""

    name: str
    licence: str
    url: str = ""
    images: int | None = None
    note: str = ""


TAUGHT = ("forest", "logistic")
"""What stands for the network in classifiers that were taught by examples."""


GRAPH = "onnx"
"""What stands for the network where only its ONNX graph is known."""


class ModelMetadata(Settings):
    """The contents of model.json."""

    format_version: Literal[1] = 1
    name: Name
    title: str
    task: Literal["segmentation", "restoration", "classification", "detection", "focus"] = Field(
        "segmentation"
    )
    network: str
    arguments: dict[str, Any] = Field({})
    outputs: tuple[str, ...] = ("foreground",)
    preparation: Preparation = Preparation()
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="What to compute in on a GPU where nobody says; auto: the fastest."
    )
    crop: Crop | None = Field(None, description="Of a classifier: how objects are cut out.")
    threshold: float = Field(0.5, ge=0, le=1)
    post_processing: dict[str, Any] = Field({})
    pixel_size: float | None = Field(None, gt=0, description="µm per pixel of the training images.")
    training_data: tuple[TrainingData, ...] = ()
    metrics: dict[str, Any] = Field({})
    sha256: str | None = Field(None, description="Of the file of the weights; None without.")
    licence: str = ""
    description: str = ""
    source: str = Field("", description="File or address that the weights came from.")
    source_sha256: str | None = Field(None, description="Of that file, as it was installed.")

    @property
    def in_channels(self) -> int:
        """Channels that its network takes: those of the image, and of a crop its mask."""
        return self.preparation.channels + (self.crop is not None and self.crop.mask_channel)

    @property
    def is_taught(self) -> bool:
        """Whether it is a classifier that was taught by examples: no network, and no torch."""
        return self.network in TAUGHT

    @property
    def is_graph(self) -> bool:
        """Whether its network is an ONNX graph, which is run as it is."""
        return self.network == GRAPH

    @property
    def keeps_file(self) -> bool:
        """Whether its file is kept as it came, and is not the weights of a network of ours."""
        return self.is_taught or self.is_graph

    @property
    def weights_file(self) -> str:
        """Name of the file in its folder that `sha256` is of."""
        if self.is_graph:
            return "network.onnx"
        return "classifier.skops" if self.is_taught else "weights.safetensors"

    @property
    def has_weights(self) -> bool:
        """Whether the model can run, or only waits for a checkpoint to be installed."""
        return self.sha256 is not None
