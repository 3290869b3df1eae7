"""The table of measures before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHeaderView, QSizePolicy, QTableWidget, QTableWidgetItem

from ...restoration.before_after import BeforeAfter
from ...segmentation.difference import Difference

_HEAD = ("", "Before", "After")
_UNKNOWN = "–"


class MeasureTable(QTableWidget):
    """Sharpness, nearness to the reference, and objects, of the slice on screen."""

    def __init__(self) -> None:
        super().__init__(0, len(_HEAD))
        self.setHorizontalHeaderLabels(_HEAD)
        self.verticalHeader().hide()
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setShowGrid(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.show_rows([], None)

    def show_rows(self, measured: Sequence[BeforeAfter], difference: Difference | None) -> None:
        """Write what was measured; it is as high as its rows."""
        rows = [
            (each.title, _number(each.before), _number(each.after), each.reason)
            for each in measured
        ]
        if difference is not None:
            objects, area = difference.objects, difference.area
            rows.append(("Objects", str(objects[0]), str(objects[1]), ""))
            rows.append((f"Area ({difference.unit})", _number(area[0]), _number(area[1]), ""))
        self.setRowCount(len(rows))
        for row, (*texts, reason) in enumerate(rows):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(reason)
                if column:
                    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    item.setTextAlignment(right)
                self.setItem(row, column, item)
        self.resizeRowsToContents()
        height = self.horizontalHeader().sizeHint().height() + 2 * self.frameWidth()
        self.setFixedHeight(height + sum(self.rowHeight(row) for row in range(len(rows))))

    @property
    def texts(self) -> dict[str, tuple[str, str]]:
        """What it says, by the name of the row."""
        return {
            self.item(row, 0).text(): (self.item(row, 1).text(), self.item(row, 2).text())
            for row in range(self.rowCount())
        }


def _number(value: float) -> str:
    if math.isnan(value):
        return _UNKNOWN
    if math.isinf(value):
        return "∞"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
