"""What a batch has done, in a file that a crash leaves whole.

One SQLite file in the folder of the results. It holds the recipe, and for every image its state,
its rows of the tables and the names of its files; these are noted once they are all written.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from ..errors import Busy, UnreadableFile
from .items import Done, Item

NAME = "journal.sqlite"
_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS batch (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS items (
    number INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, stem TEXT UNIQUE NOT NULL COLLATE NOCASE,
    item TEXT NOT NULL, done TEXT NOT NULL DEFAULT '{}', rows TEXT NOT NULL DEFAULT ''
);
"""


class Journal:
    """The journal of a folder of results; one process at a time has it.

    Parameters
    ----------
    folder : Path
        Made if need be.

    Raises
    ------
    Busy
        Another process is writing into this folder.
    UnreadableFile
        The folder cannot be written, or the file is no journal.

    Notes
    -----
    Where the disk is full, what could not be written is kept and written later.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._late: dict[str, tuple[str, ...]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise UnreadableFile(
                f"{folder} cannot be written: it is no folder", hint="Choose another."
            ) from error
        except OSError as error:
            raise UnreadableFile(
                f"{folder} cannot be written: {error.strerror or error}",
                hint="Check the folder's permissions and the free space.",
            ) from error
        with self._told():
            self._data = sqlite3.connect(self.path, timeout=0, check_same_thread=False)
        try:
            with self._told():
                self._data.execute("PRAGMA locking_mode = EXCLUSIVE")
                # the disk is not waited for: after a power cut the last images are done again
                self._data.execute("PRAGMA journal_mode = WAL")
                self._data.execute("PRAGMA synchronous = NORMAL")
                self._data.executescript(_SCHEMA)
            if self.get("format", _FORMAT) > _FORMAT:
                raise UnreadableFile(
                    f"{self.path} was written by a newer version",
                    hint="Update napari-spheroseg, or choose another folder.",
                )
            self.note("format", _FORMAT)  # from here on, nobody else can open it
        except BaseException:
            self._data.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others have it.

        Raises
        ------
        UnreadableFile
            Something could not be noted; it will be done again.
        """
        self._write_late()
        self._data.close()
        if self._late:
            raise UnreadableFile(
                f"{self.path} lacks {len(self._late)} images: the disk is full",
                hint="Make room and run the same again: those are done again.",
            )

    def get(self, key: str, default: Any = None) -> Any:
        """What was noted of the whole batch by this name."""
        query = "SELECT value FROM batch WHERE key = ?"
        with self._told():
            found = self._data.execute(query, (key,)).fetchone()
        return json.loads(found[0]) if found else default

    def note(self, key: str, value: Any) -> None:
        """Note something of the whole batch; anything that JSON holds."""
        with self._told(), self._data:
            self._data.execute("REPLACE INTO batch VALUES (?, ?)", (key, json.dumps(value)))

    def entries(self) -> dict[str, tuple[Item, Done]]:
        """What became of every image, by key, in the order in which they came; without rows."""
        return {item.key: (item, done) for item, done in self._read("''")}

    def results(self) -> Iterator[tuple[Item, Done]]:
        """The images that are done, with their rows."""
        return (pair for pair in self._read("rows") if pair[0].state == "done")

    def add(self, items: Iterable[Item]) -> None:
        """Images that are new to it."""
        rows = [(item.key, item.stem, json.dumps(vars(item))) for item in items]
        with self._told(), self._data:
            self._data.executemany("INSERT INTO items (key, stem, item) VALUES (?, ?, ?)", rows)

    def set(self, item: Item, done: Done | None = None) -> None:
        """What became of an image; where the disk is full, it is written with the next one."""
        left = {**vars(done or Done()), "rows": ""}
        rows = done.rows if done else ""
        self._late[item.key] = (json.dumps(vars(item)), json.dumps(left), rows, item.key)
        self._write_late()

    def forget(self) -> None:
        """Begin anew."""
        with self._told(), self._data:
            self._data.executescript("DELETE FROM items; DELETE FROM batch;")

    def _write_late(self) -> None:
        query = "UPDATE items SET item = ?, done = ?, rows = ? WHERE key = ?"
        with contextlib.suppress(sqlite3.OperationalError):
            with self._data:
                self._data.executemany(query, self._late.values())
            self._late.clear()

    def _read(self, rows: str) -> Iterator[tuple[Item, Done]]:
        with self._told():
            found = self._data.execute(f"SELECT item, done, {rows} FROM items ORDER BY number")
            for item, done, own in found:
                known = {**json.loads(done), "rows": own}
                yield Item(**_tuples(json.loads(item))), Done(**_tuples(known))

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                raise Busy(
                    f"Another batch is writing into {self.path.parent}",
                    hint="Wait until it is done, or choose another folder.",
                ) from error
            raise UnreadableFile(
                f"{self.path} cannot be used: {error}",
                hint="Check the folder's permissions and the free space; or choose another folder.",
            ) from error


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
