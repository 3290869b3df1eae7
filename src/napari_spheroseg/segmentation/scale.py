"""The scale at which a network sees objects well."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inference.predictor import Predictor, TileDone
from ..inference.prepare import with_grey_range, working_shape
from ..inference.tiles import count_tiles
from ..models import Preparation
from ..steps import Steps
from .geometry import count_pixels
from .labelling import object_areas
from .settings import PostProcessing

_WORTH_IT = 1.15  # a second look at less than this factor shows nothing new
_LONGEST_SIDE = 4096
_STEPS = 16  # of scale to twice as large: another processor, which rounds otherwise, takes the same


def usual_diameter(labels: NDArray[np.int32]) -> float:
    """Diameter that half of the objects' area belongs to, or to larger ones.

    Parameters
    ----------
    labels : ndarray of int32, (Y, X)

    Returns
    -------
    float
        In px; NaN without objects. Debris, small and numerous, hardly moves it.
    """
    return diameter_of_areas(count_pixels(labels, int(labels.max(initial=0))))


def diameter_of_areas(areas: NDArray[Any]) -> float:
    """`usual_diameter` of objects whose areas (px²) are known; 0 counts as none."""
    areas = np.sort(areas[areas > 0])
    if not len(areas):
        return math.nan
    middle = areas[np.searchsorted(np.cumsum(areas), areas.sum() / 2)]
    return float(2 * np.sqrt(middle / np.pi))


def look(
    predictor: Predictor,
    plane: NDArray[Any],
    preparation: Preparation,
    settings: PostProcessing,
) -> Generator[TileDone, None, NDArray[np.float32]]:
    """Predict a plane at the scale that suits its objects.

    Where their diameter is not given, it is measured on a first look; where the network would see
    them better larger or smaller, a second look follows.

    Parameters
    ----------
    predictor : Predictor
    plane : ndarray, (Y, X) or (Y, X, 3)
    preparation : Preparation
        With `best_diameter`, else there is one look as it says.
    settings : PostProcessing
        How objects are told apart on the first look.

    Yields
    ------
    TileDone
        After every tile; the total grows by a second look.

    Returns
    -------
    ndarray of float32, (K, Y, X)
        One map an output.
    """
    if preparation.best_diameter is None:
        return (yield from predictor.predict(plane, preparation))
    shape = (plane.shape[0], plane.shape[1])
    if preparation.diameter is not None:
        better = better_scale(preparation.diameter, shape, preparation)
        return (yield from predictor.predict(plane, better or preparation))
    preparation = with_grey_range(preparation, plane)
    tiles = count_tiles(shape, preparation)
    maps = yield from _count(predictor.predict(plane, preparation), 0, tiles + 1)
    areas = object_areas(maps[0], settings, maps[1] if len(maps) > 1 else None)
    better = better_scale(diameter_of_areas(areas), shape, preparation)
    if better is None:
        yield TileDone(tiles, tiles)
        return maps
    total = tiles + count_tiles(shape, better)
    return (yield from _count(predictor.predict(plane, better), tiles, total))


def better_scale(
    diameter: float,
    shape: tuple[int, int],
    preparation: Preparation,
    longest_side: float = _LONGEST_SIDE,
) -> Preparation | None:
    """Preparation that brings objects of a diameter (px) within `best_diameter`, if it is not so.

    Parameters
    ----------
    diameter : float
        In the image; NaN where it is not known.
    shape : (int, int)
        Height and width of the image.
    preparation : Preparation
        With a `best_diameter`.
    longest_side : float
        An image of this working size (px) is not enlarged further.

    Returns
    -------
    Preparation or None
        None where the objects are seen well already.
    """
    assert preparation.best_diameter is not None
    now = working_shape(shape, preparation)[0] / shape[0]
    if not diameter > 0:
        return None
    smallest, largest = preparation.best_diameter
    # a large image is not enlarged further; nor shrunk, unless its objects are large
    most = min(max(now, longest_side / max(shape)), 16)
    scale = min(min(max(diameter * now, smallest), largest) / diameter, most)
    if max(scale / now, now / scale) < _WORTH_IT:
        return None
    scale = min(2 ** (round(_STEPS * math.log2(scale)) / _STEPS), most)
    return preparation.replace(size=None, long_side=None, scale=scale)


def _count(
    tiles: Generator[TileDone, None, NDArray[np.float32]], before: int, total: int
) -> Generator[TileDone, None, NDArray[np.float32]]:
    """Tiles of one look among those of all."""
    looks = Steps(tiles)
    for tile in looks:
        yield TileDone(before + tile.done, total)
    return looks.result
