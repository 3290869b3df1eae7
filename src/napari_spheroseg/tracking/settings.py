"""How objects are followed through time."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..settings import Settings


class Tracking(Settings):
    """How objects are followed through time; lengths are in pixels of the image."""

    method: Literal["overlap", "motion"] = Field(
        "overlap",
        title="Follow by",
        description="overlap: objects that lie on each other in successive frames; "
        "motion: objects whose centroids are near, for those that move by more than their size.",
    )
    min_overlap: float = Field(
        0.1,
        gt=0,
        le=1,
        title="Least overlap",
        description="Shared part (intersection over union) of an object and its successor; "
        "one that grows to k times its area around itself shares 1/k. For overlap.",
    )
    max_distance: float = Field(
        50,
        gt=0,
        title="Largest distance (px)",
        description="An object's centroid moves no farther than this (px). For motion.",
    )
    max_gap: int = Field(
        1,
        ge=0,
        le=100,
        title="Largest gap (frames)",
        description="An object may be missed in so many frames and keep its number.",
    )
