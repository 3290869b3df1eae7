"""Changes of a models folder that happen whole or not at all, whoever else is at it.

New models are made in a hidden folder beside the others. A journal then says which of them take
their places; whoever looks at the folder next finishes what a killed process had begun.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from ..errors import Busy, NameTaken, SpherosegError, UnknownName, UnreadableFile
from ..readwrite.atomic import PREFIX, UMASK, write_text
from .removed import Trashed, expired, place_for

LOCK = ".lock"
JOURNAL = ".commit.json"
_STAGE = ".staged-"
_OLD = ".old"
_PATIENCE = 120  # seconds; the lock is held while folders are renamed, not while they are written


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A models folder that nobody else changes during the block, and with no change half done.

    Raises
    ------
    Busy
        Others held it all the time.
    OSError
        The folder cannot be written.
    """
    try:
        with FileLock(folder / LOCK, timeout=_PATIENCE):
            if (folder / JOURNAL).is_file():
                _finish(folder)
            yield
    except Timeout as error:
        raise Busy(
            f"Other processes are changing {folder}", hint="Try again when they have ended."
        ) from error


@contextlib.contextmanager
def settled(folder: Path) -> Iterator[None]:
    """As `locked`, for those who only read: a folder that they may not write is as it is."""
    with contextlib.ExitStack() as stack:
        if folder.is_dir():
            with contextlib.suppress(OSError, NotImplementedError):
                stack.enter_context(locked(folder))
        yield


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A hidden folder in which the next models are made; gone at the end of the block.

    Raises
    ------
    OSError
        The models folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _sweep(folder)
        # not by tempfile: on Windows nobody else could ever read what is made in its folders
        stage = folder / f"{_STAGE}{uuid4().hex}"
        stage.mkdir()
        alive = FileLock(stage / LOCK)  # the system lets go of it when this process is killed
        alive.acquire()
        discard(stage, expired(folder))  # what is in use, the next change deletes
    try:
        yield stage
    finally:
        alive.release()
        if not _is_planned(stage):
            shutil.rmtree(stage, ignore_errors=True)


@contextlib.contextmanager
def written_to(target: Path) -> Iterator[None]:
    """Our error where the models folder cannot be written during the block."""
    try:
        yield
    except SpherosegError:
        raise
    except OSError as error:
        raise UnreadableFile(
            f"{target} cannot be written: {error.strerror or error}",
            hint="Check its permissions and the free space, or set SPHEROSEG_MODELS.",
        ) from error


def commit(stage: Path, *, replace: bool = False) -> None:
    """Put all models of a staging folder into their places, at once.

    Parameters
    ----------
    stage : Path
        As from `staged`; each folder in it is a model.
    replace : bool
        Models of these names may be there; they go to the trash.

    Raises
    ------
    NameTaken
        A model of this name is there; nothing was changed.
    OSError
        A folder cannot be moved; nothing was changed, or the next look finishes it.
    """
    folder = stage.parent
    put = sorted(each.name for each in stage.iterdir() if not each.name.startswith("."))
    for path in (each for name in put for each in (stage / name, *(stage / name).rglob("*"))):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~UMASK)  # as what others make
    with locked(folder):
        taken = [name for name in put if (folder / name).exists()]
        if taken and not replace:
            raise name_taken(taken[0])
        old = [(folder / name, place_for(folder, name).folder) for name in taken]
        new = [(stage / name, folder / name) for name in put]
        carry_out(folder, [*old, *new])


def carry_out(folder: Path, moves: Sequence[tuple[Path, Path]]) -> None:
    """Move folders within a locked models folder: all of them, whoever is killed meanwhile.

    Parameters
    ----------
    folder : Path
        Of models; the caller holds it `locked`.
    moves : sequence of (Path, Path)
        From where to where; nothing is there unless a move before takes it away.

    Raises
    ------
    OSError
        A folder cannot be moved; nothing was changed, or the next look finishes it.
    """
    plan = [[each.relative_to(folder).as_posix() for each in move] for move in moves]
    write_text(folder / JOURNAL, json.dumps(plan))  # from here on, it happens
    try:
        _finish(folder)
    except OSError:
        _undo(folder)
        raise


def discard(stage: Path, removed: Iterable[Trashed]) -> None:
    """Let removed models be deleted with a staging folder, but for those that are in use."""
    for each in removed:
        with contextlib.suppress(OSError):
            _move(each.folder, stage / _OLD / each.key)


def name_taken(name: str) -> NameTaken:
    """Error for a name that an installed model has."""
    return NameTaken(
        f"A model '{name}' is installed already", hint="Choose another name, or ask to replace it."
    )


def gone(name: str) -> UnknownName:
    """Error for a model that others removed meanwhile."""
    return UnknownName(f"There is no model '{name}' any more")


def _plan(folder: Path) -> list[tuple[Path, Path]]:
    try:
        moves = json.loads((folder / JOURNAL).read_text(encoding="utf-8"))
        return [(folder / source, folder / target) for source, target in moves]
    except (ValueError, TypeError):
        return []  # damaged by others: it was written whole


def _finish(folder: Path) -> None:
    """Do what the journal says and is not done yet."""
    for source, target in _plan(folder):
        _move(source, target)
    (folder / JOURNAL).unlink()


def _undo(folder: Path) -> None:
    """Take back what was done of the journal; where that fails too, it waits to be finished."""
    for source, target in reversed(_plan(folder)):
        _move(target, source)
    (folder / JOURNAL).unlink()


def _move(source: Path, target: Path) -> None:
    """Unless it was done: then something is there, or nothing left to move."""
    if source.exists() and not target.exists():
        target.parent.mkdir(exist_ok=True)
        source.rename(target)


def _is_planned(stage: Path) -> bool:
    try:
        return any(stage in path.parents for move in _plan(stage.parent) for path in move)
    except OSError:
        return False


def _sweep(folder: Path) -> None:
    """Delete what killed processes left; those that live hold the lock of their folder."""
    for path in folder.glob(f"{PREFIX}*"):  # a journal that was never finished
        path.unlink(missing_ok=True)
    for stage in folder.glob(f"{_STAGE}*"):
        with contextlib.suppress(Timeout, OSError):
            with FileLock(stage / LOCK, timeout=0):
                pass
            shutil.rmtree(stage, ignore_errors=True)
