"""The scale at which a network sees the objects of a large plane well."""

from __future__ import annotations

import math
from collections.abc import Generator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...inference.predictor import Predictor
from ...inference.prepare import working_shape
from ...models import Preparation
from ...readwrite.images import LARGE
from ..scale import better_scale, diameter_of_areas
from ..settings import PostProcessing
from .maps import Maps, predict
from .objects import find_objects
from .room import Room
from .source import Source

_LEAST = 8  # px; objects that the first look shows smaller are measured on samples instead
_SAMPLES = 3  # along each axis
_CLOSER = (4, 1)  # samples are so many times larger than what the network sees of them

Areas = NDArray[np.int64]


def look(
    predictor: Predictor,
    source: Source,
    preparation: Preparation,
    settings: PostProcessing,
    room: Room,
) -> Generator[None, None, Maps]:
    """Predict a plane at the scale that suits its objects, as `segmentation.scale.look` does.

    A plane of more than `LARGE` pixels is not held to that function's longest side, but never
    enlarged; and where the first look shows its objects too small to be measured, samples of the
    plane are looked at closer.

    Yields
    ------
    None
        After every part of the work.

    Returns
    -------
    Maps
    """
    if preparation.best_diameter is None:
        return (yield from predict(predictor, source, preparation, room))
    if preparation.diameter is not None:
        better = _better(preparation.diameter, source.shape, preparation)
        return (yield from predict(predictor, source, better or preparation, room))
    maps = yield from predict(predictor, source, preparation, room)
    diameter = diameter_of_areas((yield from _areas(maps, settings, room)))
    shown = diameter * working_shape(source.shape, preparation)[0] / source.shape[0]
    if math.prod(source.shape) > LARGE and not shown >= _LEAST:
        closer = yield from _sampled(predictor, source, preparation, settings, room)
        diameter = diameter if math.isnan(closer) else closer
    better = _better(diameter, source.shape, preparation)
    if better is None:
        return maps
    maps.array.delete()
    return (yield from predict(predictor, source, better, room))


def _better(
    diameter: float, shape: tuple[int, int], preparation: Preparation
) -> Preparation | None:
    if math.prod(shape) > LARGE:
        return better_scale(diameter, shape, preparation, longest_side=max(shape))
    return better_scale(diameter, shape, preparation)


def _areas(maps: Maps, settings: PostProcessing, room: Room) -> Generator[None, None, Areas]:
    """Areas (px²) of all objects."""
    found = [np.zeros(0, np.int64)]
    for objects in find_objects(maps, settings, room):
        if objects is not None:
            found.append(np.bincount(objects.labels.ravel())[1:])
        yield
    return np.concatenate(found)


def _sampled(
    predictor: Predictor,
    source: Source,
    preparation: Preparation,
    settings: PostProcessing,
    room: Room,
) -> Generator[None, None, float]:
    """Usual diameter (px) in windows of the plane, seen closer until it can be measured."""
    diameter = math.nan
    if preparation.long_side is None and preparation.size is None:
        return diameter  # samples would be seen no closer
    whole_only = settings.replace(exclude_edge=True)
    for factor in _CLOSER:
        side = factor * max(working_shape(source.shape, preparation))
        found = [np.zeros(0, np.int64)]
        for box in _samples(source.shape, side):
            maps = yield from predict(predictor, source.part(box), preparation, room)
            found.append((yield from _areas(maps, whole_only, room)))
            maps.array.delete()
        diameter = diameter_of_areas(np.concatenate(found))
        if diameter / factor >= _LEAST:
            break
    return diameter


def _samples(shape: tuple[int, int], side: int) -> list[tuple[slice, slice]]:
    """Windows spread evenly over a plane."""
    corners = [
        np.unique(np.linspace(0, max(n - side, 0), _SAMPLES).astype(int)).tolist() for n in shape
    ]
    return [
        (slice(y, min(y + side, shape[0])), slice(x, min(x + side, shape[1])))
        for y, x in product(*corners)
    ]
