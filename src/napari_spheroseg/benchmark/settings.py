"""What is benchmarked, and how often."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..settings import Settings

Side = Annotated[int, Field(ge=64, multiple_of=32)]
PLAIN = "plain"
"""The network in PyTorch and float32 without anything of ours: what all is compared with."""


class BenchmarkSettings(Settings):
    """What is benchmarked, and how often."""

    models: tuple[str, ...] = Field(
        (), description="Names or paths; none given: all that there are."
    )
    sizes: tuple[Side, ...] = Field(
        (512, 1024), min_length=1, description="Sides of the images (px), multiples of 32."
    )
    batches: tuple[Annotated[int, Field(ge=1)] | Literal["auto"], ...] = Field(
        (1,),
        min_length=1,
        description="Images that go through the network together; auto: as many as a run takes.",
    )
    backends: tuple[str, ...] = Field(
        ("auto",),
        min_length=1,
        description="Names; all; or auto: torch and the one that runs by default.",
    )
    precisions: tuple[str, ...] = Field(
        ("float32", "auto"),
        min_length=1,
        description="Names; all; or auto: what the backend runs in by default.",
    )
    device: str = Field("auto", description="auto, cuda, cuda:1, mps or cpu; gpu: Intel's.")
    repeats: int = Field(5, ge=1, description="Measurements of each, after a warm-up.")
    threads: int = Field(
        0, ge=0, description="Threads on the CPU for all alike; 0: one a core that may be used."
    )
    memory: bool = Field(
        True, description="Measure peak memory, in a process of its own for each case."
    )
    files: bool = Field(
        True, description="Measure also from file to files, and everything around the network."
    )
    around_size: Side = Field(
        1024, description="Side of the image (px) on which all around the network is measured."
    )
    published: bool = Field(
        False, description="Networks in their published size with random weights, not models."
    )
    grow_sizes: tuple[Side, ...] = Field(
        (), description="Sides of the images (px) on which growth is measured."
    )
    grow_frames: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="Numbers of frames of 512 x 512 px on which growth is measured."
    )

    @property
    def with_files(self) -> bool:
        """Whether files are measured: random weights find noise, not objects."""
        return self.files and not self.published


GROW_SIZES = (512, 1024, 2048, 4096, 8192, 16384)
GROW_FRAMES = (1, 10, 100, 1000)
