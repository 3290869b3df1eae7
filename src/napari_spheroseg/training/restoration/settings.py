"""What a training run of a restoration is made from: the contents of its YAML file."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ...models.metadata import Preparation
from ...settings import Settings
from ..settings import Learning


class Degradation(Settings):
    """How sharp images are made unsharp; lengths in pixels of the sample."""

    scale: tuple[float, float] = Field(
        (0.5, 1.0), description="Images are shrunk by a factor between these first."
    )
    radius: tuple[float, float] = Field(
        (0.4, 8.0),
        description="Radius of the disc of geometrical optics; smaller ones are likelier.",
    )
    sharp: float = Field(0.15, ge=0, le=1, description="Part of the samples that stay in focus.")
    depth: float = Field(0.35, ge=0, le=1, description="Probability of a depth that varies.")
    spherical: float = Field(0.3, ge=0, description="Largest spherical aberration (waves).")
    phase: float = Field(0.5, ge=0, description="Largest part of the phase, in brightfield.")
    photons: tuple[float, float] = Field(
        (300, 30000), description="Electrons of the brightest pixels; all magnitudes as likely."
    )
    read_noise: float = Field(8.0, ge=0, description="Largest read noise (electrons).")
    floor: float = Field(0.7, ge=0, lt=1, description="Largest part of the light without contrast.")
    invert: float = Field(0.3, ge=0, le=1, description="Probability of swapped dark and bright.")
    gamma: float = Field(0.5, ge=0, le=1, description="Probability of a gamma from 0.6 to 1.6.")


class RestorationTraining(Learning):
    """A whole training run of a restoration."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str
    crop: int = Field(256, ge=64, multiple_of=32, description="Side of a sample (px).")
    network: str = "nafnet"
    arguments: dict[str, Any] = Field({})
    preparation: Preparation
    sources: dict[str, Annotated[float, Field(gt=0)]] = Field(
        description="Sources of the manifests to learn from, and how often."
    )
    synthetic_share: float = Field(0.15, ge=0, le=1, description="Part of the samples to draw.")
    degradation: Degradation = Degradation()
    structure_weight: float = Field(
        0.2, ge=0, description="Of 1 - SSIM, beside the mean absolute error."
    )
    squared_weight: float = Field(
        0.0, ge=0, description="Of the mean squared error, beside the mean absolute error."
    )
    relative_weight: float = Field(
        0.0,
        ge=0,
        description="Of the mean squared error of each sample (dB), so that what is nearly sharp "
        "counts like what is far from it.",
    )
