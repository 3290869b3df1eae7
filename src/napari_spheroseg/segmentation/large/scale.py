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
from ..geometry import Box
from ..scale import better_scale, diameter_of_areas
from ..settings import PostProcessing
from .maps import Maps, predict
from .objects import find_objects
from .room import Room
from .source import Source

_SAMPLE = 4  # samples are so many times larger than what the network sees of them
_CLOSER, _FARTHER = 1, 16  # and these, where their objects are seen too small or too large
_SEEN = (8, 0.25)  # smallest diameter (px) and largest (of a sample) that can be measured

Areas = NDArray[np.int64]


def look(
    predictor: Predictor,
    source: Source,
    preparation: Preparation,
    settings: PostProcessing,
    room: Room,
) -> Generator[None, None, Maps]:
    """Predict a plane at the scale that suits its objects.

    A plane of up to `LARGE` pixels is looked at as `segmentation.scale.look` does. A first look at
    all of a larger one would show its objects too small: samples of it are looked at instead. It is
    not held to that function's longest side, but never enlarged.

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
    diameter, maps = preparation.diameter, None
    is_large = math.prod(source.shape) > LARGE
    if diameter is None and is_large and (preparation.long_side or preparation.size):
        diameter = yield from _sampled(predictor, source, preparation, settings, room)
    elif diameter is None:
        maps = yield from predict(predictor, source, preparation, room)
        diameter = diameter_of_areas((yield from _areas(maps, settings, room)))
    longest = {"longest_side": max(source.shape)} if is_large else {}
    better = better_scale(diameter, source.shape, preparation, **longest)
    if maps is not None and better is None:
        return maps
    if maps is not None:
        maps.array.delete()
    return (yield from predict(predictor, source, better or preparation, room))


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
    """Usual diameter (px) in samples, from as near as it can be measured; NaN without objects."""

    def seen_from(factor: int) -> Generator[None, None, float]:
        found = [np.zeros(0, np.int64)]
        for box in _samples(source.shape, factor * side, count=2 if factor == _FARTHER else 3):
            maps = yield from predict(predictor, source.part(box), preparation, room)
            found.append((yield from _areas(maps, whole_only, room)))
            maps.array.delete()
        return diameter_of_areas(np.concatenate(found))

    side = max(working_shape(source.shape, preparation))
    whole_only = settings.replace(exclude_edge=True)
    diameter = yield from seen_from(_SAMPLE)
    if diameter < _SEEN[0] * _SAMPLE:
        other = yield from seen_from(_CLOSER)
    elif not diameter < _SEEN[1] * _SAMPLE * side:
        other = yield from seen_from(_FARTHER)
    else:
        return diameter
    return diameter if math.isnan(other) else other


def _samples(shape: tuple[int, int], side: int, count: int) -> list[Box]:
    """Windows spread evenly over a plane, so many along each axis where they are not the same."""
    corners = [
        np.unique(np.linspace(0, max(n - side, 0), count).astype(int)).tolist() for n in shape
    ]
    return [
        (slice(y, min(y + side, shape[0])), slice(x, min(x + side, shape[1])))
        for y, x in product(*corners)
    ]
