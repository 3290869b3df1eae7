"""The table of models: a row a model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from psygnal import Signal
from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import QAbstractItemView, QTableWidget, QTableWidgetItem

from ...models import available, default
from .rows import DAMAGED, Row, rows

_COLUMNS = ("Title", "Name", "State", "Task", "Network", "MB", "Source")
_STATE, _SIZE = 2, 5
_DAMAGED = QColor("#e0533d")
_LEAST_HEIGHT = 210  # px
_WIDEST = 125  # px of title and name, so that the state is seen beside them


class ModelTable(QTableWidget):
    """Shows all models.

    Attributes
    ----------
    chosen : Signal
        Others were selected, or what is shown of them changed.
    """

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__(0, len(_COLUMNS))
        self.rows: list[Row] = []
        self._defaults: dict[str, str] = {}  # task to name
        self._damaged: dict[Path, Row] = {}  # that only reading the weights can tell
        self.setHorizontalHeaderLabels(_COLUMNS)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMinimumHeight(_LEAST_HEIGHT)
        self.setToolTip("Ctrl or Shift selects several, to bundle, verify or remove them")
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setStretchLastSection(True)
        self.itemSelectionChanged.connect(self.chosen.emit)

    @property
    def selected_rows(self) -> list[Row]:
        """What the buttons act on, from top to bottom."""
        chosen = sorted(each.row() for each in self.selectionModel().selectedRows())
        return [self.rows[each] for each in chosen]

    @property
    def selected(self) -> list[str]:
        """Names of the selected models; can be set, to one name too."""
        return [each.name for each in self.selected_rows]

    @selected.setter
    def selected(self, names: str | Iterable[str]) -> None:
        wanted = {names} if isinstance(names, str) else set(names)
        self._select([each.folder for each in self.rows if each.name in wanted])

    def states(self) -> dict[str, str]:
        """What the table says, by the model's name."""
        return {each.name: self.item(row, _STATE).text() for row, each in enumerate(self.rows)}

    def refresh(self) -> None:
        """Look which models there are; the selection stays, the first is selected if none is."""
        before = [each.folder for each in self.selected_rows]
        self.blockSignals(True)
        self.rows = [self._as_verified(each) for each in rows()]
        self._defaults = {task: default(task) for task in {m.task for m in available()}}
        self.setRowCount(len(self.rows))
        for row, each in enumerate(self.rows):
            self._write(row, each)
        still = [each.folder for each in self.rows if each.folder in before]
        self._select(still or [each.folder for each in self.rows[:1]])
        self.blockSignals(False)
        self.resizeColumnsToContents()
        for column in range(_STATE):
            self.setColumnWidth(column, min(self.columnWidth(column), _WIDEST))
        self.chosen.emit()

    def show_verified(self, verified: dict[Path, Row | None]) -> None:
        """Say of models whether they were found to be damaged, until they are replaced."""
        self._damaged |= {folder: row for folder, row in verified.items() if row is not None}
        for folder in [folder for folder, row in verified.items() if row is None]:
            self._damaged.pop(folder, None)
        self.refresh()

    def _as_verified(self, row: Row) -> Row:
        bad = self._damaged.get(row.folder)
        same = bad is not None and (bad.metadata, bad.size) == (row.metadata, row.size)
        return bad if same else row

    def _select(self, folders: list[Path]) -> None:
        model, flag = self.selectionModel(), QItemSelectionModel.SelectionFlag
        self.clearSelection()
        for row, each in enumerate(self.rows):
            if each.folder in folders:
                model.select(self.model().index(row, 0), flag.Select | flag.Rows)
                self.scrollToItem(self.item(row, 0))

    def _write(self, row: int, model: Row) -> None:
        known = model.metadata
        size = "" if model.size is None else f"{model.size / 1e6:.1f}"
        texts = (model.name, model.name, model.state, "", "", size, "")
        if known is not None:
            is_default = model.name == self._defaults.get(known.task)
            task = f"{known.task} (default)" if is_default else known.task
            about = (task, known.network, size, known.source)
            texts = (known.title, model.name, model.state, *about)
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setToolTip(model.problem or text)
            if column == _STATE and model.state == DAMAGED:
                item.setForeground(QBrush(_DAMAGED))
            if column == _SIZE:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(row, column, item)
