"""Objects of one frame: labels, their outlines, and what is measured of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..polygon import Polygon
from .geometry import Box
from .labelling import label_and_boxes
from .measure import measure_plane
from .polygons import outline
from .settings import PostProcessing

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Plane:
    """Objects of one frame, numbered from 1.

    Attributes
    ----------
    labels : ndarray of int32, (Y, X)
    polygons : list of Polygon
    table : DataFrame
    """

    labels: NDArray[np.int32]
    polygons: list[Polygon]
    table: pd.DataFrame


def analyse(
    maps: NDArray[np.float32],
    grey: NDArray[Any],
    settings: PostProcessing,
    pixel_size: tuple[float, float] | None,
) -> Plane:
    """Labels, polygons and measurements of one frame.

    Parameters
    ----------
    maps : ndarray of float32, (K, Y, X)
        Probability, and the distance to the border if the model has it.
    grey : ndarray, (Y, X)
        What intensities are measured on.
    settings : PostProcessing
    pixel_size : (float, float) or None
        µm, height and width.

    Returns
    -------
    Plane
        Ids are equal in labels, polygons and table.
    """
    labels, boxes = label_and_boxes(maps[0], settings, maps[1] if len(maps) > 1 else None)
    return describe(labels, maps[0], grey, settings, pixel_size, boxes)


def describe(
    labels: NDArray[np.int32],
    probability: NDArray[np.float32],
    grey: NDArray[Any],
    settings: PostProcessing,
    pixel_size: tuple[float, float] | None,
    boxes: list[Box] | None = None,
) -> Plane:
    """Polygons and measurements of labels that are there already; see `analyse`."""
    table = measure_plane(labels, grey, probability, pixel_size, boxes)
    return outlined_anew(Plane(labels, [], table), settings.tolerance, boxes)


def outlined_anew(plane: Plane, tolerance: float, boxes: list[Box] | None = None) -> Plane:
    """The same objects with polygons of another tolerance."""
    means = dict(zip(plane.table["label"], plane.table["mean_probability"], strict=True))
    polygons = [
        replace(each, mean_probability=float(means[each.id]))
        for each in outline(plane.labels, tolerance, boxes)
    ]
    return replace(plane, polygons=polygons)
