"""What is known of a model, as Markdown, and where it is shown."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QColor, QImage, QTextCharFormat, QTextCursor, QTextDocument, QTextTable
from qtpy.QtWidgets import QTextBrowser

from ...models import ModelMetadata, no_weights
from ...models.library import CARD
from .rows import WAITING, Row

_CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
_TAG = re.compile(r"<(?!https?:|mailto:)(?=[A-Za-z/!?])")
_PICTURE = re.compile(r"!\[([^\]\n]*)\]\(([^)\s]*)\)")
_PADDING = 3  # px
_LINK = "#4c9be8"  # is read on a dark ground as on a light one
_LEAST_HEIGHT = 160  # px
_MARGIN = 30  # px, of text and scroll bar


class Details(QTextBrowser):
    """Shows Markdown; addresses open in the browser."""

    def __init__(self) -> None:
        super().__init__()
        self.setOpenExternalLinks(True)
        self.setMinimumHeight(_LEAST_HEIGHT)

    def show_markdown(self, text: str) -> None:
        """Show a text; HTML in it stays text, since a card may come from anybody."""
        kind = QTextDocument.MarkdownFeature
        document = self.document()
        without_html = kind.MarkdownDialectGitHub | kind.MarkdownNoHTML
        document.setMarkdown(_as_text(text), without_html)
        for frame in document.rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                style = frame.format()
                style.setCellPadding(_PADDING)
                frame.setFormat(style)
        self._wrap_code()
        self._brighten_links()
        self.moveCursor(QTextCursor.MoveOperation.Start)  # Qt scrolls to the cursor once shown

    def loadResource(self, kind: int, name: QUrl) -> Any:  # noqa: N802, of Qt
        """A picture of a card, no wider than what is seen; nothing but files of this machine."""
        if kind != QTextDocument.ResourceType.ImageResource.value:
            return None
        image, widest = QImage(name.toLocalFile()), self.viewport().width() - _MARGIN
        if image.width() <= widest:
            return image
        return image.scaledToWidth(widest, Qt.TransformationMode.SmoothTransformation)

    def show_picture(self, picture: NDArray[np.uint8]) -> None:
        """Show uint8 (Y, X, 3), red, green and blue, above the text."""
        height, width = picture.shape[:2]
        content = np.ascontiguousarray(picture).tobytes()
        image = QImage(content, width, height, 3 * width, QImage.Format.Format_RGB888)
        cursor = QTextCursor(self.document())
        cursor.insertImage(image.copy())
        cursor.insertBlock()

    def _wrap_code(self) -> None:
        """Long lines end in sight; Qt keeps those of code as they are."""
        block = self.document().begin()
        while block.isValid():
            if (style := block.blockFormat()).nonBreakableLines():
                style.setNonBreakableLines(False)
                QTextCursor(block).setBlockFormat(style)
            block = block.next()

    def _brighten_links(self) -> None:
        """Qt paints them dark blue, which cannot be read on napari's dark ground."""
        links, block = [], self.document().begin()
        while block.isValid():
            piece = block.begin()
            while not piece.atEnd():
                if (found := piece.fragment()).charFormat().isAnchor():
                    links.append((found.position(), found.position() + found.length()))
                piece += 1
            block = block.next()
        bright, cursor = QTextCharFormat(), QTextCursor(self.document())
        bright.setForeground(QColor(_LINK))
        for first, last in links:
            cursor.setPosition(first)
            cursor.setPosition(last, QTextCursor.MoveMode.KeepAnchor)
            cursor.mergeCharFormat(bright)


def _as_text(markdown: str) -> str:
    """Tags become text: with MarkdownNoHTML alone, Qt drops them on some machines."""
    parts = _CODE.split(markdown)
    return "".join(p if n % 2 else _TAG.sub(r"\\<", p) for n, p in enumerate(parts))


def as_markdown(row: Row) -> str:
    """Metadata, metrics, training data and card of a model."""
    if row.metadata is None:
        return "\n\n".join(
            [
                f"# {_plain(row.name)}",
                f"**Damaged.** {_plain(row.problem)}",
                f"Remove it, and install the model again. Its folder is `{row.folder}`."
                if row.is_users
                else f"It lies in `{row.folder}`, which is not changed from here.",
            ]
        )
    known = row.metadata
    parts = [f"# {_plain(known.title)}", _plain(known.description)]
    if row.problem:
        parts.append(f"**Damaged.** {_plain(row.problem)}")
    if row.state == WAITING:
        parts.append(f"{_plain(str(no_weights(known)))} Or install it above, as `{row.name}`.")
    parts += [_facts(row, known), _metrics(known.metrics), _data(known), _card(row)]
    return "\n\n".join(part for part in parts if part)


def _facts(row: Row, known: ModelMetadata) -> str:
    size = "" if row.size is None else f"{row.size / 1e6:.1f} MB"
    facts = {
        "Name": row.name,
        "State": row.state,
        "Task": known.task,
        "Network": known.network,
        "Size": size,
        "Pixel size": "" if known.pixel_size is None else f"{known.pixel_size:g} µm",
        "Licence": known.licence or "none stated",
        "Source": known.source,
        "Checksum": "" if known.sha256 is None else f"sha256 {known.sha256}",
        "Folder": str(row.folder),
    }
    return "\n".join(f"- **{key}:** {_plain(value)}" for key, value in facts.items() if value)


def _metrics(metrics: dict[str, Any]) -> str:
    """A table, a row a source, of what was measured by source; a list of the rest."""
    columns: dict[str, dict[str, Any]] = {}
    single: dict[str, Any] = {}
    for part, measured in metrics.items():
        if not isinstance(measured, dict):
            single[part] = measured
            continue
        for metric, value in measured.items():
            (columns if isinstance(value, dict) else single)[f"{part} {metric}"] = value
    lines = [f"- {_plain(key)}: {_number(value)}" for key, value in single.items()]
    if columns:
        sources = list(dict.fromkeys(source for values in columns.values() for source in values))
        lines += [
            "",
            *_table(
                ["Source", *columns],
                [[each, *(_number(v.get(each)) for v in columns.values())] for each in sources],
            ),
        ]
    return "\n".join(["## Metrics", "", *lines]) if lines else ""


def _data(known: ModelMetadata) -> str:
    if not known.training_data:
        return ""
    cells = [
        [
            f"[{each.name}]({each.url})" if each.url else each.name,
            each.licence,
            "" if each.images is None else str(each.images),
            each.note,
        ]
        for each in known.training_data
    ]
    return "\n".join(
        ["## Training data", "", *_table(["Source", "Licence", "Images", "Note"], cells)]
    )


def _card(row: Row) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = (row.folder / CARD).read_text(encoding="utf-8")
        return f"---\n\n# Model card\n\n{_with_pictures(text, row.folder)}"
    return ""


def _with_pictures(card: str, folder: Path) -> str:
    """Pictures that lie beside the card are shown; of others only what they are said to show."""

    def found(picture: re.Match[str]) -> str:
        said, name = picture.groups()
        path = (folder / name).absolute()
        beside = Path(name).name == name and path.is_file()
        return f"![{said}]({path.as_uri()})" if beside else said

    return _PICTURE.sub(found, card)


def _table(head: list[str], cells: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *cells]
    return ["| " + " | ".join(_plain(each) for each in line) + " |" for line in lines]


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(text: str) -> str:
    """One line that breaks no table."""
    return " ".join(text.split()).replace("|", "\\|").replace("_", "\\_")
