"""Folders for results that nobody has saved yet: gone when nobody looks at them any more."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from ...errors import UnreadableFile

_LOCK = ".lock"
_PREFIX = "result-"
_PATIENCE = 20  # seconds; the lock of all is held while a folder is made


def temporary_folder() -> Path:
    """Where they are made: in the user's cache, or in ``SPHEROSEG_CACHE`` of the environment."""
    moved = os.environ.get("SPHEROSEG_CACHE")
    return (Path(moved) if moved else user_cache_path("napari-spheroseg", False)) / "large"


class Temporary:
    """A folder that goes with what is read from it.

    It is deleted when neither this nor anything that it is kept for is referenced any more, by
    `delete`, and when the process ends; what a killed process left, when the next is made.

    Raises
    ------
    UnreadableFile
        It cannot be made.

    Attributes
    ----------
    path : Path
    """

    def __init__(self) -> None:
        parent = temporary_folder()
        try:
            parent.mkdir(parents=True, exist_ok=True)
            with FileLock(parent / _LOCK, timeout=_PATIENCE):
                _sweep(parent)
                self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
                # the system lets go of it if we are killed; another thread may delete the folder
                alive = FileLock(self.path / _LOCK, thread_local=False)
                alive.acquire()
        except (OSError, Timeout, NotImplementedError) as error:  # or there are no locks
            raise UnreadableFile(
                f"{parent} cannot be written: {error}",
                hint="Results of large images are kept there until they are saved; set "
                "SPHEROSEG_CACHE to a folder that can be written.",
            ) from error
        self._delete = weakref.finalize(self, _delete, self.path, alive)

    def keep_for(self, readers: Iterable[Any]) -> None:
        """Stay for as long as any of these is referenced."""
        for each in readers:
            weakref.finalize(each, _nothing, self).atexit = False

    def delete(self) -> None:
        """Delete the folder now; what is read from it is 0 from now on."""
        self._delete()


def _nothing(_: Temporary) -> None:
    """What lets go of a folder: its caller held it until now."""


def _delete(path: Path, alive: FileLock) -> None:
    alive.release()
    shutil.rmtree(path, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Delete what killed processes left; those that live hold the lock of their folder."""
    for path in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(Timeout, OSError):
            with FileLock(path / _LOCK, timeout=0):
                pass
            shutil.rmtree(path, ignore_errors=True)
