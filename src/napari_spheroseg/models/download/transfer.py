"""A file on its way here: what arrived is kept, so that a broken download goes on."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout
from pydantic import Field

from ...errors import Busy, UnreadableFile, UnsafeFile, WrongWeights
from ...readwrite.atomic import write_text
from ...settings import Settings
from ..formats.archive import MAX_BYTES
from ..model import sha256_of
from ..staging import written_to
from .address import Address, file_name
from .opener import DownloadFailed, ask, unreachable

FOLDER = ".downloads"
_LOCK, _STATE, _PART, _WHOLE = ".lock", "state.json", "file.part", "whole"
_KEPT = 7 * 24 * 3600  # seconds that a part waits for its rest
_CHUNK = 2**20
_OFTEN = 0.1  # seconds between two steps


@dataclass(frozen=True)
class Received:
    """How much of a file is here.

    Attributes
    ----------
    done, total : int
        Bytes; the total is 0 where the server does not say.
    """

    done: int
    total: int


class _Known(Settings):
    """What the server said of a file."""

    name: str = "download"
    validator: str = Field("", description="Changes when the file does.")
    total: int = Field(-1, description="Bytes; 0 where it did not say.")


class Download:
    """One file, fetched into a hidden folder beside the models; a context.

    Parameters
    ----------
    address : Address
        Where it is.
    models : Path
        The folder of models.

    Raises
    ------
    Busy
        Another process downloads the same file.
    UnreadableFile
        The folder cannot be written.
    """

    def __init__(self, address: Address, models: Path) -> None:
        self.address = address
        self._all = models / FOLDER
        self._folder = self._all / hashlib.sha256(address.url.encode()).hexdigest()[:16]
        self._part = self._folder / _PART
        # the generator may be closed in another thread than the one it ran in
        self._lock = FileLock(self._folder / _LOCK, timeout=0, thread_local=False)

    def __enter__(self) -> Self:
        with written_to(self._all):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire()
            except Timeout as error:
                raise Busy(
                    f"{self.address.shown} is being downloaded by another process",
                    hint="Wait for it to end.",
                ) from error
            _sweep(self._all)
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if not self._part.exists() and not any(self._folder.glob(f"{_WHOLE}/*")):
            shutil.rmtree(self._folder, ignore_errors=True)  # nothing came that is worth keeping

    def forget(self) -> None:
        """Delete what was fetched: it is used."""
        shutil.rmtree(self._folder / _WHOLE, ignore_errors=True)

    def steps(self) -> Generator[Received, None, Path]:
        """Fetch the file, or the rest of it.

        Returns
        -------
        Path
            The file, called as its address says.

        Raises
        ------
        DownloadFailed
            The server cannot be reached, or the connection broke; what arrived is kept.
        WrongWeights
            It is not the file of the checksum; it is deleted.
        UnsafeFile
            It is larger than any model.
        UnreadableFile
            The disk is full, or the folder cannot be written.
        """
        with written_to(self._all):
            self._take_back()
            start, known = self._kept()
            same = {"If-Range": known.validator} if known.validator else {}
            response = ask(self.address, {"Range": f"bytes={start}-", **same} if start else {})
            if response is None and start != known.total:  # behind the end: it is another file
                start, response = 0, ask(self.address, {})
            if response is not None:
                with response:
                    known = yield from self._receive(response, start)
            elif not start:
                raise DownloadFailed(f"{self.address.host} has nothing of {self.address.shown}")
            self._check()
            path = self._folder / _WHOLE / known.name
            path.parent.mkdir(exist_ok=True)
            self._part.replace(path)
        return path

    def _receive(self, response: HTTPResponse, start: int) -> Generator[Received, None, _Known]:
        if response.status != 206:  # the whole file: it changed, or the server has no parts
            start = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            self._part.unlink(missing_ok=True)
            raise DownloadFailed(f"{self.address.host} gave another part", hint="Try it again.")
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else 0
        self._make_room(total, start)
        known = self._note(response, total)
        done, told = start, 0.0
        yield Received(done, total)
        with self._part.open("ab" if start else "wb") as file:
            while chunk := self._next(response, done, total):
                file.write(chunk)
                done += len(chunk)
                if done > MAX_BYTES:
                    raise UnsafeFile(f"{self.address.shown} is larger than any model")
                if time.monotonic() - told > _OFTEN:
                    yield Received(done, total)
                    told = time.monotonic()
        if done < total:
            raise self._broken(done, total, "the connection was closed")
        yield Received(done, total or done)
        return known

    def _next(self, response: HTTPResponse, done: int, total: int) -> bytes:
        try:
            return response.read1(_CHUNK)
        except (HTTPException, OSError) as error:
            why = str(unreachable(self.address, error).message).partition(": ")[2]
            raise self._broken(done, total, why) from error

    def _broken(self, done: int, total: int, why: str) -> DownloadFailed:
        of = f" of {total / 1e6:.1f}" if total else ""
        return DownloadFailed(
            f"The download from {self.address.host} broke off after {done / 1e6:.1f}{of} MB: {why}",
            hint="Try it again: what arrived is kept.",
        )

    def _make_room(self, total: int, start: int) -> None:
        if total > MAX_BYTES:
            raise UnsafeFile(f"{self.address.shown} is larger than any model")
        free = shutil.disk_usage(self._folder).free
        if total - start > free:
            sizes = f"{total / 1e6:.0f} MB, and the disk has {free / 1e6:.0f} MB left"
            raise UnreadableFile(
                f"{self.address.shown} has {sizes}",
                hint="Make room, or set SPHEROSEG_MODELS to another disk.",
            )

    def _check(self) -> None:
        wanted = self.address.sha256
        if wanted is None:
            return
        found = sha256_of(self._part)
        if found != wanted:
            self._part.unlink()
            raise WrongWeights(
                f"{self.address.shown} is not the file of this checksum, but of {found[:12]}…",
                hint="Check the checksum; if it is right, do not use the file.",
            )

    # --- what is known of a part ----------------------------------------------------------------

    def _note(self, response: HTTPResponse, total: int) -> _Known:
        headers = response.headers
        tag = headers.get("ETag", "")
        tag = "" if tag.startswith("W/") else tag  # one that does not promise the same bytes
        known = _Known(
            name=file_name(headers.get_filename() or "", self.address.url, response.url),
            validator=tag or headers.get("Last-Modified", ""),
            total=total,
        )
        write_text(self._folder / _STATE, known.model_dump_json())
        return known

    def _kept(self) -> tuple[int, _Known]:
        """Bytes that can be gone on from, and what is known of them."""
        with suppress(OSError, ValueError):
            text = (self._folder / _STATE).read_text(encoding="utf-8")
            known = _Known.model_validate_json(text)
            if known.validator or self.address.sha256:  # else it may be another file by now
                return self._part.stat().st_size, known
        return 0, _Known()

    def _take_back(self) -> None:
        """A whole file that was not installed after all is a part again."""
        for path in self._folder.glob(f"{_WHOLE}/*"):
            path.replace(self._part)


def _sweep(every: Path) -> None:
    """Delete parts whose rest nobody came for."""
    for folder in every.iterdir():
        with suppress(OSError, ValueError, Timeout):
            age = time.time() - max(each.stat().st_mtime for each in folder.iterdir())
            if age > _KEPT:
                with FileLock(folder / _LOCK, timeout=0, thread_local=False):
                    pass
                shutil.rmtree(folder, ignore_errors=True)
