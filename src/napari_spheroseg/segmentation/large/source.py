"""A plane that is read by window, and what a survey of all of it tells."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadImage, SpherosegError, UnreadableFile
from ...inference.frames import Frames, Index, as_grey
from ...inference.prepare import sample_step
from ..geometry import Box

_BLOCK = 1024  # least side of what is read at once
_KEPT = 256_000_000  # bytes of blocks that are kept


def boxes(shape: tuple[int, int], side: int) -> Iterator[Box]:
    """Squares that cover a plane, row by row; smaller at the right and bottom."""
    for y, x in product(range(0, shape[0], side), range(0, shape[1], side)):
        yield slice(y, min(y + side, shape[0])), slice(x, min(x + side, shape[1]))


def grown(box: Box, margin: int, shape: tuple[int, int]) -> Box:
    """A window with a margin all around, where the plane has one."""
    y, x = (
        slice(max(side.start - margin, 0), min(side.stop + margin, n))
        for side, n in zip(box, shape, strict=True)
    )
    return y, x


def within(box: Box, other: Box) -> Box:
    """A window's place in another that holds it."""
    y, x = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, other, strict=True))
    return y, x


@dataclass(frozen=True)
class Survey:
    """What all pixels of a plane tell together.

    Attributes
    ----------
    sample : ndarray
        Values on a regular grid: those that percentiles are taken of.
    lowest, highest : float or int
        Of the values that are numbers.
    has_number : bool
        Whether any value is.
    """

    sample: NDArray[Any]
    lowest: Any
    highest: Any
    has_number: bool

    @property
    def is_constant(self) -> bool:
        """Whether there is nothing to see."""
        return not self.has_number or bool(self.lowest == self.highest)


@dataclass(frozen=True, eq=False)
class Source:
    """A plane of an image, or a part of one, read by window.

    Attributes
    ----------
    frames : Frames
        The image; from `read_by_block`, where it is no array in memory.
    index : tuple of int
        The plane.
    box : (slice, slice)
        The part.
    seen : callable, optional
        Gives what a model sees of a window of the plane, where that is not the values as they are.
    """

    frames: Frames
    index: Index
    box: Box
    seen: Callable[[Box], NDArray[Any]] | None = None

    @classmethod
    def of(cls, frames: Frames, index: Index) -> Source:
        """A whole plane."""
        height, width = frames.plane_shape
        return cls(frames, index, (slice(0, height), slice(0, width)))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        y, x = self.box
        return y.stop - y.start, x.stop - x.start

    def raw(self, box: Box) -> NDArray[Any]:
        """Values as they are, (y, x) or (y, x, 3)."""
        return self.frames.window(self.index, self._placed(box))

    def values(self, box: Box) -> NDArray[Any]:
        """Values as a model sees them, (y, x) or (y, x, 3)."""
        return self.raw(box) if self.seen is None else self.seen(self._placed(box))

    def _placed(self, box: Box) -> Box:
        """Where a window lies in the plane."""
        y, x = (
            slice(whole.start + part.start, whole.start + part.stop)
            for whole, part in zip(self.box, box, strict=True)
        )
        return y, x

    def grey(self, box: Box) -> NDArray[Any]:
        """What intensities are measured on."""
        return as_grey(self.raw(box))

    def window(self, box: Box) -> NDArray[Any]:
        """Values as a model sees them, all numbers: others count as the plane's lowest."""
        plane = _as_grey_values(self.values(box))
        if plane.dtype.kind != "f":
            return plane
        good = np.isfinite(plane)
        return plane if good.all() else np.where(good, plane, self.survey.lowest)

    @cached_property
    def survey(self) -> Survey:
        """Looks at every pixel, block by block.

        Raises
        ------
        BadImage
            No value is a number, and the plane is the only one.
        """
        size = int(np.prod(self.shape)) * self.samples
        step, samples = sample_step(size), []
        lows, highs = [], []
        for box in boxes(self.shape, 2 * _BLOCK):
            plane = _as_grey_values(self.values(box))
            first = [-side.start % step for side in box]
            samples.append(plane[first[0] :: step, first[1] :: step].ravel())
            numbers = plane[np.isfinite(plane)] if plane.dtype.kind == "f" else plane
            if numbers.size:
                lows.append(numbers.min())
                highs.append(numbers.max())
        sample = np.concatenate(samples)
        if not lows:
            return Survey(sample, 0, 0, has_number=False)
        if sample.dtype.kind == "f":
            sample[~np.isfinite(sample)] = min(lows)
        return Survey(sample, min(lows), max(highs), has_number=True)

    @cached_property
    def samples(self) -> int:
        """Values a pixel that a model sees: 3 of RGB, else 1."""
        first = self.values((slice(0, 1), slice(0, 1)))
        return first.shape[2] if first.ndim == 3 else 1

    def check(self) -> None:
        """See that there is a number in the plane.

        Raises
        ------
        BadImage
            There is none.
        """
        if not self.survey.has_number:
            raise BadImage(
                "No value of the image is a number", hint="Every pixel is NaN or infinite."
            )

    def part(self, box: Box) -> Source:
        """A window as a plane of its own, with the grey values of the whole."""
        part = replace(self, box=self._placed(box))
        part.__dict__["survey"] = self.survey
        return part


def _as_grey_values(plane: NDArray[Any]) -> NDArray[Any]:
    return plane.astype(np.uint8) * 255 if plane.dtype.kind == "b" else plane


def read_by_block(frames: Frames) -> Frames:
    """The same frames, read in blocks that fit how the image is stored, the last ones kept."""
    if isinstance(frames.data, np.ndarray | Blocks):
        return frames
    return replace(frames, data=Blocks(frames.data, frames.axes.index("Y")))


class Blocks:
    """An array that is read in whole blocks along Y and X; the last ones are kept.

    What is stored in strips, or computed by dask, is then not read anew for every window.

    Parameters
    ----------
    data : array
        With ``shape``, ``dtype`` and slicing; its ``chunks`` are respected.
    y_axis : int
        Axis of rows; the next is that of columns.
    """

    def __init__(self, data: Any, y_axis: int) -> None:
        self._data, self._y = data, y_axis
        self.shape: tuple[int, ...] = tuple(data.shape)
        self.dtype = np.dtype(data.dtype)
        self._sides = [_side(data, axis) for axis in (y_axis, y_axis + 1)]
        self._kept: OrderedDict[Any, NDArray[Any]] = OrderedDict()

    def __getitem__(self, key: tuple[Any, ...]) -> NDArray[Any]:
        """Part of the array; `key` has one slice or number an axis, and slices of Y and X."""
        lengths = self.shape[self._y : self._y + 2]
        asked = key[self._y : self._y + 2]
        window = [slice(*side.indices(n)[:2]) for side, n in zip(asked, lengths, strict=True)]
        spans = [
            range(side.start // step * step, side.stop, step)
            for side, step in zip(window, self._sides, strict=True)
        ]
        rows = []
        for y in spans[0]:
            parts = []
            for x in spans[1]:
                block = self._block(key, (y, x))
                cut = tuple(
                    slice(max(side.start - at, 0), side.stop - at)
                    for side, at in zip(window, (y, x), strict=True)
                )
                parts.append(block[cut])
            rows.append(np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0])
        return np.concatenate(rows, axis=0) if len(rows) > 1 else rows[0]

    def _block(self, key: tuple[Any, ...], corner: tuple[int, int]) -> NDArray[Any]:
        sides = tuple(slice(a, a + step) for a, step in zip(corner, self._sides, strict=True))
        whole = (*key[: self._y], *sides, *key[self._y + 2 :])
        name = str(whole)
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        try:
            block = np.asarray(self._data[whole])
        except (SpherosegError, MemoryError):
            raise
        except Exception as error:  # a damaged chunk makes a codec raise whatever it likes
            raise UnreadableFile(
                f"Rows from {corner[0]} and columns from {corner[1]} cannot be read: {error}",
                hint="The image is damaged, or its disk is gone.",
            ) from error
        self._kept[name] = block
        while sum(each.nbytes for each in self._kept.values()) > _KEPT and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return block


def _side(data: Any, axis: int) -> int:
    """Length of a block along an axis: the least multiple of a chunk's that is large enough."""
    chunks: Any = getattr(data, "chunks", None)
    chunk: Any = chunks[axis] if chunks is not None else _BLOCK
    length = max(chunk) if isinstance(chunk, tuple) else int(chunk)  # dask has a tuple an axis
    return max(length, _BLOCK // length * length, 1)
