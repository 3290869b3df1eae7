"""Memory, disk, and the folders that are written to."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..inference.backends.converted import cache_folder
from ..inference.memory import GIGABYTE, memory_use
from ..models.library import user_folder
from .finding import Finding, Verdict

_LITTLE_MEMORY = 2.0  # GB: the largest published network takes 1.5 with a tile of 1024 px
_LITTLE_DISK = 1.0
_NO_DISK = 0.1


def memory() -> Iterator[Finding]:
    """Free memory of the machine."""
    ram = memory_use("cpu").ram
    said = f"{ram.free:.1f} of {ram.total:.1f} GB are free"
    if ram.free < _LITTLE_MEMORY:
        yield Finding("memory", "note", said, "Close other programs, or set a smaller tile")
    else:
        yield Finding("memory", "ok", said)


def disk() -> Iterator[Finding]:
    """Free space where models, converted networks and temporary files go."""
    seen = set()
    for name, folder in _places().items():
        place = _existing(folder)
        status = place.stat().st_dev
        if status in seen:  # the same disk
            continue
        seen.add(status)
        free = shutil.disk_usage(place).free / GIGABYTE
        verdict: Verdict = "problem" if free < _NO_DISK else "note" if free < _LITTLE_DISK else "ok"
        mend = "" if verdict == "ok" else "Delete what is not needed there"
        yield Finding("disk", verdict, f"{free:.1f} GB are free for {name} in {place}", mend)


def folders() -> Iterator[Finding]:
    """Whether the folders can be written to, or made where they are not there yet."""
    mends: dict[str, tuple[Verdict, str]] = {
        "models": ("problem", "Set SPHEROSEG_MODELS to a folder that you may write to"),
        # without it, they are converted again in every process
        "converted networks": ("note", "Set SPHEROSEG_CACHE to a folder that you may write to"),
        "temporary files": ("problem", "Set TMPDIR (on Windows TEMP) to a folder you may write to"),
    }
    for name, folder in _places().items():
        place = _existing(folder)
        fault = _cannot_write(place)
        if fault:
            verdict, mend = mends[name]
            yield Finding(f"folder of {name}", verdict, f"{folder}: {fault}", mend)
        else:
            yield Finding(f"folder of {name}", "ok", f"{folder} can be written to")


def _places() -> dict[str, Path]:
    return {
        "models": user_folder(),
        "converted networks": cache_folder(),
        "temporary files": Path(tempfile.gettempdir()),
    }


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())


def _cannot_write(place: Path) -> str:
    """Why no file can be made there; "" where one can."""
    if not place.is_dir():
        return f"{place} is no folder"
    try:
        # asking for permissions is not enough: a disk may be full, or mounted read-only
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"0")
    except OSError as error:
        return f"cannot be written to ({error.strerror or error})"
    return "" if os.access(place, os.W_OK | os.X_OK) else "cannot be written to"
