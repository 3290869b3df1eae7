"""What a batch writes, and how patient it is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from ..readwrite.images import LARGE
from ..settings import Settings
from ..tracking.settings import Tracking


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
    track: Literal["no", "overlap", "motion"] = Field(
        "no",
        description="Follow objects through time, in stacks with an axis T and in images whose "
        "names tell the time: by overlap, or by motion where they move by more than their size.",
    )
    track_distance: float = Field(
        50, gt=0, description="An object moves no farther than this from frame to frame (px)."
    )
    track_gap: int = Field(
        1, ge=0, le=100, description="An object may be missed in so many frames."
    )
    focus: bool = Field(
        False,
        title="Focus scores",
        description="Say how well objects and images are in focus, and warn of those that are not.",
    )
    classify: str | None = Field(
        None, description="Name of a classifier that tells the classes of the objects."
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

    def tracking(self) -> Tracking | None:
        """How objects are followed; None where they are not."""
        if self.track == "no":
            return None
        return Tracking(method=self.track, max_distance=self.track_distance, max_gap=self.track_gap)
