"""What a batch writes, and how patient it is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from ..readwrite.images import LARGE
from ..settings import Settings


class BatchSettings(Settings):
    """Settings of a batch beside those of the segmentation."""

    outputs: tuple[str, ...] = Field(
        ("labels", "polygons"), description="What is written of every image, with commas."
    )
    table: Literal["csv", "parquet"] = Field("csv", description="Format of the tables.")
    pattern: str = Field(
        "auto",
        description="How file names tell well, position and time: auto, none, the name of a "
        "built-in pattern, or one like {well}_{position}_{time}.",
    )
    plots: bool = Field(True, description="Draw plots of the tables.")
    timeout: float = Field(
        300.0, gt=0, description="Seconds after which reading or writing an image has failed."
    )
    large_above: float = Field(
        LARGE / 1e6,
        ge=0,
        description="Planes of more megapixels are read and written by window.",
    )

    @field_validator("outputs", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            value = tuple(each.strip() for each in value.split(",") if each.strip())
        return value
