"""Arrays that stay in their files until they are sliced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Mapped:
    """An uncompressed array within a file; mapped only while it is read.

    A map that stayed open would count as memory of the process, page by page.

    Parameters
    ----------
    path : Path
    offset : int
        Bytes before it.
    shape : tuple of int
    dtype : dtype
    """

    def __init__(self, path: Path, offset: int, shape: tuple[int, ...], dtype: Any) -> None:
        self._path, self._offset, self._stored = path, offset, np.dtype(dtype)
        self.shape, self.dtype = tuple(shape), self._stored.newbyteorder("=")

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        mapped = np.memmap(self._path, self._stored, "r", self._offset, self.shape)
        return np.array(mapped[key], self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype)


class Transposed:
    """An array with its axes in another order.

    Parameters
    ----------
    data : array
        With ``shape``, ``dtype`` and slicing.
    order : sequence of int
        Axes of `data`, in the order that they are wanted in.
    """

    def __init__(self, data: Any, order: list[int]) -> None:
        self._data, self._order = data, order
        self.shape = tuple(data.shape[i] for i in order)
        self.dtype = np.dtype(data.dtype)
        chunks = getattr(data, "chunks", None)
        self.chunks = None if chunks is None else tuple(chunks[i] for i in order)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """One slice or number an axis; axes that are left out are whole."""
        key = () if key is Ellipsis else key if isinstance(key, tuple) else (key,)
        whole = (*key, *(slice(None),) * (self.ndim - len(key)))
        inner: list[Any] = [None] * self.ndim
        for part, axis in zip(whole, self._order, strict=True):
            inner[axis] = part
        values = np.asarray(self._data[tuple(inner)])
        kept = [axis for part, axis in zip(whole, self._order, strict=True) if _stays(part)]
        return values.transpose([sorted(kept).index(axis) for axis in kept])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype)


def _stays(part: Any) -> bool:
    return isinstance(part, slice)


def usual_order(data: Any, axes: str) -> tuple[Any, str]:
    """Y, X and samples last, whatever their order in the file."""
    order = [i for i, axis in enumerate(axes) if axis not in "YXS"]
    order += [axes.index(axis) for axis in "YXS" if axis in axes]
    if order == list(range(len(axes))):
        return data, axes
    named = "".join(axes[i] for i in order)
    if isinstance(data, np.ndarray):
        return data.transpose(order), named
    return Transposed(data, order), named
