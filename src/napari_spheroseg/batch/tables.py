"""The tables of a batch, made from its journal: each object stands in them exactly once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import NoDevice
from ..readwrite.atomic import replacing, write_text
from ..segmentation.recipe import versions
from .items import Item
from .journal import Journal

OBJECTS = "measurements.csv"
IMAGES = "images.csv"
RUN = "run.json"

Columns = Callable[[Item], Mapping[str, Any]]


def write_tables(
    journal: Journal, folder: Path, columns: Columns, *, parquet: bool = False
) -> None:
    """Write the table of objects, the table of images, and ``run.json``.

    Parameters
    ----------
    journal : Journal
    folder : Path
    columns : callable
        More columns for the rows of an image, such as its well.
    parquet : bool
        Write the tables as Parquet, too.

    Raises
    ------
    UnreadableFile
        They cannot be written.
    """
    write_text(folder / RUN, json.dumps(_record(journal), indent=2) + "\n")
    _write_images(journal, folder / IMAGES, columns)
    header = _header(journal, columns)
    if header:
        _write_objects(journal, folder / OBJECTS, header, columns)
    else:
        (folder / OBJECTS).unlink(missing_ok=True)  # of an earlier run: it says nothing of this one
    if parquet:
        for path in (folder / OBJECTS, folder / IMAGES):
            _as_parquet(path)


def require_parquet() -> None:
    """Say that something is missing before the work, not after it.

    Raises
    ------
    NoDevice
        pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise NoDevice(
            "Tables in Parquet need pyarrow, which is not installed",
            hint='Run: pip install "napari-spheroseg[parquet]", or choose CSV.',
        ) from error


def _own(item: Item, columns: Columns) -> dict[str, Any]:
    return {"file": item.name, **columns(item), **item.columns}


def _header(journal: Journal, columns: Columns) -> list[str]:
    """Columns of all images, each once; those that not every image has stay empty there."""
    own: dict[str, None] = {}
    measured: dict[str, None] = {}
    for item, done in journal.results():
        own |= dict.fromkeys(_own(item, columns))
        measured |= dict.fromkeys(done.header)
    return list(own | measured)


def _write_objects(journal: Journal, path: Path, header: list[str], columns: Columns) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, restval="", lineterminator="\n")
        writer.writeheader()
        for item, done in journal.results():
            own = _own(item, columns)
            for row in csv.reader(io.StringIO(done.rows, newline="")):
                writer.writerow({**own, **dict(zip(done.header, row, strict=True))})


def _write_images(journal: Journal, path: Path, columns: Columns) -> None:
    rows: list[dict[str, Any]] = []
    frames = {item.key: done.images for item, done in journal.results()}
    for item, _ in journal.entries().values():
        own = {**_own(item, columns), "state": item.state, "error": item.error}
        own |= {"warnings": "; ".join(item.warnings), "seconds": round(item.seconds, 3)}
        rows += [{**own, **frame} for frame in frames.get(item.key, [{}])]
    header = list(dict.fromkeys(name for row in rows for name in row))
    last = [name for name in ("warnings", "error", "seconds") if name in header]
    header = [name for name in header if name not in last] + last
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _record(journal: Journal) -> dict[str, Any]:
    runs = journal.get("runs", [])
    return {
        "started": runs[0]["started"] if runs else None,
        "finished": runs[-1]["finished"] if runs else None,
        "runs": runs,
        "versions": versions(),
        "recipe": journal.get("recipe"),
        "outputs": journal.get("outputs"),
        "images": [
            {
                "file": item.key,
                **item.columns,
                "state": item.state,
                "objects": item.objects,
                "seconds": round(item.seconds, 3),
                "warnings": list(item.warnings),
                "error": item.error,
            }
            for item, _ in journal.entries().values()
        ],
    }


def _as_parquet(path: Path) -> None:
    import pandas as pd

    target = path.with_suffix(".parquet")
    if not path.exists():
        target.unlink(missing_ok=True)
        return
    with replacing(target) as temporary:
        pd.read_csv(path).to_parquet(temporary, index=False)
