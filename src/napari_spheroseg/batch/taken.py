"""Places of images that the names of files do not tell, from what the files say themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..readwrite.acquired import Acquired
from .names import Place
from .plates import well_name
from .times import HOURS


def complete(places: dict[str, Place], taken: Mapping[str, Acquired]) -> None:
    """Add wells where no name tells one, then times where no name tells one.

    Parameters
    ----------
    places : dict of str to Place
        By key of the image; changed in place.
    taken : mapping of str to Acquired
    """
    said = {path: each for path, each in taken.items() if path in places}
    if not any(place.well for place in places.values()):
        for path, each in said.items():
            if each.row and each.column and (well := well_name(each.row, each.column)):
                position = places[path].position or each.field
                places[path] = replace(places[path], well=well, position=position)
    if all(place.time is None for place in places.values()):
        for path, hours in _hours(places, said).items():
            places[path] = replace(places[path], time=hours, time_unit=HOURS)


def times_of_stacks(
    places: Mapping[str, Mapping[str, Any]], taken: Mapping[str, Acquired]
) -> dict[str, list[float]]:
    """Hours of each position along T of stacks, by key, where all stacks tell them; else nothing.

    Parameters
    ----------
    places : mapping
        Columns of images by key: where one says the hours of a stack's beginning, they are added.
    taken : mapping of str to Acquired
        Of the images that have an axis T.
    """
    found = {}
    for key, each in taken.items():
        place = places.get(key, {})
        begun = place.get("time")
        if each.times is None or (begun is not None and place.get("time_unit") != HOURS):
            return {}
        found[key] = [round((begun or 0.0) + late, 6) for late in each.times]
    return found


def _one_after_the_other(wells: Sequence[str | None]) -> bool:
    """Whether several wells were imaged, each but once: then its images are fields, not times."""
    visits = sum(here != before for here, before in zip(wells, [None, *wells], strict=False))
    return visits == len(set(wells)) > 1


def _hours(places: Mapping[str, Place], said: Mapping[str, Acquired]) -> dict[str, float]:
    """Hours since the first image, where a well was imaged at several moments; else nothing.

    Every image has its moment: of files without wells it does not say which are of one series.
    """
    moments = {
        path: each.moment
        for path, each in said.items()
        if each.moment is not None and places[path].well
    }
    series: dict[tuple[str | None, ...], list[float]] = defaultdict(list)
    for path, moment in moments.items():
        place = places[path]
        series[place.well, place.position, place.channel].append(moment)
    again = any(len(each) > 1 for each in series.values())
    if not again or any(len(set(each)) < len(each) for each in series.values()):
        return {}
    if _one_after_the_other(
        [places[path].well for path in sorted(moments, key=moments.__getitem__)]
    ):
        return {}
    first = min(moments.values())
    # seconds are as exact as files are: 1e-6 h drops what floats add
    return {path: round(moment - first, 6) for path, moment in moments.items()}
