"""The files of a large result, copied to where somebody wants to keep them."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path

from ...steps import Step
from .result import LargeSegmentation
from .room import room

_LABELS = "_labels"
_BESIDE = ("_polygons.geojson", "_measurements.csv")


def copy_steps(
    result: LargeSegmentation, folder: Path, stem: str
) -> Generator[Step, None, list[Path]]:
    """Copy labels, polygons and table into another folder, under other names.

    Parameters
    ----------
    result : LargeSegmentation
        Its files are still there.
    folder : Path
        Made if need be. What is there under the new names is replaced, at the end.
    stem : str
        What the names begin with.

    Yields
    ------
    Step
        After every file; whoever stops iterating cancels, and nothing is left behind.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    UnreadableFile
        It cannot be read or written.
    """
    source, before = result.path.parent, result.path.name.partition(_LABELS)[0]
    ending = result.path.name[len(before) :]
    wanted = [source / f"{before}{each}" for each in (ending, *_BESIDE)]
    files = [path for each in wanted for path in ([each] if each.is_file() else each.rglob("*"))]
    files = [path for path in files if path.is_file()]
    with room(folder, block=0) as place:
        for done, path in enumerate(files, start=1):
            target = place.folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            yield Step(done, len(files), ())
        written = []
        for path in [place.folder / each.name for each in wanted if each.exists()]:
            target = folder / f"{stem}{path.name[len(before) :]}"
            if target.is_dir():
                target.rename(place.folder / f"{path.name} of before")
            path.replace(target)
            written.append(target)
    return written
