"""How a probability map becomes objects."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from ..settings import Settings


class PostProcessing(Settings):
    """How a probability map becomes objects; lengths and areas are in pixels of the image."""

    recommended_by_model: ClassVar[bool] = True

    threshold: float = Field(
        0.5, ge=0, le=1, title="Threshold", description="Pixels above it belong to an object."
    )
    low_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        title="Grow down to",
        description="Objects grow to where the probability is above this (hysteresis).",
    )
    opening: int = Field(
        0,
        ge=0,
        le=100,
        title="Opening radius (px)",
        description="Cuts bridges and bumps thinner than this radius (px).",
    )
    closing: int = Field(
        0,
        ge=0,
        le=100,
        title="Closing radius (px)",
        description="Closes gaps and dents narrower than this radius (px).",
    )
    fill_holes: bool = Field(False, title="Fill holes", description="Objects become solid.")
    split_touching: bool = Field(
        False,
        title="Split touching",
        description="Separates objects that touch, by watershed of the distance to their border.",
    )
    split_depth: float = Field(
        0.2,
        gt=0,
        lt=1,
        title="Split depth",
        description=(
            "A neck is cut where it is narrower than its neighbours by at least this part; "
            "models that see the distance to the border: where that falls by this much."
        ),
    )
    min_area: float = Field(
        50, ge=0, title="Smallest area (px²)", description="Smaller objects are dropped (px²)."
    )
    max_area: float | None = Field(
        None, gt=0, title="Largest area (px²)", description="Larger objects are dropped (px²)."
    )
    min_probability: float = Field(
        0,
        ge=0,
        le=1,
        title="Least mean probability",
        description="Objects that the model is less sure of are dropped.",
    )
    min_circularity: float = Field(
        0, ge=0, le=1, title="Least circularity", description="Less round objects are dropped."
    )
    min_solidity: float = Field(
        0, ge=0, le=1, title="Least solidity", description="Objects with deeper dents are dropped."
    )
    exclude_edge: bool = Field(
        False,
        title="Exclude at edge",
        description="Objects that touch the edge of the image are dropped.",
    )
    tolerance: float = Field(
        0.5,
        ge=0,
        le=50,
        title="Outline tolerance (px)",
        description="Polygons may deviate from the outline by this much (px); 0 keeps all points.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> PostProcessing:
        if self.low_threshold is not None and self.low_threshold > self.threshold:
            raise ValueError("low_threshold must not be above threshold")
        if self.max_area is not None and self.max_area < self.min_area:
            raise ValueError("max_area must not be below min_area")
        return self


PUBLISHED = PostProcessing(threshold=0.5, min_area=50, tolerance=0)
"""What the published spheroid service does: no morphology, holes kept, all points kept."""
