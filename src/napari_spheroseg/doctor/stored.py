"""Whether each model is what its model.json describes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import SpherosegError
from ..models import known, load
from ..models.library import find, read_metadata
from ..models.places import OWN_VARIABLE, folders, place_of, shared_folders, shipped_folder
from .finding import Finding


def models() -> Iterator[Finding]:
    """Checksums of all models; torch is not imported for that."""
    yield from _unreadable()
    for metadata in known():
        name = metadata.name
        if not metadata.has_weights:
            mend = f"spheroseg models install FILE --name {name}"
            yield Finding(f"model {name}", "note", "has no weights yet", mend)
            continue
        try:
            checksum = load(name).checksum
        except (SpherosegError, OSError) as error:
            yield Finding(f"model {name}", "problem", str(error), _again(find(name)[1]))
        else:
            said = f"{metadata.task}, sha256 {checksum[:12]} is as described"
            yield Finding(f"model {name}", "ok", said)
    if not known():
        said = f"none, neither in {shipped_folder()} nor installed"
        mend = "pip install --force-reinstall --no-deps napari-spheroseg"
        yield Finding("models", "problem", said, mend)


def _again(folder: Path) -> str:
    place = place_of(folder)
    if place == "installed":
        return f"spheroseg models remove {folder.name}, and install it again"
    if place == "shared":
        return f"Tell who keeps {folder.parent} to install it again, with {OWN_VARIABLE} set to it"
    return "pip install --force-reinstall --no-deps napari-spheroseg"


def _unreadable() -> Iterator[Finding]:
    """Folders that the library passes over because their model.json cannot be read."""
    for folder in folders():
        try:
            read_metadata(folder)
        except (SpherosegError, OSError) as error:
            said = " ".join(str(error).split())[:300]
            yield Finding(f"model {folder.name}", "problem", said, _again(folder))
    for place in shared_folders():
        if not place.is_dir():
            mend = "Connect it, or take it off the list: spheroseg models folders --drop FOLDER"
            yield Finding("shared models", "problem", f"{place} is not there", mend)
