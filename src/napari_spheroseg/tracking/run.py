"""Objects of a time-lapse to tracks: labels, tables, or a whole segmentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage, BadSetting
from ..inference.frames import Index
from ..segmentation.measure import PixelSize, pixel_pair
from ..segmentation.plane import Plane
from ..segmentation.result import Segmentation
from .motion import Points, centroids, link_points, require_laptrack
from .overlap import link_overlap
from .settings import Tracking

if TYPE_CHECKING:
    import pandas as pd


def link(
    frames: Iterable[NDArray[Any]], settings: Tracking | None = None
) -> Iterator[dict[int, int]]:
    """Follow labelled objects through time.

    A merged object goes on with the track of its largest parent, and of an object that splits the
    largest part does; the others begin tracks, or go on with one that ended within `max_gap`
    frames in their place. By motion the nearest takes the place of the largest.

    Parameters
    ----------
    frames : iterable of ndarray of integers, (Y, X)
        Labels, 0 is background, in the order of time. By overlap they are read one by one, and
        `max_gap` + 1 are kept; by motion all are read first, and centroids kept.
    settings : Tracking, optional

    Yields
    ------
    dict of int to int
        For every frame the track of each label. Tracks are numbered from 1, in the order in which
        they begin; no number is used twice.

    Raises
    ------
    BadImage
        A frame has no whole numbers, is no plane, or differs in shape from the one before.
    MissingPackage
        By motion, without the extra ``tracking``.
    """
    settings = settings or Tracking()
    planes = (_checked(each) for each in frames)
    if settings.method == "overlap":
        return link_overlap(planes, settings)
    require_laptrack()
    return link_points((centroids(each) for each in planes), settings)


def link_tables(
    tables: Iterable[pd.DataFrame],
    settings: Tracking | None = None,
    pixel_size: PixelSize = None,
) -> Iterator[dict[int, int]]:
    """Follow measured objects through time, by motion; see `link`.

    Parameters
    ----------
    tables : iterable of DataFrame
        One a frame, as `measure` makes them, in the order of time.
    settings : Tracking, optional
        By default of the method "motion".
    pixel_size : float or (float, float), optional
        µm, what the tables were measured with.

    Yields
    ------
    dict of int to int
        For every frame the track of each label.

    Raises
    ------
    BadSetting
        The method needs labels, or a table has no centroids in the unit of the pixel size.
    MissingPackage
        Without the extra ``tracking``.
    """
    settings = settings or Tracking(method="motion")
    if settings.method != "motion":
        raise BadSetting(
            f"Objects cannot be followed by {settings.method} in tables",
            hint="Give labels, or choose the method 'motion'.",
        )
    require_laptrack()
    pair = pixel_pair(pixel_size)
    return link_points((_points(table, pair) for table in tables), settings)


def tracked(segmentation: Segmentation, settings: Tracking | None = None) -> Segmentation:
    """The same objects, each with one number through time.

    Other leading axes than T (Z, P, ...) make series of their own; no number is in two of them.
    Frames that were not segmented are passed over.

    Parameters
    ----------
    segmentation : Segmentation
        Of an image with an axis T.
    settings : Tracking, optional

    Returns
    -------
    Segmentation
        Labels, polygons and table have the tracks as numbers, and the recipe says in ``made_with``
        under ``tracking`` how. Another threshold (`Segmentation.at`) makes other objects: those
        are numbered anew, and to be tracked again.

    Raises
    ------
    BadSetting
        The image has no axis T.
    MissingPackage
        By motion, without the extra ``tracking``.
    """
    settings = settings or Tracking()
    planes: dict[Index, Plane] = {}
    newest = 0
    for series in _series(segmentation):
        begun = newest
        for index, tracks in zip(series, _links(segmentation, series, settings), strict=True):
            numbers = {label: begun + track for label, track in tracks.items()}
            planes[index] = _renumbered(segmentation.plane(index), numbers)
            newest = max(newest, *numbers.values(), 0)
    return segmentation.with_planes(planes, tracking=settings.model_dump(mode="json"))


def _series(segmentation: Segmentation) -> list[list[Index]]:
    """Frames that differ in T alone, each series in the order of time."""
    axes = segmentation.frames.leading_axes
    if "T" not in axes:
        raise BadSetting(
            "The image has no time axis",
            hint="Name its axes when it is segmented, like axes='TYX'.",
        )
    at = axes.index("T")
    series: dict[Index, list[Index]] = {}
    for index in sorted(segmentation.maps):
        series.setdefault(index[:at] + index[at + 1 :], []).append(index)
    return list(series.values())


def _links(
    segmentation: Segmentation, series: list[Index], settings: Tracking
) -> Iterator[dict[int, int]]:
    planes = (segmentation.plane(index) for index in series)
    if settings.method == "motion":
        tables = (plane.table for plane in planes)
        return link_tables(tables, settings, segmentation.settings.pixel_size)
    return link((plane.labels for plane in planes), settings)


def _renumbered(plane: Plane, numbers: Mapping[int, int]) -> Plane:
    """The objects of a frame under other numbers, in the order of those."""
    from skimage.util import map_array

    old = np.fromiter(numbers.keys(), np.int32, len(numbers))
    new = np.fromiter(numbers.values(), np.int32, len(numbers))
    polygons = [
        replace(
            each,
            id=numbers[each.id],
            parent=None if each.parent is None else numbers[each.parent],
        )
        for each in plane.polygons
    ]
    table = plane.table.assign(label=plane.table["label"].map(numbers).astype(np.int64))
    return Plane(
        map_array(plane.labels, old, new),
        sorted(polygons, key=lambda each: each.id),
        table.sort_values("label", ignore_index=True),
    )


def _points(table: pd.DataFrame, pixel_size: tuple[float, float] | None) -> Points:
    unit = "px" if pixel_size is None else "um"
    columns = [f"centroid_y_{unit}", f"centroid_x_{unit}"]
    if not {"label", *columns} <= set(table.columns):
        raise BadSetting(
            f"A table lacks {', '.join(columns)} or label",
            hint="Give the pixel size that it was measured with, or none for a table in pixels.",
        )
    return table["label"].tolist(), table[columns].to_numpy(float) / (pixel_size or 1)


def _checked(labels: NDArray[Any]) -> NDArray[Any]:
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iub" or labels.ndim != 2 or 0 in labels.shape:
        raise BadImage(
            f"Labels of type {labels.dtype} and shape {labels.shape} are no frame of a time-lapse",
            hint="Give planes of whole numbers; 0 is background.",
        )
    return labels
