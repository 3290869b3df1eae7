"""Files that are either complete or not there."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import SpherosegError, UnreadableFile

PREFIX = ".spheroseg-"
"""What the names of files that are not complete begin with."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path`, of the same suffix, that takes its place at the end of the block.

    Raises
    ------
    UnreadableFile
        The folder cannot be written, or the disk is full; nothing is left behind.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=PREFIX, suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~UMASK)
        temporary.replace(path)
    except SpherosegError:  # of what was to be written; some are OSErrors
        raise
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be written: {error.strerror or error}",
            hint="Check the folder's permissions and the free space.",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, complete or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_leftovers(folder: Path) -> None:
    """Delete what a process that was killed left in a folder; nobody else may be writing there."""
    for path in folder.glob(f"{PREFIX}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)  # there is no way to read it but to set it
    os.umask(current)
    return current


UMASK = _umask()
"""Permissions that new files lack; read once, while there is but one thread."""
