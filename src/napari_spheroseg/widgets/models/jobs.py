"""What the buttons do, as generators for the worker's thread."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import models
from ...errors import NameTaken, SpherosegError
from ...models.library import entries
from ...models.removed import KEPT
from .rows import DAMAGED, Row


@dataclass(frozen=True)
class Done:
    """What a button did.

    Attributes
    ----------
    said : str
        What to tell the user.
    changed : bool
        Whether there are other models now.
    select : tuple of str
        Models to select.
    verified : dict of Path to Row or None
        Folder to what is wrong with its model; None where nothing is.
    report : str
        Markdown to show in place of the details.
    picture : ndarray of uint8, (Y, X, 3), or None
        Red, green and blue, to show above the details.
    taken : bool
        Nothing was done, for a model of this name is there.
    """

    said: str = ""
    changed: bool = False
    select: tuple[str, ...] = ()
    verified: dict[Path, Row | None] = field(default_factory=dict)
    report: str = ""
    picture: NDArray[np.uint8] | None = None
    taken: bool = False


Steps = Generator[Any, None, Done]


def install_steps(source: Path | str, name: str | None, overwrite: bool) -> Steps:
    """Install a checkpoint, folder, collection or package; an address yields bytes received."""
    yield
    try:
        installed = yield from models.install_steps(source, name, replace=overwrite)
    except NameTaken as error:
        return Done(error.message, taken=True)
    names = tuple(each.metadata.name for each in installed)
    said = " and ".join(f"'{each}'" for each in names)
    rest = "; ".join(installed[0].passed_over)
    said = f"Installed {said}." + (f" Passed over {rest}" if rest else "")
    return Done(said, changed=True, select=names)


def verify_steps(rows: list[Row]) -> Steps:
    """Compare models with their checksums and networks."""
    verified: dict[Path, Row | None] = {}
    for row in rows:
        yield
        for verdict in models.verify(row.name):
            if verdict.folder == row.folder:  # a shipped one that it covers has its own
                bad = replace(row, state=DAMAGED, problem=verdict.reason)
                verified[row.folder] = None if verdict.is_good else bad
    if any(verified.values()):
        return Done(verified=verified)
    many = "The model is" if len(rows) == 1 else f"All {len(rows)} models are"
    return Done(f"{many} what the metadata describe.", verified=verified)


def try_steps(name: str) -> Steps:
    """Draw what a model finds in the image that comes with bundles."""
    from ...models.collections.reproduce import sample_image
    from ...readwrite.pictures import draw_overlay
    from ...segmentation.run import segment

    yield
    image = sample_image()
    found = segment(image, name)
    picture = draw_overlay(image, found.polygons)[..., ::-1]
    said = f"'{name}' finds {len(found.table)} objects in the sample image."
    return Done(said, select=(name,), picture=picture)


def export_steps(name: str, path: Path) -> Steps:
    """Write a model for another program, in the format of the file's ending."""
    from ...export import export

    yield
    done = export(name, path)
    files = " and ".join(each.name for each in done.files)
    return Done(f"Wrote {files}; largest difference from PyTorch: {done.difference:.1e}.")


def bundle_steps(names: list[str], path: Path) -> Steps:
    """Pack models into a collection."""
    yield
    return Done(f"Wrote {models.pack(names, path).name}.")


def rename_steps(old: str, new: str) -> Steps:
    """Give a model another name."""
    yield
    models.rename(old, new)
    return Done(f"'{old}' is '{new}' now.", changed=True, select=(new,))


def remove_steps(names: list[str]) -> Steps:
    """Move installed models to the trash."""
    gone: list[str] = []
    kept = ""
    for name in names:
        yield
        try:
            models.remove(name)
        except SpherosegError as error:
            if not gone:
                raise
            kept = f" '{name}' stays: {error}"
            break
        gone.append(name)
    undo = f"Trash… brings back what was removed, for {KEPT} days."
    return Done(f"Removed {' and '.join(gone)}. {undo}{kept}", changed=True)


def removed() -> dict[str, str]:
    """What to call the models in the trash, and their keys; the last that was removed first."""
    return {
        f"{number}. {each.name}, removed {each.removed.astimezone():%Y-%m-%d %H:%M:%S}": each.key
        for number, each in enumerate(models.trashed(), 1)  # two of a name may go within a second
    }


def restore_steps(key: str, overwrite: bool) -> Steps:
    """Bring back a model that was removed or replaced."""
    yield
    try:
        name = models.restore(key, replace=overwrite)
    except NameTaken as error:
        return Done(error.message, taken=True)
    return Done(f"'{name}' is back.", changed=True, select=(name,))


def share_steps(folder: Path) -> Steps:
    """List the models of another folder too."""
    yield
    models.add_shared_folder(folder)
    found = sum(each.parent == folder.absolute() for _, each in entries().values())
    many = "1 model" if found == 1 else f"{found} models"
    said = f"{many} of {folder} can be used; nothing is written there."
    if not found:
        said = f"No model was found in {folder}: choose the folder that holds folders of models."
    return Done(said, changed=True)


def unshare_steps(folder: Path) -> Steps:
    """No longer list the models of a folder."""
    yield
    models.drop_shared_folder(folder)
    return Done(f"{folder} is not looked into any more; its models stay there.", changed=True)


def default_steps(name: str) -> Steps:
    """Let new widgets and the command line begin with a model."""
    yield
    task = models.set_default(name)
    said = f"New widgets and the command line begin with '{name}' for {task}."
    return Done(said, changed=True, select=(name,))


def check_steps() -> Steps:
    """Look at the installation, the machine and the models."""
    from ...doctor import as_text, examine

    yield
    findings = examine()
    problems = sum(each.verdict == "problem" for each in findings)
    head = f"{problems} problems were found." if problems else "No problems were found."
    return Done(report=f"# This machine\n\n{head}\n\n```\n{as_text(findings)}\n```")
