"""What can be set of a classification beside its model."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from ..models.metadata import Crop, ModelMetadata, Preparation
from ..segmentation.measure import pixel_pair
from ..settings import Settings


class ClassifySettings(Settings):
    """How objects are shown to a model; None is as the model recommends.

    Models that judge measurements, such as taught ones, take the pixel size alone.
    """

    intensity: Literal["percentile", "columns", "8-bit", "fixed"] | None = Field(
        None,
        description="Where 0 and 1 lie: at percentiles of the image or of those of its columns, at "
        "0 and 255, or at the grey values `low` and `high`.",
    )
    low: float | None = Field(None, description="Percentile, or grey value, that becomes 0.")
    high: float | None = Field(None, description="Percentile, or grey value, that becomes 1.")
    size: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Side of a crop (px); objects that are larger shrink to it.",
    )
    batch_size: int | None = Field(None, ge=1, description="Objects that are judged together.")
    pixel_size: tuple[float, float] | None = Field(
        None, description="µm, height and width; for models that were taught in µm."
    )

    @field_validator("pixel_size", mode="before")
    @classmethod
    def _pair(cls, value: Any) -> Any:
        return None if value is None else pixel_pair(value)

    def preparation(self, model: ModelMetadata) -> Preparation:
        """How the image is prepared; its size stays, for it is that of the labels."""
        own: dict[str, Any] = {"size": None, "long_side": None, "scale": 1.0, "diameter": None}
        given = self.model_dump(include={"intensity", "low", "high"}, exclude_none=True)
        if given.get("intensity") in ("percentile", "columns"):
            given = {"low": 1.0, "high": 99.8} | given
        return model.preparation.replace(**own, **given)

    def crop(self, model: ModelMetadata) -> Crop:
        """How objects are cut out."""
        own = {"size": self.size, "batch": self.batch_size}
        crop = model.crop or Crop()
        return crop.replace(**{name: value for name, value in own.items() if value is not None})


class ClassificationRecipe(ClassifySettings):
    """Everything that a classification depends on: with it, it can be made again."""

    model: str = Field(description="Name or path of the model.")
    axes: str | None = Field(None, description="Axes of the image; None while it is not known.")
    channel: int | None = Field(None, description="Channel that was looked at; None for all.")
    region: tuple[int, int, int, int] | None = Field(
        None,
        description="Part of the image: first row, row after the last, first column, column after "
        "the last; None for all.",
    )
    frames: tuple[tuple[int, ...], ...] | None = Field(
        None, description="Positions along the leading axes; None for all."
    )
    made_with: dict[str, Any] = Field({}, description="Versions, device, checksum of the model.")

    def settings(self) -> ClassifySettings:
        """How objects are shown to the model."""
        return ClassifySettings(**self.model_dump(include=set(ClassifySettings.model_fields)))
