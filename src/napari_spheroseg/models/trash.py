"""Removed models, kept for a while: what was removed by mistake comes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..errors import UnknownName
from ..registry import unknown_name
from .library import own_folder
from .places import inside, user_folder
from .staging import locked, name_taken, staged, written_to

KEPT = 30  # days
_TRASH = ".trash"
_STAMP = "%Y%m%dT%H%M%S%f"


@dataclass(frozen=True)
class Trashed:
    """A model that was removed.

    Attributes
    ----------
    folder : Path
        Where it lies now, under its name, ``@`` and the time.
    name : str
        What it was called.
    removed : datetime
        When, in UTC.
    """

    folder: Path
    name: str
    removed: datetime

    @property
    def key(self) -> str:
        """What tells it from others of its name."""
        return self.folder.name

    @property
    def expires(self) -> datetime:
        """The first removal after this time deletes it."""
        return self.removed + timedelta(days=KEPT)


def remove(name: str) -> Trashed:
    """Move a model that the user installed to the trash, where it is kept for 30 days.

    Parameters
    ----------
    name : str
        Of an installed model; it may be damaged.

    Returns
    -------
    Trashed
        `restore` brings it back.

    Raises
    ------
    UnknownName
        No model has this name.
    BadSetting
        It ships with the package or lies in a shared folder, and stays.
    UnreadableFile
        The models folder cannot be written; nothing was changed.
    """
    source = own_folder(name)
    folder = source.parent
    with written_to(folder):
        (folder / _TRASH).mkdir(exist_ok=True)
        with locked(folder):
            if not source.exists():
                raise UnknownName(f"There is no model '{name}' any more")
            now = datetime.now(UTC)
            while (target := folder / _TRASH / f"{name}@{now:{_STAMP}}").exists():
                now += timedelta(microseconds=1)
            source.rename(target)
        _delete([each for each in trashed() if each.expires < now])
    return Trashed(target, name, now)


def trashed() -> list[Trashed]:
    """The models in the trash, those that were removed last first."""
    return sorted(_entries(), key=lambda each: each.removed, reverse=True)


def restore(name: str) -> str:
    """Bring a removed model back.

    Parameters
    ----------
    name : str
        What it was called: of several, the last that was removed; or the `key` of one.

    Returns
    -------
    str
        Its name.

    Raises
    ------
    UnknownName
        There is no such model in the trash.
    NameTaken
        A model of this name was installed since.
    UnreadableFile
        The models folder cannot be written; nothing was changed.
    """
    folder = user_folder()
    found = [each for each in trashed() if name in (each.name, each.key)]
    if not found:
        names = list(dict.fromkeys(each.name for each in trashed()))
        raise unknown_name("removed model", name, names)
    chosen = found[0]
    with written_to(folder), locked(folder):
        if (folder / chosen.name).exists():
            raise name_taken(chosen.name)
        if not chosen.folder.exists():
            raise UnknownName(f"'{chosen.key}' is not in the trash any more")
        chosen.folder.rename(folder / chosen.name)
    return chosen.name


def empty_trash() -> list[Trashed]:
    """Delete all removed models for good.

    Returns
    -------
    list of Trashed
        What was deleted.

    Raises
    ------
    UnreadableFile
        The models folder cannot be written.
    """
    every = trashed()
    with written_to(user_folder()):
        _delete(every)
    return every


def _entries() -> Iterator[Trashed]:
    for folder in inside(user_folder() / _TRASH):
        name, _, stamp = folder.name.rpartition("@")
        try:
            removed = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue  # none of ours
        if name:
            yield Trashed(folder, name, removed)


def _delete(gone: list[Trashed]) -> None:
    """Out of the trash at once; deleting them may take its time, or be finished by others."""
    if not gone:
        return
    folder = user_folder()
    with staged(folder) as stage, locked(folder):
        for each in gone:
            if each.folder.exists():
                each.folder.rename(stage / each.key)
