"""Whether the models on disk are the ones that their metadata describe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import NoWeights, SpherosegError
from .library import folder_of, folders, load


@dataclass(frozen=True)
class Verdict:
    """What was found out about one model.

    Attributes
    ----------
    name : str
    folder : Path
    is_good : bool
        Its checksum is right and its weights fit its network; or it waits for weights.
    reason : str
        What is wrong with it, or that it has no weights.
    """

    name: str
    folder: Path
    is_good: bool
    reason: str = ""

    def __str__(self) -> str:
        if self.is_good:
            return f"{self.name}: {self.reason or 'ok'}"
        return f"{self.name}: FAILED: {self.reason}"


def verify(name: str | None = None) -> Iterator[Verdict]:
    """Read every model, shipped and installed, and compare it with its metadata.

    Parameters
    ----------
    name : str, optional
        Only the model of this name.

    Yields
    ------
    Verdict
        One a folder; a shipped model whose name was taken by an installed one has its own.

    Raises
    ------
    UnknownName
        No model has this name.
    """
    chosen = [each for each in folders() if name in (None, each.name)]
    if name is not None and not chosen:
        folder_of(name)
    for folder in chosen:
        yield _verdict(folder)


def _verdict(folder: Path) -> Verdict:
    try:
        load(folder).check()
    except NoWeights:
        return Verdict(folder.name, folder, True, "no weights yet")
    except SpherosegError as error:
        return Verdict(folder.name, folder, False, str(error))
    return Verdict(folder.name, folder, True)
