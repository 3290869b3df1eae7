"""Findings as text, and as a zip that can be attached to a bug report."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import platform
import re
import socket
import zipfile
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path

from ..readwrite.atomic import replacing
from .finding import Finding

_VARIABLES = re.compile(r"(SPHEROSEG|NAPARI|QT|CUDA|OMP|MKL|OV|ORT|TORCH|PYTORCH)_\w+|DISPLAY|LANG")


def as_text(findings: Iterable[Finding]) -> str:
    """A line a finding, with what mends it below."""
    lines = []
    for each in findings:
        lines.append(f"{each.verdict:8s} {each.topic}: {each.said}")
        if each.mend:
            lines.append(f"{'':8s} -> {each.mend}")
    return "\n".join(lines)


def write_zip(findings: Iterable[Finding], path: str | Path) -> Path:
    """Write findings, installed packages and settings without what tells who and where you are.

    The home folder, the names of user and machine are replaced in all texts; of the environment's
    variables only those are kept that bear on us. Images and results are never in it.

    Parameters
    ----------
    findings : iterable of Finding
    path : str or Path
        The zip; one that is there is replaced.

    Returns
    -------
    Path

    Raises
    ------
    UnreadableFile
        The folder cannot be written.
    """
    findings, path = list(findings), Path(path)
    texts = {
        "report.txt": as_text(findings),
        "findings.json": json.dumps([asdict(each) for each in findings], indent=2),
        "packages.txt": "\n".join(_packages()),
        "environment.txt": "\n".join(_environment()),
    }
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as out:
        for name, text in texts.items():
            out.writestr(name, without_names(text) + "\n")
    return path


def without_names(text: str) -> str:
    """A text with the home folder, and the names of user and machine replaced."""
    for name, instead in _names():
        text = re.sub(name, instead, text, flags=re.IGNORECASE)
    return text


def _names() -> list[tuple[str, str]]:
    """Patterns of what is private, and what stands for it; paths before the names within them."""
    homes = {str(Path.home()), os.path.realpath(Path.home())}
    ways = {way for home in homes for way in _spellings(home)}
    hosts = {platform.node(), socket.gethostname()}
    hosts |= {host.partition(".")[0] for host in hosts}
    return [
        *((re.escape(way) + r"(?![^\W_])", "<home>") for way in _longest_first(ways)),
        *((_alone(host), "<host>") for host in _longest_first(hosts)),
        *((_alone(user), "<user>") for user in _longest_first(_users())),
    ]


def _longest_first(names: Iterable[str]) -> list[str]:
    """Names that are long enough to tell anything."""
    return sorted((name for name in names if len(name) > 1), key=len, reverse=True)


def _spellings(path: str) -> set[str]:
    # JSON writes a backslash twice
    return {path, path.replace("\\", "/"), path.replace("\\", "\\\\")}


def _alone(name: str) -> str:
    # not \b: a name is also private between underscores
    return rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"


def _users() -> set[str]:
    users = {Path.home().name}
    with contextlib.suppress(OSError, KeyError, ImportError):  # a container may not know its user
        users.add(getpass.getuser())
    return users


def _packages() -> list[str]:
    names = ((each.metadata["Name"], each.version) for each in distributions())
    return sorted({f"{name}=={version}" for name, version in names if name}, key=str.lower)


def _environment() -> list[str]:
    kept = (name for name in sorted(os.environ) if _VARIABLES.fullmatch(name))
    return [f"{name}={os.environ[name]}" for name in kept]
