"""Removed models, kept for a while: what was removed by mistake comes back."""

from __future__ import annotations

import contextlib

from ..errors import NameTaken, UnknownName
from ..registry import unknown_name
from .library import own_folder
from .places import user_folder
from .removed import Trashed, in_trash, place_for
from .staging import carry_out, discard, gone, locked, staged, written_to


def remove(name: str) -> Trashed:
    """Move a model that the user installed to the trash, where it is kept for 30 days.

    Parameters
    ----------
    name : str
        Of an installed model; it may be damaged.

    Returns
    -------
    Trashed
        `restore` brings it back.

    Raises
    ------
    UnknownName
        No model has this name.
    BadSetting
        It ships with the package or lies in a shared folder, and stays.
    UnreadableFile
        The models folder cannot be written; nothing was changed.
    """
    source = own_folder(name)
    folder = source.parent
    with written_to(folder), locked(folder):
        if not source.exists():
            raise gone(name)
        place = place_for(folder, name)
        place.folder.parent.mkdir(exist_ok=True)
        source.rename(place.folder)
    with contextlib.suppress(OSError), staged(folder):
        pass  # which deletes what lay in the trash long enough
    return place


def trashed() -> list[Trashed]:
    """The models in the trash, removed or replaced, the last first."""
    return in_trash(user_folder())


def restore(name: str, *, replace: bool = False) -> str:
    """Bring a model back that was removed, or replaced by another of its name.

    Parameters
    ----------
    name : str
        What it was called: of several, the last that was removed; or the `key` of one.
    replace : bool
        A model of this name may be installed now; the two then change places.

    Returns
    -------
    str
        Its name.

    Raises
    ------
    UnknownName
        There is no such model in the trash.
    NameTaken
        A model of this name was installed since.
    UnreadableFile
        The models folder cannot be written; nothing was changed.
    """
    folder = user_folder()
    found = [each for each in trashed() if name in (each.name, each.key)]
    if not found:
        names = list(dict.fromkeys(each.name for each in trashed()))
        raise unknown_name("removed model", name, names)
    chosen = found[0]
    place = folder / chosen.name
    with written_to(folder), locked(folder):
        if place.exists() and not replace:
            raise NameTaken(
                f"A model '{chosen.name}' is installed already",
                hint="Ask to replace it (--replace), or rename or remove it first.",
            )
        if not chosen.folder.exists():
            raise UnknownName(f"'{chosen.key}' is not in the trash any more")
        moves = [(place, place_for(folder, chosen.name).folder)] if place.exists() else []
        carry_out(folder, [*moves, (chosen.folder, place)])
    return chosen.name


def empty_trash() -> list[Trashed]:
    """Delete all removed models for good.

    Returns
    -------
    list of Trashed
        What was deleted: all but what another program has open.

    Raises
    ------
    UnreadableFile
        The models folder cannot be written.
    """
    every, folder = trashed(), user_folder()
    if every:
        with written_to(folder), staged(folder) as stage, locked(folder):
            discard(stage, every)
    return [each for each in every if not each.folder.exists()]
