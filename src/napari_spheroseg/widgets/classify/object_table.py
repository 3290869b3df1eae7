"""The table of objects: a row an object, with its class."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from ...classification.colours import best_probability
from ...classification.examples import ObjectClass, place_columns
from ...classification.lesson import Place

if TYPE_CHECKING:
    import pandas as pd

_LEAST_HEIGHT = 110  # px
_ROLE = Qt.ItemDataRole
_EXAMPLE = "●"


class ObjectModel(QAbstractTableModel):
    """Objects by place; of a long table only the rows on screen are made into text."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[Place] = []
        self._columns: dict[str, Any] = {}
        self._colours: dict[str, QColor] = {}
        self._rows: dict[Place, int] = {}
        self._sorted: tuple[int, bool] = (-1, False)

    def show_objects(
        self,
        table: pd.DataFrame | None,
        classes: Collection[ObjectClass],
        examples: Collection[Place],
    ) -> None:
        """Other objects or classes; they are sorted as before."""
        self.beginResetModel()
        self._columns, self.places = {}, []
        self._colours = {each.name: QColor(each.colour) for each in classes}
        if table is not None:
            place = place_columns(table)
            index = table[place].to_numpy(np.int64).tolist()
            labels = table["label"].to_numpy(np.int64).tolist()
            self.places = [(tuple(at), label) for at, label in zip(index, labels, strict=True)]
            self._columns = {name: table[name].to_numpy() for name in ("label", *place)}
            self._columns["class"] = table["class"].astype(object).fillna("").to_numpy()
            self._columns["probability"] = best_probability(table).to_numpy(float)
            if examples:
                given = [_EXAMPLE if each in examples else "" for each in self.places]
                self._columns["example"] = np.array(given, object)
        self._arrange()
        self.endResetModel()

    def row_of(self, place: Place | None) -> int | None:
        """Where an object stands."""
        return None if place is None else self._rows.get(place)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, N802
        """Of a table."""
        return 0 if parent.isValid() else len(self.places)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, N802
        """Of a table."""
        return 0 if parent.isValid() else len(self._columns)

    def headerData(self, section: int, orientation: Any, role: int = _ROLE.DisplayRole) -> Any:  # noqa: N802
        """Names of the columns."""
        if role == _ROLE.DisplayRole and orientation == Qt.Orientation.Horizontal:
            name = list(self._columns)[section]
            return name.upper() if len(name) == 1 else name.capitalize()
        return None

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        """What the view asks for, of the rows on screen only."""
        name = list(self._columns)[index.column()]
        value = self._columns[name][index.row()]
        if role == _ROLE.DisplayRole:
            if name == "probability":
                return "" if np.isnan(value) else f"{value:.2f}"
            return str(value)
        if role == _ROLE.DecorationRole and name == "class":
            return self._colours.get(value)
        if role == _ROLE.TextAlignmentRole and name != "class":
            return Qt.AlignmentFlag.AlignCenter
        return None

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """By a column; asked for by a click on its header."""
        self.beginResetModel()
        self._sorted = column, order == Qt.SortOrder.DescendingOrder
        self._arrange()
        self.endResetModel()

    def _arrange(self) -> None:
        column, backwards = self._sorted
        if 0 <= column < len(self._columns):
            order = np.argsort(list(self._columns.values())[column], kind="stable")
            order = order[::-1] if backwards else order
            self._columns = {name: each[order] for name, each in self._columns.items()}
            self.places = [self.places[row] for row in order]
        self._rows = {place: row for row, place in enumerate(self.places)}


class ObjectTable(QTableView):
    """Shows an `ObjectModel`.

    Attributes
    ----------
    chosen : Signal(object)
        The user selected the row of an object; its place.
    """

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.objects = ObjectModel()
        self._place: Place | None = None
        self._quiet = False
        self.setModel(self.objects)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setMinimumHeight(_LEAST_HEIGHT)
        self.setToolTip("Select a row to see the object; click an object to find its row")
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)  # else each row is measured
        rows.setDefaultSectionSize(22)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(44)
        self.selectionModel().selectionChanged.connect(self._on_selection)
        self.objects.modelReset.connect(self._select_again)

    @property
    def selected(self) -> Place | None:
        """The selected object; setting it tells nobody."""
        return self._place

    @selected.setter
    def selected(self, place: Place | None) -> None:
        self._place = place
        self._select_again()

    def _select_again(self) -> None:
        self._quiet = True
        row = self.objects.row_of(self._place)
        if row is None:
            self.clearSelection()
        else:
            self.selectRow(row)
            self.scrollTo(self.objects.index(row, 0))
        self._quiet = False

    def _on_selection(self) -> None:
        rows = self.selectionModel().selectedRows()
        if self._quiet or not rows:
            return
        self._place = self.objects.places[rows[0].row()]
        self.chosen.emit(self._place)
