"""Features of objects, by which classes can be told: shape, brightness, texture, focus."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage
from ..inference.frames import Frames, as_grey
from ..segmentation.measure import PixelSize, insert_place, measure_plane
from ..steps import run_to_end
from .crops import Objects, objects_of
from .grey import MEASURES, Grey, patterns
from .judge import Judged

if TYPE_CHECKING:
    import pandas as pd

_NOT_SHAPE = (
    "centroid_",
    "mean_intensity",
    "integrated_intensity",
    "mean_probability",
    "touches_edge",
)
_AT_ONCE = 500
"""Objects whose shape is measured between two looks at whether to go on."""


def features(
    labels: Any,
    image: Any = None,
    *,
    pixel_size: PixelSize = None,
    axes: str | None = None,
    channel: int | None = None,
    region: tuple[int, int, int, int] | None = None,
) -> pd.DataFrame:
    """Describe labelled objects by numbers.

    Parameters
    ----------
    labels : array of integers, (Y, X) or (..., Y, X)
        0 is background. Of a stack every plane is described by itself.
    image : array, optional
        Of the same shape, perhaps with channels; without it there is shape alone.
    pixel_size : float or (float, float), optional
        µm per pixel, or height and width of one. Without it lengths are in pixels.
    axes : str, optional
        One letter an axis of the image, like "TCYX".
    channel : int, optional
        Channel to look at.
    region : tuple of int, optional
        Part of the image that the labels are of.

    Returns
    -------
    DataFrame
        One row an object: ``label``, of a stack its place (``t``, ``z``...), then features.
        Definitions are in docs/classify.md. What cannot be computed is NaN.

    Raises
    ------
    BadImage
        Labels are no whole numbers, or of another shape than the image.
    BadSetting
        Axes, channel or pixel size cannot be used.
    """
    import pandas as pd

    frames = Frames.of(labels if image is None else image, axes, channel, region)
    labels = check_labels(frames, labels)
    tables = []
    for index in frames.indices():
        objects = objects_of(np.asarray(labels[index]))
        grey = None if image is None else as_grey(frames[index])
        table = plane_features(objects, grey, pixel_size)
        insert_place(table, frames.leading_axes, index)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def plane_features(
    objects: Objects, plane: NDArray[Any] | None, pixel_size: PixelSize = None
) -> pd.DataFrame:
    """`features` of the objects of a single plane (Y, X)."""
    return run_to_end(plane_features_steps(objects, plane, pixel_size))


def plane_features_steps(
    objects: Objects, plane: NDArray[Any] | None, pixel_size: PixelSize = None
) -> Generator[Judged, None, pd.DataFrame]:
    """`plane_features`, which can be stopped after every part of the work."""
    import pandas as pd

    # from top to bottom, whatever their numbers: then a part lies in a band of the plane
    order = np.argsort([box[0].start for box in objects.boxes], kind="stable")
    bands = np.split(order, range(_AT_ONCE, len(order), _AT_ONCE))
    tables, parts = [], len(bands) + (0 if plane is None else len(MEASURES))
    for members in bands:
        tables.append(_shapes(objects, members, pixel_size))
        yield Judged(len(tables), parts)
    table = pd.concat(tables, ignore_index=True).iloc[np.argsort(order)].reset_index(drop=True)
    dropped = [name for name in table.columns if name.startswith(_NOT_SHAPE)]
    table = table.drop(columns=dropped).assign(label=objects.names)
    if plane is None:
        return table
    if not len(objects):
        none = np.zeros(0)
        found = dict.fromkeys([*MEASURES, *(f"pattern_{kind}" for kind in range(10))], none)
    else:
        grey, found = Grey(plane, objects), {}
        for name, measure in MEASURES.items():
            with np.errstate(invalid="ignore"):  # of a flat plane shares are NaN
                found[name] = measure(grey)
            yield Judged(len(tables) + len(found), parts)
        with np.errstate(invalid="ignore"):
            found |= patterns(grey)
    return pd.concat([table, pd.DataFrame(found, index=table.index)], axis=1)


def _shapes(objects: Objects, members: NDArray[np.intp], pixel_size: PixelSize) -> pd.DataFrame:
    """Measures of some objects, within the box of all of them."""
    boxes = [objects.boxes[member] for member in members]
    if not boxes:
        return measure_plane(objects.numbered, None, None, pixel_size, boxes)
    y0, x0 = (min(box[axis].start for box in boxes) for axis in (0, 1))
    y1, x1 = (max(box[axis].stop for box in boxes) for axis in (0, 1))
    there = [(slice(y.start - y0, y.stop - y0), slice(x.start - x0, x.stop - x0)) for y, x in boxes]
    number = np.zeros(len(objects) + 1, np.int32)
    number[members + 1] = np.arange(1, len(members) + 1)
    part = number[objects.numbered[y0:y1, x0:x1]]
    return measure_plane(part, None, None, pixel_size, there)


def check_labels(frames: Frames, labels: Any) -> Any:
    """Labels that can be asked for the planes of an image.

    Raises
    ------
    BadImage
        They are no whole numbers, or of another shape.
    """
    if not isinstance(getattr(labels, "dtype", None), np.dtype):
        labels = np.asarray(labels)  # a list, a torch tensor
    shape = tuple(int(n) for n in labels.shape)
    if labels.dtype.kind not in "iub":
        raise BadImage(
            f"Labels of type {labels.dtype} are no whole numbers",
            hint="Give labels, 0 being background, not an image.",
        )
    if shape != frames.shape:
        raise BadImage(
            f"Labels of shape {shape} are not of an image of shape {frames.shape}",
            hint="Give the labels of this image; axes and channel say how it is read.",
        )
    return labels
