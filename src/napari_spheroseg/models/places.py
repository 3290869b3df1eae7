"""Where models lie: with the package, in the user's folder, and in folders that a lab shares."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path
from pydantic import Field

from ..errors import BadSetting, UnknownName
from ..readwrite.atomic import write_text
from ..settings import Settings
from .published import TITLES
from .staging import locked, written_to

OWN_VARIABLE, SHARED_VARIABLE = "SPHEROSEG_MODELS", "SPHEROSEG_SHARED_MODELS"
_SETTINGS = ".library.json"
Place = Literal["shipped", "installed", "shared"]


class LibrarySettings(Settings):
    """What the user chose for the library; kept in the user's folder of models."""

    defaults: dict[str, str] = Field({}, description="Task to name of its default model.")
    shared: tuple[str, ...] = Field((), description="Folders of models that others keep.")


def shipped_folder() -> Path:
    """Folder of the models that ship: inside the installed package, or at the checkout's root."""
    package = Path(__file__).parents[1]
    inside = package / "weights"
    return inside if inside.is_dir() else package.parents[1] / "weights"


def user_folder() -> Path:
    """Folder that models are installed into; ``SPHEROSEG_MODELS`` in the environment moves it."""
    if moved := os.environ.get(OWN_VARIABLE):
        return Path(moved).expanduser()
    return user_data_path("napari-spheroseg", False) / "models"


def shared_folders() -> list[Path]:
    """Folders of models that others keep: they are read, and never written to.

    Returns
    -------
    list of Path
        Those of ``SPHEROSEG_SHARED_MODELS`` in the environment, separated as in ``PATH``; then
        those of `add_shared_folder`.
    """
    said = os.environ.get(SHARED_VARIABLE, "").split(os.pathsep)
    every = [Path(each).expanduser() for each in (*said, *read_settings().shared) if each]
    ours = (user_folder(), shipped_folder())
    return [each for each in dict.fromkeys(every) if each not in ours]


def add_shared_folder(folder: str | Path) -> None:
    """List the models of another folder too, in this and all later runs.

    Raises
    ------
    BadSetting
        There is no such folder.
    UnreadableFile
        The setting cannot be written.
    """
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        raise BadSetting(f"There is no folder {path}", hint="Check the path.")
    change_settings(
        lambda known: known.replace(shared=tuple(dict.fromkeys((*known.shared, str(path)))))
    )


def drop_shared_folder(folder: str | Path) -> None:
    """No longer list the models of a folder; nothing in it is changed.

    Raises
    ------
    UnknownName
        It is not among those that `add_shared_folder` added.
    UnreadableFile
        The setting cannot be written.
    """
    path = str(Path(folder).expanduser().absolute())
    if path not in read_settings().shared:
        raise UnknownName(
            f"{path} is not among the added folders",
            hint=f"Those of the environment stand in {SHARED_VARIABLE}.",
        )
    change_settings(
        lambda known: known.replace(shared=tuple(each for each in known.shared if each != path))
    )


def place_of(folder: Path) -> Place:
    """Whether a model's folder ships, is the user's, or is shared."""
    if folder.parent == user_folder():
        return "installed"
    return "shipped" if folder.parent == shipped_folder() else "shared"


def folders() -> list[Path]:
    """All folders that should hold a model, valid or not: shipped, own, then shared ones."""
    return [each for place in (shipped_folder(), user_folder()) for each in inside(place)] + [
        each for place in shared_folders() for each in inside(place)
    ]


def inside(place: Path) -> list[Path]:
    """Folders in a folder of models; none where it is missing or may not be looked into."""
    with contextlib.suppress(OSError):
        found = [each for each in place.iterdir() if not each.name.startswith(".")]
        return sorted(filter(Path.is_dir, found), key=lambda each: (_order(each.name), each.name))
    return []


def read_settings() -> LibrarySettings:
    """What the user chose; nothing, where that was never written or is damaged."""
    with contextlib.suppress(OSError, ValueError):
        text = (user_folder() / _SETTINGS).read_text(encoding="utf-8")
        return LibrarySettings.model_validate_json(text)
    return LibrarySettings()


def change_settings(change: Callable[[LibrarySettings], LibrarySettings]) -> None:
    """Keep what the user chose beside what others choose meanwhile.

    Raises
    ------
    UnreadableFile
        The user's folder cannot be written.
    """
    folder = user_folder()
    with written_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            known = read_settings()
            if (changed := change(known)) != known:
                write_text(folder / _SETTINGS, changed.model_dump_json(indent=2) + "\n")


def _order(name: str) -> int:
    """Published networks first, as their publishers list them."""
    return list(TITLES).index(name) if name in TITLES else len(TITLES)
