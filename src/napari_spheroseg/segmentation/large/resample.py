"""Windows of a resized plane, equal to the same window of the whole plane resized.

Neither PIL nor OpenCV can resize a part so that it fits the rest: PIL rounds the corners of its
``box`` to float32, and OpenCV takes every image for a whole. Here are the formulas of both, with
the coefficients of the whole axis.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..geometry import Box

Shape = tuple[int, int]
Span = tuple[int, int]
Read = Callable[[Box], NDArray[Any]]
_PIECE = 2048  # pixels of the source, along each axis, that are held at a time
_FRACTION = 22  # bits of PIL's fixed point for 8-bit images


def shrunk_window(read: Read, source: Shape, target: Shape, box: Box, how: str) -> NDArray[Any]:
    """A window of a plane that is resized as PIL does, which takes the mean where it shrinks.

    Parameters
    ----------
    read : callable
        Gives a window of the plane, (y, x) or (y, x, samples).
    source, target : (int, int)
        Height and width of the plane, and of what it is resized to.
    box : (slice, slice)
        Window of the target.
    how : {"bilinear", "lanczos"}

    Returns
    -------
    ndarray
        uint8 where the plane is, else float32; where nothing is resized, the plane as it is.
    """
    if source == target:
        return read(box)
    rows, columns = (
        _cut((side.start, side.stop), max(1, int(_PIECE * n / m)))
        for side, n, m in zip(box, target, source, strict=True)
    )
    pieces = {
        (y, x): _shrunk_piece(read, source, target, (y, x), how) for y, x in product(rows, columns)
    }
    return np.concatenate([np.concatenate([pieces[y, x] for x in columns], 1) for y in rows], 0)


def _cut(span: Span, step: int) -> list[Span]:
    return [(a, min(a + step, span[1])) for a in range(span[0], span[1], step)]


def _shrunk_piece(
    read: Read, source: Shape, target: Shape, spans: tuple[Span, Span], how: str
) -> NDArray[Any]:
    axes = [_axis(n, m, how) if n != m else None for n, m in zip(source, target, strict=True)]
    needed = [axis.needed(span) if axis else span for axis, span in zip(axes, spans, strict=True)]
    plane = read((slice(*needed[0]), slice(*needed[1])))
    samples = plane if plane.ndim == 3 else plane[..., None]
    kind = np.uint8 if plane.dtype == np.uint8 else np.float32
    done = []
    for i in range(samples.shape[2]):
        values = samples[..., i].astype(kind, copy=False)
        across, down = axes[1], axes[0]  # PIL's order
        if across:
            values = across.apply(values.T, spans[1]).T
        if down:
            values = down.apply(values, spans[0])
        done.append(values)
    return done[0] if plane.ndim == 2 else np.stack(done, axis=-1)


class _Axis:
    """PIL's coefficients along an axis (``precompute_coeffs`` of its Resample.c)."""

    def __init__(self, source: int, target: int, how: str) -> None:
        support, kernel = _KERNELS[how]
        scale = source / target
        wide = max(scale, 1.0)
        centres = (np.arange(target) + 0.5) * scale
        self._first = np.maximum((centres - support * wide + 0.5).astype(np.int64), 0)
        self._last = np.minimum((centres + support * wide + 0.5).astype(np.int64), source)
        at = self._first[:, None] + np.arange(int((self._last - self._first).max()))
        weights = kernel((at - centres[:, None] + 0.5) * (1.0 / wide))
        weights[at >= self._last[:, None]] = 0
        total = np.zeros(target)
        for column in weights.T:  # one after the other, as PIL adds them
            total += column
        self._weights = weights / total[:, None]

    def needed(self, span: Span) -> Span:
        """Pixels of the source that a span of the target is made of."""
        part = slice(*span)
        return int(self._first[part].min()), int(self._last[part].max())

    def apply(self, lines: NDArray[Any], span: Span) -> NDArray[Any]:
        """Resize along the first axis: `lines` are those that are needed."""
        part = slice(*span)
        weights, start = self._weights[part], self.needed(span)[0]
        counts = self._last[part] - self._first[part]
        used = np.arange(weights.shape[1]) < counts[:, None]
        at = (self._first[part, None] - start + np.arange(weights.shape[1]))[used]
        values = weights[used]
        if lines.dtype == np.uint8:
            values = np.trunc(np.copysign(0.5, values) + values * (1 << _FRACTION)).astype(np.int32)
        ends = np.concatenate([[0], np.cumsum(counts)])
        matrix = csr_matrix((values, at, ends), (len(counts), len(lines)))
        if lines.dtype == np.uint8:
            sums = matrix @ lines.astype(np.int32) + np.int32(1 << (_FRACTION - 1))
            return np.asarray(np.clip(sums >> _FRACTION, 0, 255), np.uint8)
        return np.asarray(matrix @ lines.astype(np.float64), np.float32)


@lru_cache(maxsize=8)
def _axis(source: int, target: int, how: str) -> _Axis:
    return _Axis(source, target, how)


def _triangle(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1.0 - np.abs(x), 0.0)


def _lanczos(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where((x >= -3) & (x < 3), np.sinc(x) * np.sinc(x / 3), 0.0)


_Kernel = Callable[[NDArray[np.float64]], NDArray[np.float64]]
_KERNELS: dict[str, tuple[float, _Kernel]] = {
    "bilinear": (1.0, _triangle),
    "lanczos": (3.0, _lanczos),
}


def stretched_needs(source: Shape, target: Shape, box: Box) -> Box:
    """Window of the source that a window of the target is made of; see `stretched_window`."""
    if source == target:
        return box
    spans = []
    for n, m, side in zip(source, target, box, strict=True):
        low, high, _ = _linear(n, m, side)
        spans.append(slice(int(low[0]), int(high[-1]) + 1))
    return spans[0], spans[1]


def stretched_window(
    values: NDArray[np.float32], source: Shape, target: Shape, box: Box
) -> NDArray[np.float32]:
    """A window of a map that is resized as ``cv2.resize`` does with ``INTER_LINEAR``.

    Parameters
    ----------
    values : ndarray of float32
        What `stretched_needs` asks for.
    source, target : (int, int)
        Height and width of the whole map, and of what it is resized to.
    box : (slice, slice)
        Window of the target.

    Returns
    -------
    ndarray of float32, (y, x)
        To the bit where OpenCV uses fused multiply-add, else to the last digit.
    """
    if source == target:
        return values
    corner = stretched_needs(source, target, box)
    for axis in (1, 0):  # OpenCV's order
        low, high, part = _linear(source[axis], target[axis], box[axis])
        low, high = low - corner[axis].start, high - corner[axis].start
        part = part if axis else part[:, None]
        near = np.take(values, low, axis)
        # float64 holds the product exactly: rounded once, as a fused multiply-add
        step = np.multiply(np.take(values, high, axis) - near, part, dtype=np.float64)
        values = np.add(step, near, out=step).astype(np.float32)
    return values


def _linear(
    source: int, target: int, side: slice
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Both neighbours of each pixel of a window, and how far it is from the first to the second."""
    at = (np.arange(side.start, side.stop) + 0.5) * (source / target) - 0.5
    low = np.floor(at).astype(np.int64)
    part = (at - low).astype(np.float32)
    part[(low < 0) | (low >= source - 1)] = 0
    low = np.clip(low, 0, source - 1)
    return low, np.minimum(low + 1, source - 1), part
