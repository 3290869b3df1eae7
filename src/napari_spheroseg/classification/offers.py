"""Which classifiers a file holds: a collection, a classifier of measurements, a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadSetting, UnsafeFile
from ..models import load
from ..models.collections.classifiers import PICKLED, SKOPS, open_classifier
from ..models.model import sha256_of

if TYPE_CHECKING:
    from ..models import Collection

COLLECTIONS = (".zip", ".yml", ".yaml")
ENDINGS = (*COLLECTIONS, SKOPS, *PICKLED, ".onnx", ".pth", ".pt", ".safetensors")
"""What files with classifiers end in."""


@dataclass(frozen=True)
class Offer:
    """A classifier in a file.

    Attributes
    ----------
    title : str
        What it is called on screen.
    reference : str
        By which `open_judge` opens it.
    unsafe : str or None
        SHA-256 of its file, where opening it could run code: it has to be allowed first.
    """

    title: str
    reference: str
    unsafe: str | None = None


def offers_of(path: Path) -> list[Offer]:
    """Classifiers that a file holds; what could run code is not opened.

    Raises
    ------
    BadSetting
        There is none.
    SpherosegError
        The file cannot be used.
    """
    suffix = path.suffix.lower()
    if suffix in COLLECTIONS:
        from ..models.collections.reading import open_collection

        collection = open_collection(path)
        if not (found := list(_in_collection(collection))):
            raise BadSetting(
                f"{path.name} holds no classifier that can be run",
                hint=" ".join(each.reason for each in collection.entries.values() if each.reason),
            )
        return found
    if suffix in (SKOPS, *PICKLED):
        try:
            open_classifier(path.stem, path, None)
        except UnsafeFile:
            return [Offer(path.name, str(path), sha256_of(path))]
        return [Offer(path.name, str(path))]
    metadata = load(path).metadata
    if metadata.task != "classification":
        raise BadSetting(
            f"{path.name} is a model for {metadata.task}", hint="Choose one for classification."
        )
    return [Offer(path.name, str(path))]


def _in_collection(collection: Collection) -> Iterator[Offer]:
    for key, entry in collection.entries.items():
        title, reference = f"{key} ({collection.path.name})", f"{collection.path}#{key}"
        if key not in collection.classifiers:
            if entry.metadata is not None and entry.metadata.task == "classification":
                yield Offer(title, reference)
        elif entry.state == "unsafe file":
            yield Offer(title, reference, collection.checksum(key))
        elif entry.state == "loadable":
            yield Offer(title, reference)
