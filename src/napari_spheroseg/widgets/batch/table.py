"""The table of a batch: a row an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from ...batch.items import Item, State
from .job import THUMBNAIL

_COLUMNS = ("", "Image", "State", "Objects", "Time")
_WIDTHS = (THUMBNAIL + 8, 0, 108, 58, 54)  # px; the name takes what is left
_PICTURE, _NAME, _STATE, _OBJECTS, _SECONDS = range(5)
_FAILED = QColor("#e0533d")
_LEAST_HEIGHT = 160  # px
_ROLE = Qt.ItemDataRole


class ItemModel(QAbstractTableModel):
    """Items and their pictures, by key; every change costs the same in a long list."""

    def __init__(self) -> None:
        super().__init__()
        self.items: list[Item] = []
        self.states: Counter[State] = Counter()
        self._rows: dict[str, int] = {}
        self._tiles: dict[str, tuple[int, int]] = {}
        self._pictures: dict[str, QPixmap] = {}

    def show_items(self, items: Iterable[Item]) -> None:
        """Other items; pictures of those that were there already are kept."""
        self.beginResetModel()
        self.items = list(items)
        self.states = Counter(each.state for each in self.items)
        self._rows = {each.key: row for row, each in enumerate(self.items)}
        self._pictures = {k: v for k, v in self._pictures.items() if k in self._rows}
        self._tiles = {}
        self.endResetModel()

    def update_item(
        self,
        item: Item,
        tiles: tuple[int, int] = (0, 0),
        picture: NDArray[np.uint8] | None = None,
    ) -> None:
        """What became of an item."""
        row = self._rows.get(item.key)
        if row is None:
            row = self._rows[item.key] = len(self.items)
            self.beginInsertRows(QModelIndex(), row, row)
            self.items.append(item)
            self.endInsertRows()
        else:
            self.states[self.items[row].state] -= 1
            self.items[row] = item
        self.states[item.state] += 1
        self._tiles.pop(item.key, None)
        if item.state == "running":
            self._tiles[item.key] = tiles
        if picture is not None:
            self._pictures[item.key] = _pixmap(picture)
        self.dataChanged.emit(self.index(row, 0), self.index(row, len(_COLUMNS) - 1))

    def of_state(self, *states: State) -> list[Item]:
        """Items in these states."""
        return [each for each in self.items if each.state in states]

    def row_of(self, key: str) -> int | None:
        """Where an item stands."""
        return self._rows.get(key)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, N802
        """Of a table."""
        return 0 if parent.isValid() else len(self.items)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, N802
        """Of a table."""
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(self, section: int, orientation: Any, role: int = _ROLE.DisplayRole) -> Any:  # noqa: N802
        """Names of the columns."""
        if role == _ROLE.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return _COLUMNS[section]
        return None

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        """What the view asks for, of the rows on screen only."""
        item, column = self.items[index.row()], index.column()
        if role == _ROLE.DisplayRole:
            return self._text(item, column)
        if role == _ROLE.ToolTipRole:
            return _tooltip(item)
        if role == _ROLE.DecorationRole and column == _PICTURE:
            return self._pictures.get(item.key)
        if role == _ROLE.ForegroundRole and column == _STATE and item.state == "failed":
            return _FAILED
        if role == _ROLE.TextAlignmentRole and column in (_OBJECTS, _SECONDS):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def _text(self, item: Item, column: int) -> str:
        if column == _NAME:
            return item.title
        if column == _STATE:
            return self._state(item)
        counted = item.state in ("done", "skipped")
        if column == _OBJECTS and counted:
            return str(item.objects)
        return f"{item.seconds:.1f} s" if column == _SECONDS and counted else ""

    def _state(self, item: Item) -> str:
        if item.state == "running":
            done, total = self._tiles.get(item.key, (0, 0))
            return f"running, {done / total:.0%}" if total else "running"
        if item.state == "failed":
            why = item.error or ""
            return f"failed: {why.removeprefix(item.name).strip()}"  # the name is beside it
        return "done before" if item.state == "skipped" else item.state


class ItemTable(QTableView):
    """Shows an `ItemModel`.

    Attributes
    ----------
    opened : Signal(Item)
        A row was double-clicked.
    """

    opened = Signal(Item)

    def __init__(self) -> None:
        super().__init__()
        self.items = ItemModel()
        self.setModel(self.items)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # names differ at their ends
        self.setShowGrid(False)
        self.setIconSize(QSize(THUMBNAIL, THUMBNAIL))
        self.setMinimumHeight(_LEAST_HEIGHT)
        self.setToolTip("Double-click opens the image with its labels and polygons")
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)  # else each row is measured
        rows.setDefaultSectionSize(THUMBNAIL + 4)
        header = self.horizontalHeader()
        header.setMinimumSectionSize(40)
        for column, width in enumerate(_WIDTHS):
            if width:
                self.setColumnWidth(column, width)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        self.doubleClicked.connect(lambda index: self.opened.emit(self.items.items[index.row()]))

    def follow(self, item: Item) -> None:
        """Scroll to an item, if the one before it is on screen."""
        row = self.items.row_of(item.key)
        if row and self.viewport().rect().intersects(
            self.visualRect(self.items.index(row - 1, _NAME))
        ):
            self.scrollTo(self.items.index(row, _NAME))


def _tooltip(item: Item) -> str:
    path = item.title if item.columns else item.key
    lines = [path, *([item.error] if item.error else []), *item.warnings]
    return "\n".join(lines)


def _pixmap(picture: NDArray[np.uint8]) -> QPixmap:
    picture = np.ascontiguousarray(picture)
    height, width = picture.shape[:2]
    image = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image)  # copies
