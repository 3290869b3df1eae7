"""One press of Run, as a generator for the worker's thread."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...batch.items import File, Frame, Item, Source
from ...errors import SpherosegError
from ...polygon import Polygon
from ..where import Where
from .stored import read_stored

if TYPE_CHECKING:
    from ...batch.pipeline import Event

THUMBNAIL = 40  # px
_LOOKED_AT = 4096  # px: larger images are read by strip
_DRAWN_AGAIN = 500  # images of an earlier run: each is read once more


@dataclass(frozen=True, eq=False)
class Told:
    """News of an image, ready to be shown.

    Attributes
    ----------
    item : Item
    tiles, of_tiles : int
        How far it is, while it runs.
    thumbnail : ndarray of uint8, (h, w, 3), or None
        Its outlines.
    frame : Frame or None
        Of which stack it is.
    labels : ndarray of int32, (Y, X), or None
        Of a frame.
    polygons : list of Polygon
        Of a frame.
    recipe : dict or None
        How the frame's result was made.
    """

    item: Item
    tiles: int = 0
    of_tiles: int = 0
    thumbnail: NDArray[np.uint8] | None = None
    frame: Frame | None = None
    labels: NDArray[np.int32] | None = None
    polygons: list[Polygon] = field(default_factory=list)
    recipe: dict[str, Any] | None = None


@dataclass(frozen=True)
class Listed:
    """The images that there are."""

    items: list[Item]


@dataclass(frozen=True)
class Changed:
    """The folder's results were made in another way."""

    message: str


@dataclass(frozen=True, eq=False)
class BatchJob:
    """Everything that a batch needs, so that nothing on screen is read in the thread.

    Attributes
    ----------
    inputs : tuple of str
        Files, folders and patterns.
    frames : tuple of Frame
        Of opened stacks; these, where there are any.
    out : Path
    model : str
    where : (str, str, str)
        Device, backend and precision.
    threads : int
    threshold : float
    settings : dict
        As in `run_batch`, with ``pixel_size``.
    existing : {"continue", "resume", "overwrite"}
    only : frozenset of str or None
        Keys of the images to do; None for all.
    lazy : bool
        Labels of frames stay in their files.
    """

    inputs: tuple[str, ...]
    frames: tuple[Frame, ...]
    out: Path
    model: str
    where: Where
    threads: int
    threshold: float
    settings: dict[str, Any]
    existing: Any = "continue"
    only: frozenset[str] | None = None
    lazy: bool = False

    def again(self, keys: Iterable[str]) -> BatchJob:
        """The same for some of its images; what is done stays."""
        existing = "continue" if self.existing == "overwrite" else self.existing
        return replace(self, only=frozenset(keys), existing=existing)

    def steps(self) -> Generator[Listed | Told, None, Changed | str]:
        """Find, segment and write; gives what went wrong at the end, or nothing."""
        sources = self._sources()
        yield Listed([Item(each.key, each.name, each.stem, each.columns) for each in sources])
        from ...batch.run import ChangedRecipe, run_batch
        from ...inference.devices import use_threads

        use_threads(self.threads)
        own = {each.key: each for each in self.frames}
        device, backend, precision = self.where
        events = run_batch(
            sources,
            self.out,
            self.model,
            self.threshold,
            device=device,
            backend=backend,
            precision=precision,
            existing=self.existing,
            **self.settings,
        )
        skipped: list[Item] = []
        with closing(events):  # cancelled: its tables are written here, not in the GUI thread
            try:
                for event in events:
                    yield self._told(event, own.get(event.item.key))
                    if event.item.state == "skipped" and event.item.key not in own:
                        skipped.append(event.item)
            except ChangedRecipe as error:
                return Changed(error.message)
        for item in skipped[:_DRAWN_AGAIN]:  # the work goes first
            yield self._stored(item)
        return ""

    def _stored(self, item: Item) -> Told:
        """An image of an earlier run with its outlines, as far as both are still there."""
        from ...inference.frames import Frames
        from ...readwrite.images import open_image

        try:
            image = open_image(item.path)
            how = (self.settings.get(name) for name in ("axes", "channel", "region"))
            axes, channel, region = how
            frames = Frames.of(image.data, axes or image.axes, channel, region)
            polygons = read_stored(self.out, item.stem).polygons
            return Told(item, thumbnail=_first_frame(frames, polygons))
        except (SpherosegError, OSError):
            return Told(item)

    def _sources(self) -> list[Source]:
        from ...batch.find import find_images

        found: list[Source] = list(self.frames)
        found = found or [File(path) for path in find_images(self.inputs)]
        return [each for each in found if self.only is None or each.key in self.only]

    def _told(self, event: Event, frame: Frame | None) -> Told:
        item = event.item
        told = Told(item, event.tiles, event.of_tiles, frame=frame)
        if item.state == "done" and event.result is not None:
            return self._with_result(told, event.result)
        if item.state == "skipped" and frame is not None:
            stored = read_stored(self.out, item.stem, frame.frames.plane_shape)
            labels = None if self.lazy else stored.labels
            small = _thumbnail(frame.frames[frame.index], stored.polygons)
            return replace(
                told,
                thumbnail=small,
                labels=labels,
                polygons=stored.polygons,
                recipe=stored.recipe,
            )
        return told

    def _with_result(self, told: Told, result: Any) -> Told:
        from ...segmentation.result import Segmentation

        told = replace(told, thumbnail=_first_frame(result.frames, result.polygons))
        if told.frame is None or not isinstance(result, Segmentation):
            return told  # large: it is on disk, and so is its image
        labels = None if self.lazy else result.labels
        return replace(told, labels=labels, polygons=result.polygons, recipe=result.recipe)


def _first_frame(frames: Any, polygons: list[Polygon]) -> NDArray[np.uint8]:
    """Of the first frame with an object."""
    from ...batch.drawings import overview
    from ...readwrite.drawn import thumbnail
    from ...segmentation.polygons import moved

    first = min((each.frame for each in polygons), default=(0,) * len(frames.leading_shape))
    own = [moved(each, np.negative(frames.corner)) for each in polygons if each.frame == first]
    plane = overview(frames, first, _LOOKED_AT)
    return thumbnail(plane, own, THUMBNAIL, frames.plane_shape)


def _thumbnail(plane: NDArray[Any], polygons: list[Polygon]) -> NDArray[np.uint8]:
    from ...readwrite.drawn import thumbnail

    return thumbnail(plane, polygons, THUMBNAIL)
