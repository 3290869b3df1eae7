"""Which objects labels hold, and what they look like; only what changed is looked at again."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..errors import BadImage
from ..inference.frames import Frames, Index
from ..models import load
from ..segmentation.measure import PixelSize
from ..steps import Step, Steps
from .crops import objects_of
from .description import describe_steps, together
from .embedding import Embedding
from .examples import TeachSettings, place_columns
from .features import check_labels
from .lesson import Place
from .result import PROBABILITY

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
        if shape == wanted:  # axes of length 1 do not count
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
    made: tuple[Any, ...] = ()
    data = subject.frames.data if learn is not None and subject.has_image else None
    if learn is not None:
        frames = subject.frames
        image = (id(data), frames.channel) if subject.has_image else None
        by = learn.embedding if subject.has_image else None
        weights = None if by is None else load(by).metadata.sha256
        made = (learn.embedding, weights, image, subject.pixel_size)
    known = dict(before.planes) if before is not None else {}
    stale = before is None or (learn is not None and before.made != made)
    wanted = set(every if indices is None or stale else indices)
    embedding: Embedding | None = None
    planes: dict[Index, Plane] = {}
    for number, index in enumerate(every):
        plane = known.get(index)
        if plane is None or index in wanted:
            labels = np.ascontiguousarray(subject.labels[index])
            checksum = zlib.crc32(labels.data)
            if plane is None or stale or plane.checksum != checksum:
                if learn is not None and learn.embedding and embedding is None:
                    embedding = _embedding(learn, subject)
                look = Steps(_look(subject, index, labels, checksum, learn is not None, embedding))
                yield from (Step(number, len(every), index) for _ in look)
                plane = look.result
            yield Step(number + 1, len(every), index)
        planes[index] = plane
    if before is not None and not stale and planes == known:
        return before
    return Stock(planes, made, data)


def _embedding(learn: TeachSettings, subject: Subject) -> Embedding | None:
    if not subject.has_image:
        raise BadImage(
            f"'{learn.embedding}' needs the image of the objects",
            hint="Choose the image, or learn from features alone.",
        )
    return Embedding.of(learn.embedding)


def _look(
    subject: Subject,
    index: Index,
    labels: Any,
    checksum: int,
    describe: bool,
    embedding: Embedding | None,
) -> Generator[Any, None, Plane]:
    import pandas as pd

    objects = objects_of(labels)
    boxes = np.array(
        [(y.start, y.stop, x.start, x.stop) for y, x in objects.boxes], np.int64
    ).reshape(-1, 4)
    seen = pd.DataFrame({"label": objects.names, **dict(zip(SIDES, boxes.T, strict=True))})
    found = None
    if describe:
        plane = subject.frames[index] if subject.has_image else None
        found = yield from describe_steps(objects, plane, subject.pixel_size, embedding)
    axes = subject.frames.leading_axes.lower()
    for table in (seen, found):
        for axis, position in reversed(list(zip(axes, index, strict=True))):
            if table is not None:
                table.insert(1, axis, position)
    return Plane(checksum, seen, found)


def _together(tables: list[Any]) -> pd.DataFrame:
    import pandas as pd

    given = [each for each in tables if each is not None]
    return together(given) if given else pd.DataFrame({"label": []})


def kept(table: pd.DataFrame, was: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Classes of the objects that are there now.

    Parameters
    ----------
    table : DataFrame
        As `Classification.table` has it.
    was, now : DataFrame
        `Stock.objects` of when they were classified, and of now.

    Returns
    -------
    DataFrame
        Columns of `table`, one row an object of `now`. Objects that were not there have no class;
        neither has one that only took the number of another: their boxes do not meet.
    """
    on = ["label", *place_columns(now)]
    both = now.merge(was, on=on, how="left", suffixes=("", "_was"))
    meets = (
        (both["top"] < both["bottom_was"])
        & (both["top_was"] < both["bottom"])
        & (both["left"] < both["right_was"])
        & (both["left_was"] < both["right"])
    )
    found = now[on].merge(table, on=on, how="left")[list(table.columns)]
    told = [name for name in table.columns if name not in on]
    found[told] = found[told].where(meets)
    return found


def joined(features: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Features of a Labels layer with the classes of its objects.

    Parameters
    ----------
    features : DataFrame
        As the layer has them: ``index`` is the label, or else the row is.
    table : DataFrame
        From `kept`, or `Classification.table`.

    Returns
    -------
    DataFrame
        One row an object of `table`: ``index``, place, class, probabilities; then what there was.
    """
    before = without_classes(features)
    if "index" not in before:
        before = before.assign(index=before.get("label", before.index))
    found = table.rename(columns={"label": "index"})
    on = [name for name in ("index", *place_columns(table)) if name in before]
    return found.merge(before.drop_duplicates(on), on=on, how="left")


def without_classes(features: pd.DataFrame) -> pd.DataFrame:
    """Features without class and probabilities."""
    told = [name for name in features.columns if _is_told(str(name))]
    return features.drop(columns=told)


def has_classes(features: pd.DataFrame) -> bool:
    """Whether features hold classes."""
    return "class" in features.columns


def still_there(boxes: Mapping[Place, Box | None], stock: Stock) -> set[Place]:
    """Those of some objects that are in a stock, and not only their numbers.

    Parameters
    ----------
    boxes : mapping of (index, label) to (top, bottom, left, right)
        Where they were; None where nobody knows.
    stock : Stock

    Returns
    -------
    set of (index, label)
    """
    found = set()
    for place, was in boxes.items():
        now = stock.box(place)
        if now is None:
            continue
        if was is None or (
            now[0] < was[1] and was[0] < now[1] and now[2] < was[3] and was[2] < now[3]
        ):
            found.add(place)
    return found


def _is_told(name: str) -> bool:
    return name == "class" or name.startswith(PROBABILITY)
