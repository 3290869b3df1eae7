"""Images that belong together: where and when they were taken, and objects followed through them.

An image's place is that in its stack, or what the names of files say, or else the files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..errors import SpherosegError
from ..readwrite.acquired import Acquired
from ..readwrite.images import open_image
from ..tracking.run import link
from ..tracking.settings import Tracking
from .items import Item
from .names import Place, guess_pattern, pattern_of, read_places
from .taken import complete

_SERIES = ("well", "position", "channel")
Columns = dict[str, Any]


def places_of(
    items: Sequence[Item], pattern: str, taken: Mapping[str, Acquired] | None = None
) -> dict[str, Columns]:
    """Columns for well, position, time and channel, by key of the image.

    Parameters
    ----------
    items : sequence of Item
    pattern : str
        "auto", "none", or as `pattern_of` takes it.
    taken : mapping, optional
        What files say themselves, by key: wells count where no name tells one, and times where no
        name tells one and wells were imaged again.

    Raises
    ------
    BadSetting
        It is no pattern.
    """
    paths = [item.key for item in items if not item.columns]
    if pattern == "none" or not paths:
        return {}
    chosen = guess_pattern(paths) if pattern == "auto" else pattern_of(pattern)
    said = [None] * len(paths) if chosen is None else read_places(paths, chosen)
    places = {path: place or Place() for path, place in zip(paths, said, strict=True)}
    complete(places, taken or {})
    known = {path: vars(place) for path, place in places.items() if place != Place()}
    names = next(iter(known.values()), {})
    used = [name for name in names if any(place[name] is not None for place in known.values())]
    return {path: {name: place[name] for name in used} for path, place in known.items()}


def follow(
    items: Sequence[Item], places: Mapping[str, Columns], folder: Path, tracking: Tracking
) -> dict[str, dict[int, int]]:
    """Tracks of the objects of images that are frames of a series, by key of the image.

    Parameters
    ----------
    items : sequence of Item
        That are done.
    places : mapping
        From `places_of`.
    folder : Path
        With the labels.
    tracking : Tracking

    Returns
    -------
    dict of str to dict
        Track of each label. Tracks of a series are numbered from 1.
    """
    found: dict[str, dict[int, int]] = {}
    for series in _series(items, places).values():
        if len(series) > 1:
            series.sort(key=lambda pair: pair[0])
            members = [item for _, item in series]
            tracks = link(_labels(members, folder), tracking)
            found |= {item.key: each for item, each in zip(members, tracks, strict=True)}
    return found


def _series(
    items: Sequence[Item], places: Mapping[str, Columns]
) -> dict[tuple[Any, ...], list[tuple[float, Item]]]:
    series: dict[tuple[Any, ...], list[tuple[float, Item]]] = defaultdict(list)
    for item in items:
        if "t" in item.columns:
            others = tuple((k, v) for k, v in item.columns.items() if k != "t")
            series[(item.key.split(" [")[0], *others)].append((item.columns["t"], item))
        elif (place := places.get(item.key)) and place.get("time") is not None:
            folder = str(item.path.parent) if not place.get("well") else ""
            series[(folder, *(place.get(name) for name in _SERIES))].append((place["time"], item))
    return series


def _labels(items: Sequence[Item], folder: Path) -> Iterator[NDArray[Any]]:
    for item in items:
        paths = [folder / f"{item.stem}{ending}" for ending in ("_labels.tif", "_labels.ome.zarr")]
        path = next((each for each in paths if each.exists()), None)
        if path is None:
            raise SpherosegError(
                f"{item.title} has no labels to follow", hint="Write labels, too: --outputs labels"
            )
        yield open_image(path).data[:]
