"""What is made of all results together: tables, growth, plots, one page to read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import reason
from ..readwrite.acquired import Acquired
from ..readwrite.atomic import replacing
from ..readwrite.coco import merge_coco
from .items import Done
from .journal import Journal
from .series import follow, places_of
from .settings import BatchSettings
from .tables import IMAGES, OBJECTS, write_tables
from .taken import times_of_stacks

if TYPE_CHECKING:
    import pandas as pd

GROWTH = "growth.csv"
COCO = "coco.json"
_log = logging.getLogger(__name__)


def summarise(journal: Journal, folder: Path, settings: BatchSettings) -> list[str]:
    """Write tables and plots of all that the journal holds.

    Parameters
    ----------
    journal : Journal
    folder : Path
    settings : BatchSettings

    Returns
    -------
    list of str
        What could not be made beside the tables, and why.

    Raises
    ------
    UnreadableFile
        The tables cannot be written.
    """
    entries = journal.entries()
    items = [item for item, _ in entries.values()]
    done = [item for item in items if item.state == "done"]
    taken = {key: Acquired(**left.taken) for key, (_, left) in entries.items()}
    places = places_of(items, settings.pattern, taken)
    problems: list[str] = []
    tracks: dict[str, dict[int, int]] = {}
    tracking = settings.tracking()
    if tracking:
        with _noting(problems, "Objects could not be followed"):
            tracks = follow(done, places, folder, tracking)
    stacks = {key: taken[key] for key, (_, left) in entries.items() if _has_times(left)}
    times = {} if settings.pattern == "none" else times_of_stacks(places, stacks)
    write_tables(journal, folder, places, tracks, times=times)
    with _noting(problems, "The summary is not complete"):
        if "coco" in settings.outputs:
            merge_coco([folder / f"{item.stem}_coco.json" for item in done], folder / COCO)
        if (folder / OBJECTS).exists():
            _describe(folder, tracking is not None, settings)
    return problems


def _has_times(done: Done) -> bool:
    return any("t" in row for row in done.images)


def _describe(folder: Path, tracked: bool, settings: BatchSettings) -> None:
    """Growth, plots and report, from the tables."""
    import pandas as pd

    from .growth import object_growth, relative_growth
    from .plots import write_plots
    from .report import write_report

    objects = pd.read_csv(folder / OBJECTS)
    images = pd.read_csv(folder / IMAGES)
    if tracked:
        objects = relative_growth(objects)
        _write(objects, folder / OBJECTS)
        _write(object_growth(objects), folder / GROWTH)
    if settings.table == "parquet":
        for table, name in ((objects, OBJECTS), (images, IMAGES)):
            with replacing((folder / name).with_suffix(".parquet")) as temporary:
                table.to_parquet(temporary, index=False)
    if settings.plots:
        write_report(folder, images, write_plots(objects, images, folder), len(objects))


def _write(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


@contextmanager
def _noting(problems: list[str], what: str) -> Iterator[None]:
    """A plot that fails is no reason to fail a batch that is done."""
    try:
        yield
    except Exception as error:
        problems.append(f"{what}: {reason(error)}")
        _log.warning(problems[-1])
