"""Outlines drawn on the image: to look through many results quickly, and as thumbnails."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..polygon import Polygon
from .atomic import replacing

# red, green, blue; bright on dark and on light, and told apart by those who see no red or green
_COLOURS = ((255, 220, 0), (0, 200, 255), (255, 100, 220), (255, 130, 0), (60, 230, 120))
_PERCENTILES = (0.5, 99.5)
_LARGE = 1400  # px; on a screen a line of 1 px is lost in more
_LOOKED_AT = 1_000_000  # pixels that the percentiles are taken of
_SHIFT = 4  # fractional bits, so that lines run between pixels
_READS = (np.uint8, np.uint16, np.int16, np.float32, np.float64)  # cv2.resize


def draw_outlines(
    plane: NDArray[Any], polygons: Iterable[Polygon], shape: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """An image with its outlines; neighbours rarely have one colour.

    Parameters
    ----------
    plane : ndarray, (Y, X) or (Y, X, 3)
        Shown from its 0.5th to its 99.5th percentile.
    polygons : iterable of Polygon
        Holes are drawn as well.
    shape : (int, int), optional
        Height and width of the image that the polygons are of, where `plane` is smaller.

    Returns
    -------
    ndarray of uint8, (Y, X, 3)
        Red, green, blue; lines are 1 px wide, on large images 3 px.
    """
    canvas = _stretched(plane)
    # cv2 draws a smooth line of thickness 2 three pixels wide
    scale = np.divide(plane.shape[:2], shape or plane.shape[:2])
    _draw(canvas, polygons, thickness=2 if max(canvas.shape) > _LARGE else 1, scale=scale)
    return canvas


def write_outlines(
    path: Path,
    plane: NDArray[Any],
    polygons: Iterable[Polygon],
    shape: tuple[int, int] | None = None,
) -> None:
    """Write `draw_outlines` as PNG.

    Raises
    ------
    UnreadableFile
        It cannot be written.
    """
    drawn = draw_outlines(plane, polygons, shape)
    with replacing(path) as temporary:
        _, content = cv2.imencode(".png", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
        temporary.write_bytes(content.tobytes())


def thumbnail(
    plane: NDArray[Any],
    polygons: Iterable[Polygon],
    side: int = 96,
    shape: tuple[int, int] | None = None,
) -> NDArray[np.uint8]:
    """A small image with its outlines.

    Parameters
    ----------
    plane : ndarray, (Y, X) or (Y, X, 3)
    polygons : iterable of Polygon
        In pixels of `plane`, or of the image of the shape given.
    side : int
        Height or width in pixels, whichever is larger.
    shape : (int, int), optional
        Height and width of the image that the polygons are of, where `plane` is smaller.

    Returns
    -------
    ndarray of uint8, (h, w, 3)
        Red, green, blue.
    """
    height, width = plane.shape[:2]
    factor = side / max(height, width)
    size = max(1, round(height * factor)), max(1, round(width * factor))
    plane = plane if plane.dtype in _READS else plane.astype(np.float32)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    canvas = _stretched(cv2.resize(plane, size[::-1], interpolation=how))
    _draw(canvas, polygons, scale=np.divide(size, shape or (height, width)))
    return canvas


def _stretched(plane: NDArray[Any]) -> NDArray[np.uint8]:
    """8 bit RGB of its own, low and high percentile to black and white; NaN is black."""
    step = max(1, int(np.sqrt(plane.shape[0] * plane.shape[1] / _LOOKED_AT)))
    sample = plane[::step, ::step].astype(np.float32)
    sample = sample[np.isfinite(sample)]
    low, high = np.percentile(sample, _PERCENTILES) if sample.size else (0.0, 1.0)
    if low == high and sample.size:  # hardly anything but one value: show what there is
        low, high = sample.min(), sample.max()
    values = plane.astype(np.float32)
    values -= np.float32(low)
    values *= np.float32(255 / max(float(high) - float(low), 1e-6))
    grey = np.clip(np.nan_to_num(values, copy=False, nan=0.0), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(grey if grey.ndim == 3 else cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))


def _draw(
    canvas: NDArray[np.uint8],
    polygons: Iterable[Polygon],
    *,
    thickness: int = 1,
    scale: Any = (1.0, 1.0),
) -> None:
    for polygon in polygons:
        colour = _COLOURS[polygon.id % len(_COLOURS)]
        for ring in polygon.rings:
            moved = (ring + 0.5) * np.asarray(scale) - 0.5  # integers are centres of pixels
            points = np.rint(moved[:, ::-1] * 2**_SHIFT).astype(np.int32)
            cv2.polylines(canvas, [points], True, colour, thickness, cv2.LINE_AA, _SHIFT)
