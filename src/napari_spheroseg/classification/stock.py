"""Which objects labels hold, and what they look like; only what changed is looked at again."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage
from ..inference.frames import Frames, Index
from ..readwrite.images import LARGE
from ..segmentation.large.source import Source, read_by_block
from ..segmentation.measure import PixelSize, insert_place
from ..steps import Step, Steps
from .crops import objects_of
from .description import describe_steps, together
from .embedding import Embedding
from .examples import TeachSettings
from .features import check_labels
from .judge import Judged, too_large
from .large import find_objects, is_by_window
from .lesson import Place

if TYPE_CHECKING:
    import pandas as pd

Box = tuple[int, int, int, int]
SIDES = ("top", "bottom", "left", "right")
"""Columns of an object's box: first row, row after the last, and the columns likewise."""


@dataclass(frozen=True, eq=False)
class Subject:
    """Labels, and the image that they are of.

    Attributes
    ----------
    labels : array of integers
        Of the shape of `frames`.
    frames : Frames
        The image; where there is none, the labels themselves say what axes there are.
    has_image : bool
    pixel_size : float or (float, float), optional
        µm per pixel.
    """

    labels: Any
    frames: Frames
    has_image: bool = True
    pixel_size: PixelSize = None

    @classmethod
    def of(
        cls, labels: Any, frames: Frames | None, axes: str | None, pixel_size: PixelSize
    ) -> Self:
        """Check that labels are of an image, or can be described without one.

        Raises
        ------
        BadImage
            They are no whole numbers, or of another shape.
        """
        seen = Frames.of(labels, axes) if frames is None else frames
        shape, wanted = ([n for n in each if n > 1] for each in (labels.shape, seen.shape))
        if shape == wanted and labels.shape != seen.shape:  # axes of length 1 do not count
            if not hasattr(labels, "reshape"):  # zarr
                import dask.array

                labels = dask.array.from_array(labels)
            labels = labels.reshape(seen.shape)
        return cls(check_labels(seen, labels), seen, frames is not None, pixel_size)


@dataclass(frozen=True, eq=False)
class Plane:
    """One frame as it was looked at.

    Attributes
    ----------
    checksum : int
        Of its labels.
    objects : DataFrame
        ``label``, place, and box.
    features : DataFrame or None
        As `describe` has them; None where nobody asked.
    """

    checksum: int
    objects: pd.DataFrame
    features: pd.DataFrame | None = None

    @cached_property
    def boxes(self) -> dict[int, Box]:
        """By label."""
        table = self.objects
        sides = zip(*(table[side].tolist() for side in SIDES), strict=True)
        return dict(zip(table["label"].tolist(), sides, strict=True))


@dataclass(frozen=True, eq=False)
class Stock:
    """All objects of a subject.

    Attributes
    ----------
    planes : mapping of tuple to Plane
    made : tuple
        What features depend on beside the labels.
    image : array or None
        That they are of; held, so that no other array gets its id while that is compared.
    """

    planes: Mapping[Index, Plane] = field(default_factory=dict)
    made: tuple[Any, ...] = ()
    image: Any = field(default=None, repr=False)

    @property
    def objects(self) -> pd.DataFrame:
        """Of all frames: ``label``, place, and box."""
        return _together([each.objects for each in self.planes.values()])

    @property
    def features(self) -> pd.DataFrame:
        """Of all frames, to teach with."""
        return _together([each.features for each in self.planes.values()])

    def box(self, place: Place) -> Box | None:
        """Of an object: first row, row after the last, and columns likewise; None without it."""
        plane = self.planes.get(place[0])
        return None if plane is None else plane.boxes.get(place[1])


def take_stock(
    subject: Subject,
    before: Stock | None = None,
    learn: TeachSettings | None = None,
    indices: Iterable[Index] | None = None,
) -> Generator[Step, None, Stock]:
    """Look at labels, but not again at frames whose labels are as before.

    Parameters
    ----------
    subject : Subject
    before : Stock, optional
    learn : TeachSettings, optional
        Describe objects, too.
    indices : iterable of tuple, optional
        Frames that may have changed; by default all. Others that were seen before stay.

    Yields
    ------
    Step
        After every frame; whoever stops iterating cancels.

    Returns
    -------
    Stock
        `before` itself where nothing changed.
    """
    every = list(subject.frames.indices())
    embedding = None if learn is None else _embedding(learn, subject)
    data = subject.frames.data if learn is not None and subject.has_image else None
    made: tuple[Any, ...] = ()
    if learn is not None:
        weights = None if embedding is None else embedding.sha256
        made = (learn.embedding, weights, id(data), subject.frames.channel, subject.pixel_size)
    known = dict(before.planes) if before is not None else {}
    stale = before is None or (learn is not None and before.made != made)
    wanted = set(every if indices is None or stale else indices)
    planes: dict[Index, Plane] = {}
    for number, index in enumerate(every):
        plane = known.get(index)
        if plane is None or index in wanted:
            old = None if stale else plane
            look = Steps(_look(subject, index, old, embedding, describe=learn is not None))
            yield from (Step(number, len(every), index) for _ in look)
            plane = look.result
            yield Step(number + 1, len(every), index)
        planes[index] = plane
    if before is not None and not stale and planes == known:
        return before
    return Stock(planes, made, data)


def _embedding(learn: TeachSettings, subject: Subject) -> Embedding | None:
    if learn.embedding is not None and not subject.has_image:
        raise BadImage(
            f"'{learn.embedding}' needs the image of the objects",
            hint="Choose the image, or learn from features alone.",
        )
    return Embedding.of(learn.embedding)


def _look(
    subject: Subject,
    index: Index,
    before: Plane | None,
    embedding: Embedding | None,
    *,
    describe: bool,
) -> Generator[Judged, None, Plane]:
    """A frame; `before` itself where its labels are the same."""
    if is_by_window(subject.frames, subject.labels, LARGE):
        return (yield from _look_by_window(subject, index, before, describe=describe))
    labels = np.ascontiguousarray(subject.labels[index])
    checksum = zlib.crc32(labels.data)
    if before is not None and before.checksum == checksum:
        return before
    objects = objects_of(labels)
    sides = [(y.start, x.start, y.stop, x.stop) for y, x in objects.boxes]
    found = None
    if describe:
        plane = subject.frames[index] if subject.has_image else None
        found = yield from describe_steps(objects, plane, subject.pixel_size, embedding)
        insert_place(found, subject.frames.leading_axes, index)
    return Plane(checksum, _table(subject, index, objects.names, np.array(sides, np.int64)), found)


def _look_by_window(
    subject: Subject, index: Index, before: Plane | None, *, describe: bool
) -> Generator[Judged, None, Plane]:
    """A frame that no memory holds: its objects, which cannot be described."""
    if describe:
        raise too_large("What is taught")
    labels = Frames(subject.labels, subject.frames.leading_axes + "YX")
    names, sides = yield from find_objects(Source.of(read_by_block(labels), index))
    checksum = zlib.crc32(sides.tobytes(), zlib.crc32(names.tobytes()))
    if before is not None and before.checksum == checksum:
        return before
    return Plane(checksum, _table(subject, index, names, sides))


def _table(
    subject: Subject, index: Index, names: NDArray[np.int64], sides: NDArray[np.int64]
) -> pd.DataFrame:
    """Objects of a frame, from first row and column of each, and row and column after the last."""
    import pandas as pd

    top, left, bottom, right = sides.reshape(-1, 4).T
    boxes = dict(zip(SIDES, (top, bottom, left, right), strict=True))
    table = pd.DataFrame({"label": names, **boxes})
    insert_place(table, subject.frames.leading_axes, index)
    return table


def _together(tables: list[Any]) -> pd.DataFrame:
    import pandas as pd

    given = [each for each in tables if each is not None]
    return together(given) if given else pd.DataFrame({"label": []})
