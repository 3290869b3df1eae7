"""What an address says: where a file is, what it is called, and what its checksum is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from ...errors import BadSetting

_SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors", ".onnx", ".zip")
_SAFE = "/%:@!$&'()*+,;=~-._"  # what stands in a path as it is; the rest is quoted
_LONGEST = 100  # characters of a file's name


@dataclass(frozen=True)
class Address:
    """Where a file is.

    Attributes
    ----------
    url : str
        As the server is asked.
    shown : str
        The same without what may be a secret: what stands behind a question mark.
    sha256 : str or None
        Checksum that the file must have.
    """

    url: str
    shown: str
    sha256: str | None = None

    @classmethod
    def parse(cls, text: str, sha256: str | None = None) -> Address:
        """Take an address apart.

        Parameters
        ----------
        text : str
            ``https://…`` or ``http://…``, perhaps with ``#sha256=…`` at its end.
        sha256 : str, optional
            Checksum, where the address has none.

        Raises
        ------
        BadSetting
            It is no such address, or no such checksum.
        """
        try:
            split = urlsplit(text.strip())
            host = split.hostname or ""
            _ = split.port
            netloc = split.netloc.encode("idna").decode()
        except ValueError as error:
            raise BadSetting(f"'{text}' is no address: {error}") from error
        if split.scheme.lower() not in ("http", "https") or not host:
            raise BadSetting(
                f"'{text}' is no address of a file",
                hint="It begins with https://; a file on this computer is given by its path.",
            )
        if split.username or split.password:
            raise BadSetting(
                "An address with a user's name or password is not opened",
                hint="Download the file with a browser, and install it from there.",
            )
        given = {each.lower() for each in (_fragment(split), sha256) if each}
        if not all(re.fullmatch(r"[0-9a-f]{64}", each) for each in given) or len(given) > 1:
            raise BadSetting(
                "The checksum is no SHA-256, or there are two that differ",
                hint="It has 64 digits from 0 to f: --sha256 DIGITS, or #sha256=DIGITS.",
            )
        path = quote(split.path or "/", safe=_SAFE)
        query = quote(split.query, safe=_SAFE + "?")
        where = (split.scheme.lower(), netloc, path)
        return cls(
            urlunsplit((*where, query, "")),
            urlunsplit((*where, "", "")),
            given.pop() if given else None,
        )

    @property
    def host(self) -> str:
        """Name of the server."""
        return urlsplit(self.url).hostname or ""


def file_name(*candidates: str) -> str:
    """What to call a file: what tells by its ending that it is a model, else the first.

    Parameters
    ----------
    *candidates : str
        Names and addresses, the better ones first.
    """
    parts = [
        part
        for each in candidates
        for part in reversed(unquote(urlsplit(each).path).replace("\\", "/").split("/"))
    ]
    names = [name for name in map(_plain, parts) if name]
    told = (name for name in names if PurePosixPath(name).suffix.lower() in _SUFFIXES)
    return next(told, names[0] if names else "download")


def _plain(name: str) -> str:
    """A name that is a file's on every system."""
    return re.sub(r"[^A-Za-z0-9._ -]", "_", name)[-_LONGEST:].strip(" .")


def _fragment(split: SplitResult) -> str | None:
    if not split.fragment:
        return None
    key, _, value = split.fragment.partition("=")
    if key.lower() != "sha256":
        raise BadSetting(
            f"'#{split.fragment}' at the end of an address is not understood",
            hint="What may stand there is #sha256=DIGITS, the checksum of the file.",
        )
    return value or "missing"
