"""A first look at files: how many there are, and what the first of them is like."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from ...errors import SpherosegError


@dataclass(frozen=True)
class Found:
    """What files, folders and patterns stand for.

    Attributes
    ----------
    paths : tuple of Path
    axes : str
        Of the first image; empty where it cannot be read.
    shape : tuple of int
    pixel_size : (float, float) or None
        µm.
    error : str
        Why there is none.
    """

    paths: tuple[Path, ...] = ()
    axes: str = ""
    shape: tuple[int, ...] = ()
    pixel_size: tuple[float, float] | None = None
    error: str = ""

    @property
    def summary(self) -> str:
        """In a line."""
        if self.error:
            return self.error
        count = "1 image" if len(self.paths) == 1 else f"{len(self.paths)} images"
        if not self.axes:
            return f"{count}; the first cannot be read"
        size = "pixel size unknown"
        if self.pixel_size is not None:
            size = f"{self.pixel_size[0]:.4g} µm per pixel"
        sides = " × ".join(map(str, self.shape))
        return f"{count}; the first is {self.axes} of {sides}, {size}"


def look_steps(inputs: tuple[str, ...]) -> Generator[None, None, Found]:
    """Find the files and open the first."""
    from ...batch.find import find_images
    from ...readwrite.images import open_image

    yield
    try:
        paths = tuple(find_images(inputs))
    except SpherosegError as error:
        return Found(error=str(error))
    missing = [path for path in paths if not path.exists()]
    if missing:
        return Found(error=f"There is no {missing[0]}")
    yield
    try:
        first = open_image(paths[0], above=0)
    except SpherosegError:
        return Found(paths)
    return Found(paths, first.axes, tuple(first.data.shape), first.pixel_size)
