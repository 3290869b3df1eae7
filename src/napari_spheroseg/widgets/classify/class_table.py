"""The table of classes: a row a class, with examples and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from ...classification.examples import ObjectClass

_COLUMNS = ("Class", "Key", "Examples", "This slice", "Objects")
_NAME, _KEY, _EXAMPLES, _HERE, _ALL = range(len(_COLUMNS))
_FIELDS = {_NAME: "name", _KEY: "key"}
_LEAST_ROWS, _MOST_ROWS, _ROW = 2, 6, 24  # px high; what is more scrolls
_FLAG = Qt.ItemFlag


class ClassTable(QTableWidget):
    """Shows classes.

    Attributes
    ----------
    chosen : Signal
        Another class was selected.
    edited : Signal(str, str, str)
        Name of a class, what the user changed of it (``name``, ``key``), and how it was written.
    """

    chosen = Signal()
    edited = Signal(str, str, str)

    def __init__(self) -> None:
        super().__init__(0, len(_COLUMNS))
        self._names: list[str] = []
        self._filling = False
        self.setHorizontalHeaderLabels(_COLUMNS)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(_ROW)
        header = self.horizontalHeader()
        header.setMinimumSectionSize(36)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        self.itemSelectionChanged.connect(self._on_selection)
        self.itemChanged.connect(self._on_edit)

    @property
    def selected(self) -> str:
        """Name of the selected class, "" where there is none; can be set."""
        rows = self.selectionModel().selectedRows()
        return self._names[rows[0].row()] if rows else ""

    @selected.setter
    def selected(self, name: str) -> None:
        if name in self._names:
            self.selectRow(self._names.index(name))
        else:
            self.clearSelection()

    def counts(self) -> dict[str, int]:
        """Objects by class, as the table says."""
        return {name: int(self.item(row, _ALL).text() or 0) for row, name in enumerate(self._names)}

    def show_classes(
        self,
        classes: Sequence[ObjectClass],
        examples: Mapping[str, int] | None,
        here: Mapping[str, int] | None,
        objects: Mapping[str, int] | None,
    ) -> None:
        """Other classes or counts; the selection stays.

        Parameters
        ----------
        classes : sequence of ObjectClass
        examples : mapping of str to int, or None
            Number of each; None where nothing is taught, and names cannot be changed.
        here, objects : mapping of str to int, or None
            Objects in the slice on screen, and in all; None where that is not known or the same.
        """
        before = self.selected
        self._filling = True
        self._names = [each.name for each in classes]
        self.setRowCount(len(classes))
        rows = min(max(len(classes), _LEAST_ROWS), _MOST_ROWS)
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + rows * _ROW + 4)
        for row, each in enumerate(classes):
            counted = (examples, here, objects)
            numbers = ["" if n is None else str(n.get(each.name, 0)) for n in counted]
            for column, text in enumerate((each.name, each.key, *numbers)):
                self.setItem(row, column, self._item(column, text, each, examples is not None))
        for column, given in ((_KEY, examples), (_EXAMPLES, examples), (_HERE, here)):
            self.setColumnHidden(column, given is None)
        self.selected = before
        self._filling = False
        if self.selected != before:
            self.chosen.emit()

    def _item(self, column: int, text: str, of: ObjectClass, editable: bool) -> QTableWidgetItem:
        item = QTableWidgetItem(text)
        flags = _FLAG.ItemIsEnabled | _FLAG.ItemIsSelectable
        if column in _FIELDS and editable:
            flags |= _FLAG.ItemIsEditable
            item.setToolTip("Double-click to change it")
        item.setFlags(flags)
        if column == _NAME:
            item.setData(Qt.ItemDataRole.DecorationRole, QColor(of.colour))
        else:
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
        return item

    def _on_selection(self) -> None:
        if not self._filling:
            self.chosen.emit()

    def _on_edit(self, item: QTableWidgetItem) -> None:
        if not self._filling and item.column() in _FIELDS:
            name = self._names[item.row()]
            self.edited.emit(name, _FIELDS[item.column()], item.text().strip())
