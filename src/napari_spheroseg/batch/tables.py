"""The tables of a batch, made from its journal: each object stands in them exactly once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..extras import require
from ..inference.frames import Index
from ..inference.record import versions
from ..readwrite.atomic import replacing, write_text
from .items import Item
from .journal import Journal
from .times import HOURS

if TYPE_CHECKING:
    import pandas as pd

OBJECTS = "measurements.csv"
IMAGES = "images.csv"
RUN = "run.json"

Places = Mapping[str, Mapping[str, Any]]
Tracks = Mapping[str, Mapping[int, int]]
Times = Mapping[str, Sequence[float]]
_HOURS = {"time": "", "time_unit": HOURS}


def write_tables(
    journal: Journal,
    folder: Path,
    places: Places,
    tracks: Tracks,
    objects: str = OBJECTS,
    times: Times = MappingProxyType({}),
) -> None:
    """Write the table of objects and the table of images.

    Parameters
    ----------
    journal : Journal
    folder : Path
    places : mapping
        More columns for the rows of an image, such as its well, by key.
    tracks : mapping
        The track of each label of an image, by key.
    objects : str
        Name of the table of objects.
    times : mapping
        Hours of each position along T of a stack, by key.

    Raises
    ------
    UnreadableFile
        They cannot be written.
    """
    places = {**places, **{key: {**places.get(key, {}), **_HOURS} for key in times}}
    _write_images(journal, folder / IMAGES, places, times)
    header = _header(journal, places, tracks)
    if header:
        _write_objects(journal, folder / objects, header, places, tracks, times)
    else:
        (folder / objects).unlink(missing_ok=True)  # of an earlier run: it says nothing of this one


def noted(table: pd.DataFrame) -> dict[str, Any]:
    """Fields of `Done` that hold the objects of an image."""
    rows = table.to_csv(index=False, header=False, lineterminator="\n")
    return {"objects": len(table), "header": tuple(table.columns), "rows": rows}


def of_frame(table: pd.DataFrame, axes: str, index: Index) -> tuple[dict[str, int], pd.DataFrame]:
    """Place of a frame, by letter of the leading axes, and the rows of its objects."""
    place = dict(zip(axes.lower(), index, strict=True))
    own = table.loc[(table[list(place)] == list(index)).all(axis=1)] if place else table
    return place, own


def require_parquet() -> None:
    """Say that something is missing before the work, not after it.

    Raises
    ------
    MissingPackage
        pyarrow is not installed.
    """
    require("pyarrow", "parquet", "A table in Parquet")


def _own(item: Item, places: Places) -> dict[str, Any]:
    return {"file": item.name, **places.get(item.key, {}), **item.columns}


def _header(journal: Journal, places: Places, tracks: Tracks) -> list[str]:
    """Columns of all images, each once; those that not every image has stay empty there."""
    own: dict[str, None] = {}
    measured: dict[str, None] = {}
    for item, done in journal.results():
        own |= dict.fromkeys(_own(item, places))
        own |= {"track": None} if item.key in tracks else {}
        measured |= dict.fromkeys(done.header)
    return list(own | measured)


def _write_objects(
    journal: Journal,
    path: Path,
    header: list[str],
    places: Places,
    tracks: Tracks,
    times: Times,
) -> None:
    with _table(path, header) as writer:
        for item, done in journal.results():
            own, track = _own(item, places), tracks.get(item.key)
            for values in csv.reader(io.StringIO(done.rows, newline="")):
                row = {**own, **dict(zip(done.header, values, strict=True))}
                if track is not None:
                    row["track"] = track[int(row["label"])]
                if item.key in times:
                    row["time"] = _time(row, times[item.key])
                writer.writerow(row)


def _time(row: Mapping[str, Any], times: Sequence[float]) -> float | str:
    """Of a row of a stack; the user may have called another axis T than the file does."""
    at = int(row["t"])
    return times[at] if at < len(times) else ""


def _write_images(journal: Journal, path: Path, places: Places, times: Times) -> None:
    rows: list[dict[str, Any]] = []
    for item, done in journal.entries().values():
        own = {**_own(item, places), "state": item.state}
        told = {
            "warnings": "; ".join(item.warnings),
            "error": item.error,
            "seconds": round(item.seconds, 3),
        }
        known = times.get(item.key)
        frames: list[dict[str, Any]] = [dict(frame) for frame in done.images or [{}]]
        if known:
            frames = [{**frame, "time": _time(frame, known)} for frame in frames if "t" in frame]
        rows += [{**own, **frame, **told} for frame in frames]
    header = dict.fromkeys(name for row in rows for name in row)
    last = ("warnings", "error", "seconds")
    with _table(path, [*(name for name in header if name not in last), *last]) as writer:
        writer.writerows(rows)


@contextmanager
def _table(path: Path, header: Sequence[str]) -> Iterator[csv.DictWriter[str]]:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, restval="", lineterminator="\n")
        writer.writeheader()
        yield writer


def write_record(journal: Journal, folder: Path) -> None:
    """Write ``run.json``: recipe, versions, times, and what became of every image.

    Raises
    ------
    UnreadableFile
        It cannot be written.
    """
    runs = journal.get("runs", [])
    counts = journal.get("task", "segmentation") != "restoration"
    record = {
        "task": journal.get("task", "segmentation"),
        "started": runs[0]["started"] if runs else None,
        "finished": runs[-1]["finished"] if runs else None,
        "versions": versions(),
        "recipe": journal.get("recipe"),
        "written": journal.get("written"),
        "runs": runs,
        "images": [
            {
                "file": item.key,
                **item.columns,
                "state": item.state,
                **({"objects": item.objects} if counts else {}),
                "seconds": round(item.seconds, 3),
                "warnings": list(item.warnings),
                "error": item.error,
            }
            for item, _ in journal.entries().values()
        ],
    }
    write_text(folder / RUN, json.dumps(record, indent=2) + "\n")
