"""What the table of models says of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import SpherosegError
from ...models import ModelMetadata
from ...models.library import WEIGHTS, folders, read_metadata, shipped_folder, user_folder
from ...models.staging import settled

SHIPPED, INSTALLED = "shipped", "installed"
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
        "shipped", "installed", "waits for a checkpoint" or "damaged".
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
    def has_weights(self) -> bool:
        """Whether it can be exported and bundled, if its weights are whole."""
        return self.metadata is not None and self.metadata.has_weights

    @property
    def is_users(self) -> bool:
        """Whether the user may rename and remove it: it is a model, and does not ship."""
        return self.metadata is not None and self.folder.parent == user_folder()


def rows() -> list[Row]:
    """All models, shipped ones first; an installed one takes the place of its shipped namesake."""
    found: dict[str | Path, Row] = {}
    with settled(user_folder()):
        for folder in folders():
            row = _row(folder)
            # one that cannot be read takes nobody's place: the library passes it over too
            found[folder if row.metadata is None else row.name] = row
    return list(found.values())


def _row(folder: Path) -> Row:
    try:
        metadata = read_metadata(folder)
    except (SpherosegError, OSError) as error:
        return Row(folder, None, DAMAGED, problem=str(error))
    if not metadata.has_weights:
        return Row(folder, metadata, WAITING)
    try:
        size = (folder / WEIGHTS).stat().st_size
    except OSError as error:
        why = f"{WEIGHTS} cannot be read: {error.strerror or error}"
        return Row(folder, metadata, DAMAGED, problem=why)
    return Row(folder, metadata, SHIPPED if folder.parent == shipped_folder() else INSTALLED, size)
