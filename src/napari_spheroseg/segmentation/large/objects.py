"""Outputs of a model to objects, window by window; equal to `labelling.label` of the whole."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry import Box
from ..labelling import finish, open_and_close
from ..settings import PostProcessing
from ..splitting import smoothing
from .components import SURE, Components, Mask, MaskOf, connect
from .maps import Map, Maps
from .room import Room
from .source import grown, within

_LARGEST = 16_000_000  # pixels in the box of an object: splitting it takes 130 bytes for each


@dataclass(frozen=True, eq=False)
class Objects:
    """Objects of a window, each whole.

    Attributes
    ----------
    box : (slice, slice)
        The window.
    labels : ndarray of int32, (y, x)
        1 to n; objects of other windows are background.
    boxes : list of (slice, slice)
        Of the objects, in the window.
    probability : ndarray of float32, (y, x)
    """

    box: Box
    labels: NDArray[np.int32]
    boxes: list[Box]
    probability: Map


def find_objects(
    maps: Maps, settings: PostProcessing, room: Room, too_large: list[int] | None = None
) -> Generator[Objects | None, None, None]:
    """Find the objects of a plane.

    Parameters
    ----------
    maps : Maps
    settings : PostProcessing
    room : Room
    too_large : list of int, optional
        Gets the areas of objects that are left out because no memory holds them.

    Yields
    ------
    Objects or None
        None after a part of the work; objects are a part themselves.
    """
    components = yield from _foreground(maps, settings, room)
    margin = 0
    middle = float(np.median(components.stats[:, 4])) if len(components.stats) else 0.0
    if settings.split_touching and len(maps) > 1:
        # OpenCV's blur of float32 sees four deviations; its maxima one pixel more
        margin = int(4 * smoothing(middle)) + 3
    groups = list(_groups(components, settings, room.block))
    room.expect(len(groups))
    numbers = np.zeros(len(components.stats) + 1, np.int32)
    for members in groups:
        stats = components.stats[members]
        if (stats[:, 2] * stats[:, 3]).max() > _LARGEST:
            if too_large is not None:
                too_large += stats[:, 4].tolist()
            yield None
            continue
        x, y = stats[:, 0], stats[:, 1]
        box = (
            slice(int(y.min()), int((y + stats[:, 3]).max())),
            slice(int(x.min()), int((x + stats[:, 2]).max())),
        )
        wide = grown(box, margin, maps.shape)
        numbers[members + 1] = np.arange(1, len(members) + 1)
        labels = np.take(numbers, components.window(wide))
        numbers[members + 1] = 0
        probability = maps.window(0, wide)
        distance = maps.window(1, wide) if len(maps) > 1 and settings.split_touching else None
        offset = (wide[1].start, wide[0].start, 0, 0, 0)
        labels, found = finish(
            labels,
            (stats - offset).astype(np.int32),
            probability,
            distance,
            settings,
            middle_area=middle,
            window=wide,
            shape=maps.shape,
        )
        yield Objects(wide, labels, found, probability)
    components.pieces.delete()


def _groups(
    components: Components, settings: PostProcessing, block: int
) -> Iterator[NDArray[np.int64]]:
    """Components that are seen together: those that begin in a block and are not longer."""
    x, y, width, height, area = components.stats.T
    kept = np.flatnonzero(area >= settings.min_area)  # whatever is cut from smaller is smaller
    small = (width <= block) & (height <= block)
    columns = -(-components.pieces.shape[1] // block)
    where = (y // block) * columns + x // block
    order = kept[np.argsort(where[kept], kind="stable")]
    starts = np.flatnonzero(np.diff(where[order], prepend=-1))
    for members in np.split(order, starts[1:]):
        if small[members].any():
            yield members[small[members]]
        for each in members[~small[members]]:
            yield np.array([each])


def _foreground(
    maps: Maps, settings: PostProcessing, room: Room
) -> Generator[None, None, Components]:
    """Components of what is above the threshold, after morphology."""
    mask: MaskOf = _above(maps, settings)
    used: list[Components] = []
    if settings.low_threshold is not None:
        grey = yield from connect(mask, maps.shape, room)
        mask = _those(grey, grey.sure)
        used.append(grey)
    mask = _smoothed(mask, maps.shape, settings)
    if settings.fill_holes:
        background = yield from connect(_not(mask), maps.shape, room, connectivity=4)
        mask = _not(_those(background, background.touch_edge()))
        used.append(background)
    components = yield from connect(mask, maps.shape, room)
    for each in used:
        each.pieces.delete()
    return components


def _above(maps: Maps, settings: PostProcessing) -> MaskOf:
    """What is above the lower threshold, and `SURE` where it is above the other."""
    low = settings.threshold if settings.low_threshold is None else settings.low_threshold

    def mask(box: Box) -> Mask:
        probability = maps.window(0, box)
        inside = (probability > low).astype(np.uint8)
        inside[probability > settings.threshold] = SURE
        return inside

    return mask


def _those(components: Components, mark: NDArray[np.bool_]) -> MaskOf:
    return lambda box: components.marked(mark, box)


def _not(mask: MaskOf) -> MaskOf:
    return lambda box: np.asarray(mask(box) == 0, np.uint8)


def _smoothed(mask: MaskOf, shape: tuple[int, int], settings: PostProcessing) -> MaskOf:
    reach = 2 * (settings.opening + settings.closing)
    if not reach:
        return mask

    def smoothed(box: Box) -> Mask:
        wide = grown(box, reach, shape)
        return open_and_close(np.minimum(mask(wide), 1), settings)[within(box, wide)]

    return smoothed
