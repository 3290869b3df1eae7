"""What stands in the collection.json of our own collections."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ...settings import Settings
from ..metadata import Name

MANIFEST = "collection.json"
SAMPLE = "sample_image.npy"
SAMPLE_LABELS = "sample_labels.npy"


class Packed(Settings):
    """One model of a collection, in the folder of its name."""

    files: dict[Name, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(
        description="Name of each file in the folder, and its SHA-256."
    )
    licence: str = ""
    card: str | None = Field(None, description="Its model card, one of the files.")
    sample: str | None = Field(None, description="An image, one of the files.")
    sample_labels: str | None = Field(None, description="What it found there, one of the files.")


class Manifest(Settings):
    """A collection of ours."""

    format_version: Literal[1] = 1
    name: Name
    description: str = ""
    licence: str = Field("", description="Of the collection; each model has its own.")
    models: dict[Name, Packed]
