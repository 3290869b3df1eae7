"""A batch on one page that needs no other file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UnreadableFile
from ..readwrite.atomic import write_text

if TYPE_CHECKING:
    import pandas as pd

_STYLE = """
body { font-family: Helvetica, Arial, sans-serif; color: #222; margin: 2em auto; max-width: 1000px }
table { border-collapse: collapse } td, th { text-align: left; padding: .3em 1em .3em 0 }
th { border-bottom: 1px solid #666 } td { border-bottom: 1px solid #ddd }
svg { max-width: 100%; height: auto; margin: 1em 0 }
"""
_MOST = 500  # rows: browsers do not like more, and nobody reads them


def write_report(
    folder: Path, images: pd.DataFrame, plots: Sequence[Path] = (), objects: int | None = None
) -> Path:
    """Write ``report.html``: how much was done, what failed and why, and the plots.

    Parameters
    ----------
    folder : Path
    images : DataFrame
        One row an image or a frame of it, as in ``images.csv``: ``file``, ``state``, ``error``.
    plots : sequence of Path
        SVG files, put into the page.
    objects : int, optional
        How many were found.

    Returns
    -------
    Path

    Raises
    ------
    UnreadableFile
        A plot cannot be read, or the page cannot be written.
    """
    failed = images[images["state"] == "failed"] if "state" in images.columns else images[:0]
    numbers = [f"{len(images)} images", f"{len(failed)} failed"]
    numbers += [] if objects is None else [f"{objects} objects"]
    parts = [f"<h1>{escape(folder.resolve().name)}</h1>", f"<p>{', '.join(numbers)}</p>"]
    if len(failed):
        parts += ["<h2>Failed</h2>", _table(failed)]
    parts += [_read(path) for path in plots]
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(folder.resolve().name)}</title><style>{_STYLE}</style></head>\n<body>\n"
    )
    path = folder / "report.html"
    write_text(path, page + "\n".join(parts) + "\n</body></html>\n")
    return path


def _table(failed: pd.DataFrame) -> str:
    rows = [
        f"<tr><td>{escape(str(row['file']))}</td><td>{escape(str(row.get('error', '')))}</td></tr>"
        for row in failed.head(_MOST).to_dict("records")
    ]
    if len(failed) > _MOST:
        rows.append(f"<tr><td>and {len(failed) - _MOST} more, in images.csv</td><td></td></tr>")
    return "<table><tr><th>File</th><th>Why</th></tr>\n" + "\n".join(rows) + "\n</table>"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be read: {error.strerror or error}", hint="Draw the plots again."
        ) from error
