"""Objects whose centroids are near in successive frames are one object, however far they moved.

laptrack (BSD; Jaqaman et al. 2008, Nature Methods 5, 695) links and closes gaps; it comes with
the extra "tracking". It sees the whole series at once, of which only centroids are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from ..segmentation.geometry import number_objects
from .settings import Tracking

Points = tuple[list[int], NDArray[np.float64]]
"""Labels of the n objects of a frame, and their centroids (y, x) in pixels, (n, 2)."""
_BEYOND = 1 + 1e-9  # laptrack links what is nearer than its limit; ours may be reached


def require_laptrack() -> None:
    """Check that what following by motion needs is installed.

    Raises
    ------
    MissingPackage
        It is not; the hint names the extra.
    """
    require("laptrack", "tracking", "Following objects by motion")


def link_points(points: Iterable[Points], settings: Tracking) -> Iterator[dict[int, int]]:
    """Number of the track of every object, frame by frame; see `run.link`."""
    frames = list(points)
    if not any(names for names, _ in frames):
        yield from ({} for _ in frames)
        return
    tree = _laptrack(settings).predict([places for _, places in frames])
    tracks: dict[tuple[int, int], int] = {}
    newest = 0
    for at, (names, _) in enumerate(frames):
        for place in range(len(names)):
            before = next(tree.predecessors((at, place)), None)
            newest += before is None
            tracks[at, place] = newest if before is None else tracks[before]
        yield {name: tracks[at, place] for place, name in enumerate(names)}


def centroids(labels: NDArray[Any]) -> Points:
    """Where the objects of a frame are.

    Parameters
    ----------
    labels : ndarray of integers, (Y, X)
        0 is background.
    """
    names, numbered, _ = number_objects(labels)
    pixels = np.flatnonzero(numbered != 0)
    own = numbered.ravel()[pixels]
    sums = [np.bincount(own, along)[1:] for along in np.divmod(pixels, labels.shape[1])]
    return names.tolist(), np.stack(sums, axis=1) / np.bincount(own)[1:, None]


def _laptrack(settings: Tracking) -> Any:
    from laptrack import LapTrack

    limit = settings.max_distance**2 * _BEYOND
    # left to itself laptrack guesses from the data what an end costs, and then refuses links
    # that are near enough; any that costs more than the farthest link never does
    ends = dict.fromkeys(
        (
            "track_start_cost",
            "track_end_cost",
            "segment_start_cost",
            "segment_end_cost",
            "no_splitting_cost",
            "no_merging_cost",
        ),
        2 * limit,
    )
    return LapTrack(
        metric="sqeuclidean",
        cutoff=limit,
        gap_closing_metric="sqeuclidean",
        gap_closing_cutoff=limit if settings.max_gap else False,
        gap_closing_max_frame_count=settings.max_gap + 1,
        splitting_cutoff=False,
        merging_cutoff=False,
        **ends,
    )
