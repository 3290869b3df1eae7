"""Images that come with labels: which file of labels belongs to which image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnreadableFile
from ..readwrite.images import SUFFIXES, is_zarr, stem_of
from .items import File

_STEM = "{stem}"
_NAMES = (f"{_STEM}_labels", _STEM, f"{_STEM}_masks", f"{_STEM}_cp_masks")
"""What files of labels are called in a folder: ours, those of the same name, Cellpose's."""
_ENDINGS = (*SUFFIXES, ".ome.zarr", ".zarr")


@dataclass(frozen=True)
class LabelledFile(File):
    """An image file, and how its labels are found.

    Attributes
    ----------
    path : Path
    labels : str
        As `find_labels` takes it.
    """

    labels: str = ""

    def mark(self) -> str:
        """Size and time of change of both files."""
        return f"{super().mark()} {File(find_labels(self.path, self.labels)).mark()}"


def check_labels(images: Sequence[Path], labels: str) -> None:
    """Refuse labels of which none belongs to an image, before earlier results make way.

    Raises
    ------
    UnreadableFile
        No image has labels.
    """
    missing: UnreadableFile | None = None
    for image in images:
        try:
            find_labels(image, labels)
        except UnreadableFile as error:
            missing = missing or error
        else:
            return
    if missing is not None:
        raise missing


def find_labels(image: Path, labels: str) -> Path:
    """The file of labels of an image.

    Parameters
    ----------
    image : Path
    labels : str
        A folder with ``<stem>_labels.tif`` or a file of the image's name; a pattern such as
        ``masks/{stem}_mask.png``; or one file.

    Raises
    ------
    UnreadableFile
        There is none.
    """
    stem = stem_of(image)
    for path in _candidates(stem, labels):
        if path.exists() and path.absolute() != image.absolute():
            return path
    raise UnreadableFile(
        f"There are no labels of {image.name} in {labels}",
        hint="Give a folder with <stem>_labels.tif, or a pattern like 'masks/{stem}_mask.png'.",
    )


def _candidates(stem: str, labels: str) -> Iterable[Path]:
    if _STEM in labels:
        yield Path(labels.replace(_STEM, stem))
    elif Path(labels).is_dir() and not is_zarr(Path(labels)):
        for name in _NAMES:
            for ending in _ENDINGS:
                yield Path(labels) / (name.replace(_STEM, stem) + ending)
    else:
        yield Path(labels)
