"""Labels to a table, in µm where the pixel size is known."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage, BadSetting
from .geometry import (
    Box,
    calipers,
    crofton_perimeter,
    hull,
    hull_pixel_count,
    number_objects,
)

if TYPE_CHECKING:
    import pandas as pd

PixelSize = float | tuple[float, float] | None

# Every column but the label's, in order: its name and the power of the length unit in it.
# "" stands for a length, "2" for an area, "3" for a volume, None for a plain number.
COLUMNS: dict[str, str | None] = {
    "area": "2",
    "equivalent_diameter": "",
    "perimeter": "",
    "circularity": None,
    "solidity": None,
    "eccentricity": None,
    "aspect_ratio": None,
    "feret_max": "",
    "feret_min": "",
    "length": "",
    "width": "",
    "volume_sphere": "3",
    "volume_length_width": "3",
    "centroid_y": "",
    "centroid_x": "",
    "mean_intensity": None,
    "integrated_intensity": None,
    "mean_probability": None,
    "touches_edge": None,
}


def pixel_pair(pixel_size: PixelSize) -> tuple[float, float] | None:
    """Height and width of a pixel, from one number or two.

    Raises
    ------
    BadSetting
        It is no number or pair of numbers, or not positive.
    """
    if pixel_size is None:
        return None
    try:
        height, width = np.broadcast_to(np.asarray(pixel_size, float), (2,)).tolist()
    except (TypeError, ValueError):
        height = width = np.nan
    if not (np.isfinite(height + width) and min(height, width) > 0):
        raise BadSetting(f"A pixel size of {pixel_size} is impossible", hint="Give µm per pixel.")
    return height, width


def column_names(pixel_size: PixelSize) -> list[str]:
    """Columns of the table with their units: ``area_um2`` with a pixel size, ``area_px2`` without.

    The first is ``label``.
    """
    unit = "px" if pixel_size is None else "um"
    named = (name if power is None else f"{name}_{unit}{power}" for name, power in COLUMNS.items())
    return ["label", *named]


def measure(
    labels: NDArray[Any],
    image: NDArray[Any] | None = None,
    probability: NDArray[Any] | None = None,
    pixel_size: PixelSize = None,
) -> pd.DataFrame:
    """Measure labelled objects.

    Parameters
    ----------
    labels : ndarray of integers, (Y, X) or (..., Y, X)
        0 is background. Of a stack every plane is measured by itself.
    image : ndarray, same shape, optional
        Grey values; without it intensities are NaN.
    probability : ndarray, same shape, optional
        In [0, 1]; without it the mean probability is NaN.
    pixel_size : float or (float, float), optional
        µm per pixel, or height and width of one. Without it lengths are in pixels.

    Returns
    -------
    DataFrame
        One row an object, in the order of labels; columns as in `column_names`, after ``label``
        for a stack one column a leading axis (``frame``, or ``frame_0``, ``frame_1``, ...).
        Definitions are in docs/measures.md.

    Raises
    ------
    BadImage
        Labels are no integers or empty, or shapes differ.
    BadSetting
        The pixel size is not positive.
    """
    import pandas as pd

    labels = np.asarray(labels)
    if labels.dtype.kind not in "iub" or labels.ndim < 2:
        raise BadImage(
            f"Labels of type {labels.dtype} and shape {labels.shape} cannot be measured",
            hint="Give whole numbers of at least two axes; 0 is background.",
        )
    for name, other in (("image", image), ("probability", probability)):
        if other is not None and np.shape(other) != labels.shape:
            raise BadImage(f"The {name} has shape {np.shape(other)}, the labels {labels.shape}")
    if 0 in labels.shape:
        raise BadImage(f"The labels are empty: their shape is {labels.shape}")
    leading = labels.shape[:-2]
    tables = []
    for index in product(*(range(n) for n in leading)):
        grey = None if image is None else np.asarray(image[index])
        likely = None if probability is None else np.asarray(probability[index])
        table = measure_plane(labels[index], grey, likely, pixel_size)
        for axis, position in reversed(list(enumerate(index))):
            table.insert(1, "frame" if len(index) == 1 else f"frame_{axis}", position)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def measure_plane(
    labels: NDArray[Any],
    image: NDArray[Any] | None,
    probability: NDArray[Any] | None,
    pixel_size: PixelSize,
    boxes: list[Box] | None = None,
) -> pd.DataFrame:
    """`measure` of a single plane; labels whose boxes are known are numbered 1 to n."""
    import pandas as pd

    pair = pixel_pair(pixel_size)
    size = pair or (1.0, 1.0)
    if boxes is None:
        names, labels, boxes = number_objects(labels)
    else:
        names = np.arange(1, len(boxes) + 1)
    values = _measure_each(labels, boxes, image, probability, size)
    values["circularity"] = 4 * np.pi * values["area"] / values["perimeter"] ** 2
    values["equivalent_diameter"] = equivalent_diameter(values["area"])
    values["volume_sphere"] = np.pi / 6 * values["equivalent_diameter"] ** 3
    values["aspect_ratio"] = values["length"] / values["width"]
    values["volume_length_width"] = values["length"] * values["width"] ** 2 / 2
    values["touches_edge"] = _touches_edge(labels, len(boxes))
    columns = [names, *(values[name] for name in COLUMNS)]
    return pd.DataFrame(dict(zip(column_names(pair), columns, strict=True)))


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as mappings of plain values: ``table.to_dict("records")``, many times faster."""
    names = list(table.columns)
    columns = (table[name].tolist() for name in names)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def insert_place(table: pd.DataFrame, axes: str, index: tuple[int, ...]) -> None:
    """Have a table say, after the label, where along the leading axes its objects are.

    Parameters
    ----------
    table : DataFrame
        Of one frame; changed in place.
    axes : str
        Letters of the leading axes.
    index : tuple of int
        The frame's position along them.
    """
    for axis, position in reversed(list(zip(axes.lower(), index, strict=True))):
        table.insert(1, axis, position)


def _measure_each(
    labels: NDArray[np.int32],
    boxes: list[Box],
    image: NDArray[Any] | None,
    probability: NDArray[Any] | None,
    size: tuple[float, float],
) -> dict[str, NDArray[Any]]:
    """Measures that need an object's own pixels, object by object within its box."""
    rows = []
    for number, box in enumerate(boxes, start=1):
        mask = labels[box] == number
        corners = hull(mask)
        moments = cv2.moments(mask.astype(np.uint8), binaryImage=True)
        pixels = moments["m00"]
        centre_y = box[0].start + moments["m01"] / pixels
        centre_x = box[1].start + moments["m10"] / pixels
        means = [_mean(plane, box, mask) for plane in (image, probability)]
        rows.append(
            (
                pixels * size[0] * size[1],
                pixels / hull_pixel_count(corners),
                _eccentricity(moments, size),
                crofton_perimeter(mask, size),
                *calipers(corners, size),
                centre_y * size[0],
                centre_x * size[1],
                means[0],
                means[0] * pixels,
                means[1],
            )
        )
    columns = np.array(rows, float).reshape(len(boxes), len(_EACH)).T
    return dict(zip(_EACH, columns, strict=True))


_EACH = (
    "area",
    "solidity",
    "eccentricity",
    "perimeter",
    "feret_max",
    "feret_min",
    "length",
    "width",
    "centroid_y",
    "centroid_x",
    "mean_intensity",
    "integrated_intensity",
    "mean_probability",
)


def _mean(plane: NDArray[Any] | None, box: Any, mask: NDArray[np.bool_]) -> float:
    return float("nan") if plane is None else float(plane[box][mask].mean(dtype=np.float64))


def _eccentricity(moments: dict[str, float], size: tuple[float, float]) -> float:
    """Of the ellipse with the same second moments."""
    pixels = moments["m00"]
    # a pixel is a square, not a point: it adds 1/12 of its side squared to the second moments
    var_y = (moments["mu02"] / pixels + 1 / 12) * size[0] ** 2
    var_x = (moments["mu20"] / pixels + 1 / 12) * size[1] ** 2
    cov = moments["mu11"] / pixels * size[0] * size[1]
    spread = math.hypot(var_x - var_y, 2 * cov)
    return math.sqrt(2 * spread / (var_x + var_y + spread))


def equivalent_diameter(area: Any) -> Any:
    """Diameter of the disc that has this area.

    Parameters
    ----------
    area : float or ndarray
        In any square unit u².

    Returns
    -------
    float or ndarray
        ``2 * sqrt(area / pi)`` in u; NaN where `area` is NaN.
    """
    return 2 * np.sqrt(area / np.pi)


def _touches_edge(labels: NDArray[np.int32], count: int) -> NDArray[np.bool_]:
    touching = np.zeros(count + 1, bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touching[edge] = True
    return touching[1:]
