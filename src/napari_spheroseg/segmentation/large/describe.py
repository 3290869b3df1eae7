"""Labels, polygons and measurements of objects as they come, window by window."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...inference.frames import Frames, Index
from ...polygon import Polygon
from ..geometry import Box
from ..measure import column_names, insert_place, measure_plane
from ..polygons import moved, outline
from ..recipe import Recipe
from .objects import Objects
from .room import Scratch
from .source import Source


class Description:
    """All that was found so far.

    Parameters
    ----------
    frames : Frames
        The image.
    recipe : Recipe
    labels : Scratch of int32
        Objects are painted into it.

    Attributes
    ----------
    frames, recipe, labels
    polygons : list of Polygon
        Where they lie in the frames.
    constant : list of tuple
        Frames in which there is nothing to see.
    too_large : list of int
        Areas of objects that were left out.
    """

    def __init__(self, frames: Frames, recipe: Recipe, labels: Scratch) -> None:
        self.frames, self.recipe, self.labels = frames, recipe, labels
        self._tables: list[pd.DataFrame] = []
        self._places: list[NDArray[np.int64]] = [np.zeros((0, 3), np.int64)]
        self._count = 0
        self._first_of_frame: dict[Index, int] = {}
        self.polygons: list[Polygon] = []
        self.constant: list[Index] = []
        self.too_large: list[int] = []

    def add(self, index: Index, source: Source, objects: Objects) -> None:
        """Take in the objects of a window of a frame."""
        self._first_of_frame.setdefault(index, len(self.polygons))
        if not objects.boxes:
            return
        before, self._count = self._count, self._count + len(objects.boxes)
        corner = (objects.box[0].start, objects.box[1].start)
        frame = int(np.ravel_multi_index(index, self.frames.leading_shape)) if index else 0
        corners = [(frame, y.start + corner[0], x.start + corner[1]) for y, x in objects.boxes]
        self._places.append(np.array(corners, np.int64))
        part = _around(objects.boxes)
        placed = tuple(
            slice(side.start + at, side.stop + at) for side, at in zip(part, corner, strict=True)
        )
        painted, there = objects.labels[part], self.labels[(*index, *placed)]
        np.copyto(there, painted + before, where=painted > 0)
        self.labels[(*index, *placed)] = there
        table = self._measured(source, objects, corner)
        means = dict(zip(table["label"], table["mean_probability"], strict=True))
        self.polygons += [
            replace(
                moved(each, corner),
                id=each.id + before,
                parent=None if each.parent is None else each.parent + before,
                mean_probability=float(means[each.id]),
                frame=index,
            )
            for each in outline(objects.labels, self.recipe.tolerance, objects.boxes)
        ]
        self._tables.append(self._placed(table, index, before))

    def _measured(self, source: Source, objects: Objects, corner: tuple[int, int]) -> pd.DataFrame:
        """Measurements in the frame, not in the window."""
        size = self.recipe.pixel_size
        table = measure_plane(
            objects.labels, source.grey(objects.box), objects.probability, size, objects.boxes
        )
        unit = "px" if size is None else "um"
        place = np.add(corner, self.frames.corner)
        for axis, at, length in zip("yx", place, size or (1.0, 1.0), strict=True):
            table[f"centroid_{axis}_{unit}"] += at * length
        table["touches_edge"] = [_touches(box, corner, source.shape) for box in objects.boxes]
        return table

    def _placed(self, table: pd.DataFrame, index: Index, before: int) -> pd.DataFrame:
        table = table.assign(label=table["label"] + before)
        insert_place(table, self.frames.leading_axes, index)
        return table

    def nest(self, index: Index) -> None:
        """Tell the polygons of a frame in whose hole they lie; all of them must be there."""
        first = self._first_of_frame.get(index, len(self.polygons))
        places: dict[int, list[int]] = defaultdict(list)
        for number, polygon in enumerate(self.polygons[first:], start=first):
            places[polygon.id].append(number)
        for polygon in self.polygons[first:]:
            if not any(_has_room(hole) for hole in polygon.holes):
                continue
            labels = np.asarray(self.labels[(*index, *_box(polygon.outer))])
            if not ((labels != 0) & (labels != polygon.id)).any():
                continue
            for inner in outline(labels):
                if inner.parent == polygon.id:
                    for number in places[inner.id]:
                        self.polygons[number] = replace(self.polygons[number], parent=polygon.id)

    def close(self) -> Found:
        """Number the objects from top to bottom, whatever windows they were found in."""
        frame, y, x = np.concatenate(self._places).T
        order = np.lexsort((x, y, frame))
        numbers = np.zeros(len(order) + 1, np.int32)
        numbers[order + 1] = np.arange(1, len(order) + 1)
        named = [None, *numbers[1:].tolist()]
        polygons = [
            replace(moved(p, self.frames.corner), id=named[p.id], parent=named[p.parent or 0])
            for p in self.polygons
        ]
        table = self._table()
        table = table.assign(label=numbers[table["label"].to_numpy(int)]).sort_values("label")
        return Found(
            Renumbered(self.labels, numbers),
            sorted(polygons, key=lambda each: each.id),
            table.reset_index(drop=True),
        )

    def _table(self) -> pd.DataFrame:
        if self._tables:
            return pd.concat(self._tables, ignore_index=True)
        columns = column_names(self.recipe.pixel_size)
        leading = [axis.lower() for axis in self.frames.leading_axes]
        return pd.DataFrame(columns=[columns[0], *leading, *columns[1:]])

    def warnings(self, total: int) -> tuple[str, ...]:
        """What the user should know, of so many frames."""
        said = []
        if self.constant and total == 1:
            said.append("The image is constant: there is nothing to see in it")
        elif self.constant:
            said.append(
                f"{len(self.constant)} of {total} frames are constant: "
                "there is nothing to see in them"
            )
        if self.too_large:
            said.append(
                f"{len(self.too_large)} objects of up to {max(self.too_large)} px were left out: "
                "they are too large to be taken for one"
            )
        return tuple(said)


class Renumbered:
    """Labels with other numbers, read by window.

    Parameters
    ----------
    labels : Scratch of int32
    numbers : ndarray of int32
        New number of each; 0 stays 0.
    """

    def __init__(self, labels: Scratch, numbers: NDArray[np.int32]) -> None:
        self._labels, self._numbers = labels, numbers
        self.shape, self.dtype = labels.shape, labels.dtype

    def __getitem__(self, key: tuple[Any, ...]) -> NDArray[np.int32]:
        return np.asarray(np.take(self._numbers, self._labels[key]), np.int32)


@dataclass(frozen=True, eq=False)
class Found:
    """All objects; ids are equal in all three.

    Attributes
    ----------
    labels : Renumbered
        Of the frames.
    polygons : list of Polygon
        Where they lie in the image, of which frames may be a region.
    table : DataFrame
    """

    labels: Renumbered
    polygons: list[Polygon]
    table: pd.DataFrame


def _around(boxes: list[Box]) -> Box:
    """The box of several."""
    y, x = (
        slice(min(box[i].start for box in boxes), max(box[i].stop for box in boxes))
        for i in range(2)
    )
    return y, x


def _touches(box: Box, corner: tuple[int, int], shape: tuple[int, int]) -> bool:
    return any(
        side.start + at == 0 or side.stop + at == n
        for side, at, n in zip(box, corner, shape, strict=True)
    )


def _box(ring: NDArray[Any]) -> Box:
    """Pixels that a ring may surround."""
    low, high = np.ceil(ring.min(axis=0)).astype(int), np.floor(ring.max(axis=0)).astype(int) + 1
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _has_room(hole: NDArray[Any]) -> bool:
    """Whether an object fits in that does not touch the one around."""
    return bool(np.ptp(hole, axis=0).min() >= 3)
