"""What a batch works through, images of files and frames of stacks, and what becomes of them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from ..errors import UnreadableFile, reason
from ..inference.frames import Frames, Index
from ..readwrite.acquired import read_acquired
from ..readwrite.images import ImageFile, name_of, open_image, stem_of

State = Literal["waiting", "running", "done", "failed", "skipped"]


@dataclass(frozen=True)
class Item:
    """An image of a batch, and what became of it.

    Attributes
    ----------
    key : str
        Tells it from all others.
    name : str
        Of its file or layer.
    stem : str
        What the names of its results begin with.
    columns : mapping
        Its place in a stack, like ``{"t": 3}``.
    state : {"waiting", "running", "done", "failed", "skipped"}
        Skipped is what an earlier run has done.
    objects : int
        Spheroids found.
    seconds : float
        Spent on it.
    warnings : tuple of str
    error : str or None
        Why it failed.
    """

    key: str
    name: str
    stem: str
    columns: Mapping[str, int] = field(default_factory=dict)
    state: State = "waiting"
    objects: int = 0
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    error: str | None = None

    @property
    def path(self) -> Path:
        """Of the file."""
        return Path(self.key)

    @property
    def title(self) -> str:
        """Name and place."""
        place = ", ".join(f"{axis.upper()} {position}" for axis, position in self.columns.items())
        return f"{self.name} [{place}]" if place else self.name

    def running(self) -> Item:
        """It is being worked on."""
        return replace(self, state="running", error=None)

    def skipped(self) -> Item:
        """An earlier run has done it."""
        return replace(self, state="skipped")

    def failed(self, error: Exception) -> Item:
        """It could not be done."""
        return replace(self, state="failed", error=reason(error), objects=0, warnings=())

    def finished(self, done: Done) -> Item:
        """Its results are written."""
        return replace(
            self,
            state="done",
            objects=done.objects,
            seconds=done.seconds,
            warnings=done.warnings,
            error=None,
        )


@dataclass(frozen=True)
class Done:
    """What is left of an image when its results are written.

    Attributes
    ----------
    mark : str
        Of the image that was read.
    objects : int
    seconds : float
    warnings : tuple of str
    files : tuple of str
        Names of the results.
    header : tuple of str
        Columns of its rows.
    rows : str
        CSV without a header, one row an object.
    images : list of dict
        One row a frame, for the table of images.
    taken : mapping
        Where and when, as the file itself says: fields of `Acquired`.
    """

    mark: str = ""
    objects: int = 0
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: str = ""
    images: tuple[dict[str, Any], ...] = ()
    taken: Mapping[str, Any] = field(default_factory=dict)


class Source(Protocol):
    """An image that can be opened; two of the same key are the same."""

    @property
    def key(self) -> str:
        """Tells it from all others."""

    @property
    def name(self) -> str:
        """Of its file or layer."""

    @property
    def stem(self) -> str:
        """What its results would be called if nobody else had that name."""

    @property
    def columns(self) -> Mapping[str, int]:
        """Its place in a stack."""

    def mark(self) -> str:
        """Changes when the image does."""

    def open(self, large: float) -> ImageFile:
        """Read it; of planes above so many pixels, only what is sliced."""

    def taken(self) -> Mapping[str, Any]:
        """Where and when, as it says itself: fields of `Acquired`."""


@dataclass(frozen=True)
class File:
    """An image file, or a folder of zarr.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @property
    def key(self) -> str:
        """Its full path."""
        return os.path.abspath(self.path)  # noqa: PTH100 - resolve() asks a drive that may be slow

    @property
    def name(self) -> str:
        """Of the file; as `name_of` has it."""
        return name_of(self.path)

    @property
    def stem(self) -> str:
        """Name without its ending."""
        return stem_of(self.path)

    @property
    def columns(self) -> Mapping[str, int]:
        """None: its frames are in its own table."""
        return {}

    def mark(self) -> str:
        """Size and time of change; of a zarr, of any folder in it."""
        try:
            state = Path(self.key).stat()
            # chunks are replaced, not written into: that changes their folder
            within = (Path(folder).stat().st_mtime_ns for folder, _, _ in os.walk(self.key))
            changed = max(within, default=state.st_mtime_ns)
        except OSError as error:
            raise UnreadableFile(f"There is no file {self.path}", hint="Check the path.") from error
        return f"{state.st_size} {changed}"

    def open(self, large: float) -> ImageFile:
        """As `open_image` does."""
        return open_image(self.key, large)  # a worker may be in another folder

    def taken(self) -> Mapping[str, Any]:
        """As `read_acquired` finds it."""
        return asdict(read_acquired(Path(self.key)))


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of an opened stack.

    Attributes
    ----------
    layer : str
        Name of the stack.
    frames : Frames
        The stack.
    index : tuple of int
        Position along its leading axes.
    pixel_size : (float, float) or None
        µm, height and width.
    """

    layer: str
    frames: Frames
    index: Index
    pixel_size: tuple[float, float] | None = None

    @property
    def key(self) -> str:
        """Name of the stack, and the place in it."""
        channel = "" if self.frames.channel is None else f" channel {self.frames.channel}"
        return f"layer:{self.layer}{channel} {list(self.index)}"

    @property
    def name(self) -> str:
        """Of the layer."""
        return self.layer

    @property
    def stem(self) -> str:
        """Name of the layer and the place, of letters that every system takes."""
        place = "".join(f"_{axis}{position:03d}" for axis, position in self.columns.items())
        return re.sub(r'[<>:"/\\|?*\x00-\x1f]+', "_", self.layer).strip(". ") + place

    @property
    def columns(self) -> Mapping[str, int]:
        """Position along each leading axis."""
        return dict(zip(self.frames.leading_axes.lower(), self.index, strict=True))

    def mark(self) -> str:
        """Checksum of its values."""
        plane = np.ascontiguousarray(self.frames[self.index])
        return hashlib.blake2b(plane.tobytes(), digest_size=16).hexdigest()

    def open(self, large: float) -> ImageFile:
        """The frame as an image of its own."""
        plane = self.frames[self.index]
        return ImageFile(plane, "YX" if plane.ndim == 2 else "YXS", self.pixel_size)

    def taken(self) -> Mapping[str, Any]:
        """A layer does not say."""
        return {}
