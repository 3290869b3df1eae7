"""What the table of models says of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import SpherosegError
from ...models import ModelMetadata
from ...models.library import read_metadata
from ...models.places import folders, place_of, user_folder
from ...models.staging import settled

WAITING, DAMAGED = "waits for a checkpoint", "damaged"


@dataclass(frozen=True)
class Row:
    """One folder that holds, or should hold, a model.

    Attributes
    ----------
    folder : Path
    metadata : ModelMetadata or None
        None where its model.json cannot be read.
    state : str
        "shipped", "installed", "shared", "waits for a checkpoint" or "damaged".
    size : int or None
        Bytes of its weights; None where there are none.
    problem : str
        What is wrong with a damaged one.
    """

    folder: Path
    metadata: ModelMetadata | None
    state: str
    size: int | None = None
    problem: str = ""

    @property
    def name(self) -> str:
        """The name that it is asked for by."""
        return self.folder.name

    @property
    def task(self) -> str:
        """What it does; empty where its model.json cannot be read."""
        return "" if self.metadata is None else self.metadata.task

    @property
    def has_weights(self) -> bool:
        """Whether it can be exported and bundled, if its weights are whole."""
        return self.metadata is not None and self.metadata.has_weights

    @property
    def is_users(self) -> bool:
        """Whether the user may remove it, damaged as it may be: it neither ships nor is shared."""
        return place_of(self.folder) == "installed"


def rows() -> list[Row]:
    """All models as the library finds them, and those that it passes over as damaged.

    Of several of one name there is one: the user's own, else a shared one, else the shipped one.
    """
    found: dict[str | Path, Row] = {}
    with settled(user_folder()):
        for folder in folders():
            row = _row(folder)
            # one that cannot be read takes nobody's place: the library passes it over too
            key = folder if row.metadata is None else row.name
            if key not in found or place_of(found[key].folder) == "shipped":
                found[key] = row
    return list(found.values())


def _row(folder: Path) -> Row:
    try:
        metadata = read_metadata(folder)
    except (SpherosegError, OSError) as error:
        return Row(folder, None, DAMAGED, problem=str(error))
    if not metadata.has_weights:
        return Row(folder, metadata, WAITING)
    try:
        size = (folder / metadata.weights_file).stat().st_size
    except OSError as error:
        why = f"{metadata.weights_file} cannot be read: {error.strerror or error}"
        return Row(folder, metadata, DAMAGED, problem=why)
    return Row(folder, metadata, place_of(folder), size)
