"""What lies in the trash of a models folder, and how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

KEPT = 30  # days
TRASH = ".trash"
_STAMP = "%Y%m%dT%H%M%S%f"


@dataclass(frozen=True)
class Trashed:
    """A model that was removed, or replaced by another of its name.

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
        """The first installation or removal after this time deletes it."""
        return self.removed + timedelta(days=KEPT)


def in_trash(folder: Path) -> list[Trashed]:
    """The models in the trash of a models folder, those that were removed last first."""
    return sorted(_entries(folder), key=lambda each: each.removed, reverse=True)


def expired(folder: Path) -> list[Trashed]:
    """Those of them whose time is over."""
    return [each for each in in_trash(folder) if each.expires < datetime.now(UTC)]


def place_for(folder: Path, name: str) -> Trashed:
    """Where a model of this name goes that is removed now; nothing is there yet."""
    now = datetime.now(UTC)
    while (target := folder / TRASH / f"{name}@{now:{_STAMP}}").exists():
        now += timedelta(microseconds=1)
    return Trashed(target, name, now)


def _entries(folder: Path) -> Iterator[Trashed]:
    for path in (folder / TRASH).glob("*@*"):
        name, _, stamp = path.name.rpartition("@")
        try:
            removed = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue  # none of ours
        if name and path.is_dir():
            yield Trashed(path, name, removed)
