"""A folder for arrays that do not fit in memory, and a count of the work."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import SpherosegError, UnreadableFile


class Scratch:
    """An array in a file of its own, zeros at first; windows of its planes are read and written.

    Not a memory map: its pages would count as memory of the process, and a full disk would end it.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Leading lengths, height and width.
    dtype : dtype
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self._path = path
        self._file = path.open("w+b", buffering=0)
        self._file.truncate(math.prod(shape) * self.dtype.itemsize)

    def __getitem__(self, key: tuple[Any, ...]) -> NDArray[Any]:
        """A window: a number for every leading axis, then two slices."""
        first, rows, columns = self._window(key)
        values = np.empty((len(rows), len(columns)), self.dtype)
        for part, offset in self._runs(values, first, rows, columns):
            self._file.seek(offset)
            self._file.readinto(part)
        return values

    def __setitem__(self, key: tuple[Any, ...], values: NDArray[Any]) -> None:
        first, rows, columns = self._window(key)
        values = np.ascontiguousarray(values, self.dtype)
        for part, offset in self._runs(values, first, rows, columns):
            self._file.seek(offset)
            self._file.write(part)

    def _window(self, key: tuple[Any, ...]) -> tuple[int, range, range]:
        *leading, height, width = self.shape
        plane = int(np.ravel_multi_index(key[:-2], leading)) if leading else 0
        rows, columns = range(*key[-2].indices(height)), range(*key[-1].indices(width))
        return plane * height, rows, columns

    def _runs(
        self, values: NDArray[Any], first: int, rows: range, columns: range
    ) -> Iterator[tuple[memoryview, int]]:
        """Bytes that lie together in the file, and where."""
        size, width = self.dtype.itemsize, self.shape[-1]
        if not values.size:
            return
        if len(columns) == width:
            values = values.reshape(1, -1)
        flat = memoryview(values).cast("B")  # type: ignore[arg-type]
        length = values.shape[1] * size
        for i in range(len(values)):
            offset = ((first + rows[i]) * width + columns[0]) * size
            yield flat[i * length : (i + 1) * length], offset

    def delete(self) -> None:
        """Close and remove the file."""
        self._file.close()
        self._path.unlink(missing_ok=True)


@dataclass
class Room:
    """Where a run keeps what is between its steps.

    Generators that work in it yield once a part of their work, after they announced how many
    parts it has.

    Attributes
    ----------
    folder : Path
        Gone when the run ends, however it ends.
    block : int
        Side of the windows that objects are found in (px).
    parts : int
        Parts of work that were announced so far.
    """

    folder: Path
    block: int
    parts: int = 0
    _arrays: list[Scratch] = field(default_factory=list, repr=False)

    def expect(self, parts: int) -> None:
        """Announce work."""
        self.parts += parts

    def array(self, shape: tuple[int, ...], dtype: Any) -> Scratch:
        """A new array of zeros."""
        self._arrays.append(Scratch(self.folder / str(len(self._arrays)), shape, dtype))
        return self._arrays[-1]

    def clear(self) -> None:
        """Delete all arrays."""
        for each in self._arrays:
            each.delete()


@contextlib.contextmanager
def room(out: Path, block: int) -> Iterator[Room]:
    """A room beside the results.

    Raises
    ------
    UnreadableFile
        The folder cannot be written, or the disk is full.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=".spheroseg-", dir=out, ignore_cleanup_errors=True
        ) as folder:
            place = Room(Path(folder), block)
            try:
                yield place
            finally:
                place.clear()
    except SpherosegError:
        raise
    except OSError as error:
        raise UnreadableFile(
            f"{out} cannot be written: {error.strerror or error}",
            hint="Check the folder's permissions and the free space.",
        ) from error
