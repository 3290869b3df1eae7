"""Pictures of results: outlines and numbers drawn on the image."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..polygon import Polygon
from .atomic import replacing

_OUTER, _HOLE = (0, 215, 255), (14, 127, 255)  # blue, green, red
_SHIFT = 4  # fractional bits, so that lines run between pixels


def draw_overlay(plane: NDArray[Any], polygons: Iterable[Polygon]) -> NDArray[np.uint8]:
    """Outlines and numbers on an image.

    Parameters
    ----------
    plane : ndarray, (Y, X) or (Y, X, 3)
        Shown from its 0.5th to its 99.5th percentile.
    polygons : iterable of Polygon

    Returns
    -------
    ndarray of uint8, (Y, X, 3)
        Blue, green, red, as OpenCV has them.
    """
    plane = plane.astype(np.float32)
    low, high = np.percentile(plane, (0.5, 99.5))
    grey = np.clip((plane - low) / max(high - low, 1e-6) * 255, 0, 255)
    canvas = grey.astype(np.uint8)
    canvas = cv2.cvtColor(canvas, cv2.COLOR_GRAY2BGR if canvas.ndim == 2 else cv2.COLOR_RGB2BGR)
    width = max(1, round(max(plane.shape[:2]) / 500))
    size = max(0.4, max(plane.shape[:2]) / 1200)
    for polygon in polygons:
        for number, ring in enumerate(polygon.rings):
            points = np.rint(ring[:, ::-1] * 2**_SHIFT).astype(np.int32)
            colour = _HOLE if number else _OUTER
            cv2.polylines(canvas, [points], True, colour, width, cv2.LINE_AA, _SHIFT)
        y, x = polygon.outer.mean(axis=0)
        place = (int(x - 8 * size), int(y + 8 * size))
        style = (cv2.FONT_HERSHEY_SIMPLEX, size, _OUTER, width, cv2.LINE_AA)
        cv2.putText(canvas, str(polygon.id), place, *style)
    return np.asarray(canvas, np.uint8)


def write_overlay(path: Path, plane: NDArray[Any], polygons: Iterable[Polygon]) -> None:
    """Write `draw_overlay` as PNG.

    Raises
    ------
    UnreadableFile
        It cannot be written.
    """
    _, content = cv2.imencode(".png", draw_overlay(plane, polygons))
    with replacing(path) as temporary:
        temporary.write_bytes(content.tobytes())
