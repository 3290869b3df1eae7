"""Whether each model is what its model.json describes."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import SpherosegError
from ..models import known, load
from ..models.library import read_metadata, shipped_folder, user_folder
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
            yield Finding(f"model {name}", "problem", str(error), _again(name))
        else:
            said = f"{metadata.task}, sha256 {checksum[:12]} is as described"
            yield Finding(f"model {name}", "ok", said)
    if not known():
        said = f"none, neither in {shipped_folder()} nor installed"
        mend = "pip install --force-reinstall --no-deps napari-spheroseg"
        yield Finding("models", "problem", said, mend)


def _again(name: str) -> str:
    if (user_folder() / name).is_dir():
        return f"spheroseg models remove {name}, and install it again"
    return "pip install --force-reinstall --no-deps napari-spheroseg"


def _unreadable() -> Iterator[Finding]:
    """Folders that the library passes over because their model.json cannot be read."""
    for place in (shipped_folder(), user_folder()):
        if not place.is_dir():
            continue
        for folder in sorted(place.iterdir()):
            if folder.name.startswith(".") or not folder.is_dir():
                continue
            try:
                read_metadata(folder)
            except (SpherosegError, OSError) as error:
                said = " ".join(str(error).split())[:300]
                mend = f"Delete {folder}, and install the model again"
                yield Finding(f"model {folder.name}", "problem", said, mend)
