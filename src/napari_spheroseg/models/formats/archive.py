"""Zips and texts from strangers: no member leaves its folder, nothing is larger than it says."""

from __future__ import annotations

import errno
import json
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

from ...errors import SpherosegError, UnreadableFile, UnsafeFile, brief

MAX_MEMBERS = 1000
MAX_BYTES = 16 * 2**30
MAX_TEXT = 2**20
MAX_DIRECTORY = 4 * 2**20  # names of a zip's members; a million of them keep zipfile busy a minute
MAX_NODES = 20_000
MAX_RATIO, RATIO_FROM = 100, 64 * 2**20  # weights are mostly noise; small ones may be all zeros
_CHUNK = 2**20
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_BAD_PART = re.compile(r'[\x00-\x1f<>:"|?*\\]|[. ]$')  # what Windows refuses or reads otherwise
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # encrypted
    NotImplementedError,  # a compression that this Python lacks
    ValueError,
    OverflowError,
)


class Archive:
    """A zip, looked through before anything is read from it.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    UnreadableFile
        It is missing, no zip, or damaged.
    UnsafeFile
        A member would leave its folder, is a link, comes twice, or is too large.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise UnreadableFile(f"There is no file {path}", hint="Check the path.")
        check_directory(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except _BROKEN as error:
            raise self._damaged(error) from error
        try:
            self._members = self._checked()
        except SpherosegError:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._zip.close()

    @property
    def names(self) -> list[str]:
        """Paths of the files in it, with slashes."""
        return list(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def read(self, name: str) -> bytes:
        """A small member, at most 1 MiB.

        Raises
        ------
        UnreadableFile, UnsafeFile
            It is missing or damaged; it is larger.
        """
        member = self._member(name)
        if member.file_size > MAX_TEXT:
            raise UnsafeFile(
                f"{name} in {self.path.name} is too large to be a text",
                hint="Get the file again from its author.",
            )
        try:
            return self._zip.read(member)
        except _BROKEN as error:
            raise self._damaged(error, name) from error

    def extract(self, name: str, target: Path) -> Path:
        """Write a member to a file; its checksum is compared.

        Raises
        ------
        UnreadableFile
            It is missing or damaged, or the file cannot be written.
        """
        member = self._member(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._zip.open(member) as source, target.open("wb") as file:
                while chunk := source.read(_CHUNK):  # ends where the header says, by zipfile
                    file.write(chunk)
        except _BROKEN as error:
            if getattr(error, "errno", None) in _NO_ROOM:
                raise UnreadableFile(
                    f"There is no room to unpack {self.path.name} into {target.parent}",
                    hint="Make room there, or set TMPDIR (TEMP on Windows) to another disk.",
                ) from error
            raise self._damaged(error, name) from error
        return target

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            raise UnreadableFile(
                f"{self.path.name} holds no {name}", hint="Get the file again from its author."
            )
        return self._members[name]

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        members = self._zip.infolist()
        if len(members) > MAX_MEMBERS:
            raise self._unsafe(f"holds more than {MAX_MEMBERS} files")
        if sum(each.file_size for each in members) > MAX_BYTES:
            raise self._unsafe(f"would fill more than {MAX_BYTES // 2**30} GiB")
        seen: set[str] = set()
        files = {}
        for each in members:
            if fault := _fault(each):
                raise self._unsafe(f"holds {each.orig_filename[:80]!r}, which {fault}")
            folded = unicodedata.normalize("NFC", each.filename.rstrip("/")).casefold()
            if folded in seen:
                raise self._unsafe(f"holds {each.filename!r} twice")
            seen.add(folded)
            if not each.is_dir():
                files[each.filename] = each
        for name in files:  # a file that is another's folder
            for parent in PurePosixPath(name).parents:
                if str(parent) in files:
                    raise self._unsafe(f"holds {str(parent)!r} as a file and as a folder")
        return files

    def _unsafe(self, what: str) -> UnsafeFile:
        return UnsafeFile(
            f"{self.path.name} {what}", hint="Do not use it; get it again from its author."
        )

    def _damaged(self, error: Exception, name: str = "") -> UnreadableFile:
        what = f"{name} in {self.path.name}" if name else self.path.name
        return UnreadableFile(
            f"{what} is no readable zip, or damaged ({str(error)[:120] or type(error).__name__})",
            hint="Copy or download it again.",
        )


def check_directory(path: Path) -> None:
    """Refuse a zip that lists so many members that only reading their names takes long.

    Raises
    ------
    UnsafeFile
        It does.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END_SEARCHED))
        end = file.read()
        at = end.rfind(b"PK\x05\x06")
        if at < 0 or len(end) < at + 16:
            return  # no zip, as zipfile will say
        (listed,) = struct.unpack_from("<L", end, at + 12)
        if end[max(0, at - 20) :].startswith(b"PK\x06\x07"):  # zip64 has a second, longer record
            (start,) = struct.unpack_from("<Q", end, at - 12)
            file.seek(min(start, size))
            if len(record := file.read(48)) == 48:
                (listed,) = struct.unpack_from("<Q", record, 40)
    if listed > MAX_DIRECTORY:
        raise UnsafeFile(
            f"{path.name} lists far too many files", hint="Do not use it: it is no file of models."
        )


_END_SEARCHED = 2**16 + 64  # a comment of 64 KiB may follow the record at the end


def _fault(member: zipfile.ZipInfo) -> str:
    """Why a member cannot be unpacked safely; empty where it can."""
    name = member.orig_filename
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        return "would leave its folder"
    if any(_BAD_PART.search(part) or RESERVED.match(part) for part in parts):
        return "is no name that every system reads alike"
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if member.flag_bits & 1:
        return "is encrypted"
    if member.file_size > max(RATIO_FROM, MAX_RATIO * member.compress_size):
        return "grows more than a hundredfold when unpacked"
    return ""


def parse_yaml(content: bytes, name: str) -> dict[str, Any]:
    """A YAML mapping of plain values.

    Raises
    ------
    UnreadableFile
        It is not valid, or no mapping with names as keys.
    UnsafeFile
        It is too large, or grows too large through its references.
    """
    import yaml

    return _mapping(content, name, yaml.safe_load, (yaml.YAMLError,))


def parse_json(content: bytes, name: str) -> dict[str, Any]:
    """A JSON object.

    Raises
    ------
    UnreadableFile, UnsafeFile
        As `parse_yaml`.
    """
    return _mapping(content, name, json.loads, ())


def _mapping(
    content: bytes, name: str, parse: Any, errors: tuple[type[Exception], ...]
) -> dict[str, Any]:
    if len(content) > MAX_TEXT:
        raise UnsafeFile(f"{name} is too large: {len(content)} bytes")
    faults: tuple[type[Exception], ...] = (ValueError, TypeError, OverflowError, RecursionError)
    try:
        parsed = parse(content.decode("utf-8-sig"))
        _count(parsed, [0], name)
    except (*faults, *errors) as error:
        if isinstance(error, SpherosegError):
            raise
        raise UnreadableFile(
            f"{name} is not valid: {brief(error)}", hint="Correct the file, or get it again."
        ) from error
    if not isinstance(parsed, dict) or not all(isinstance(key, str) for key in parsed):
        raise UnreadableFile(f"{name} is no mapping of names to values", hint="Correct the file.")
    return parsed


def _count(value: Any, counted: list[int], name: str) -> None:
    """Go through everything, references as often as they are used, up to a bound."""
    counted[0] += 1
    if counted[0] > MAX_NODES:
        raise UnsafeFile(f"{name} holds too much", hint="A few dozen settings are usual.")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            _count(each, counted, name)


def read_text(path: Path) -> bytes:
    """A small file; one byte more than is allowed, if it is larger."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_TEXT + 1)
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read", hint="Check the path.") from error
