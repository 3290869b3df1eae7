"""Outlines drawn on images: also on those that are too large to be held as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..inference.frames import Frames, Index
from ..polygon import Polygon
from ..readwrite.drawn import write_outlines
from ..segmentation.polygons import moved
from .outputs import frame_name, replacing_folder

LONGEST = 4096
"""Pixels of the longer side of a picture of an image that is too large for memory."""
_AT_ONCE = 1 << 24  # pixels
_RESIZED = (np.uint8, np.uint16, np.int16, np.float32, np.float64)  # by OpenCV


def write_drawings(
    frames: Frames,
    indices: Iterable[Index],
    polygons: Iterable[Polygon],
    folder: Path,
    stem: str,
    longest: float = math.inf,
) -> Path:
    """Write ``<stem>_outlines.png``; of a stack a folder ``<stem>_outlines`` with one a frame.

    Parameters
    ----------
    frames : Frames
        The image.
    indices : iterable of tuple
        Frames to draw.
    polygons : iterable of Polygon
        Each in its own frame, with its place in the whole image.
    folder : Path
    stem : str
    longest : float
        Larger images are drawn smaller: so many pixels along their longer side.

    Returns
    -------
    Path
        The file or the folder.

    Raises
    ------
    UnreadableFile
        It cannot be written.
    """
    drawn: dict[Index, list[Polygon]] = {index: [] for index in indices}
    for each in polygons:
        drawn[each.frame].append(moved(each, np.negative(frames.corner)))

    def write(path: Path, index: Index) -> None:
        plane = overview(frames, index, longest)
        write_outlines(path, plane, drawn[index], frames.plane_shape)

    if not frames.leading_shape:
        path = folder / f"{stem}_outlines.png"
        write(path, ())
        return path
    path = folder / f"{stem}_outlines"
    with replacing_folder(path) as temporary:
        temporary.mkdir()
        for index in drawn:
            write(temporary / f"{stem}_{frame_name(frames, index)}.png", index)
    return path


def overview(frames: Frames, index: Index, longest: float) -> NDArray[Any]:
    """A frame, made smaller where it is larger than this; some rows of it are read at a time.

    Parameters
    ----------
    frames : Frames
    index : tuple of int
    longest : float
        Pixels of the longer side, at most.

    Returns
    -------
    ndarray, (y, x) or (y, x, 3)
    """
    height, width = frames.plane_shape
    step = max(1, math.ceil(max(height, width) / longest))
    if step == 1:
        return frames[index]
    rows = max(1, _AT_ONCE // (width * step)) * step
    parts = []
    for top in range(0, height, rows):
        strip = frames.window(index, (slice(top, min(top + rows, height)), slice(0, width)))
        strip = strip if strip.dtype in _RESIZED else strip.astype(np.float32)
        size = (math.ceil(width / step), math.ceil(len(strip) / step))
        parts.append(cv2.resize(strip, size, interpolation=cv2.INTER_AREA))
    return np.concatenate(parts)
