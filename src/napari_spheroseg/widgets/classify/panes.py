"""Two parts above each other: what is set above, a long table below."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QSplitter, QWidget

from ..scroll import Scroll

_LEAST_TABLE = 150  # px


class Panes(QSplitter):
    """Gives the upper part as much room as it needs, whenever that changes, and the table the rest.

    Parameters
    ----------
    upper, table : QWidget
    """

    def __init__(self, upper: QWidget, table: QWidget) -> None:
        super().__init__(Qt.Orientation.Vertical)
        self._upper, self._wanted = upper, 0
        self.addWidget(Scroll(upper))
        self.addWidget(table)
        self.setStretchFactor(1, 1)
        self.setChildrenCollapsible(False)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._share)
        upper.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Look again when something in the upper part came or went."""
        if event.type() == QEvent.Type.LayoutRequest:
            self._timer.start()
        return False

    def _share(self) -> None:
        wanted = self._upper.sizeHint().height() + 4
        height = sum(self.sizes())
        if wanted != self._wanted and height > 0:  # else it stays as the user drew it
            self._wanted = wanted
            upper = min(wanted, height - _LEAST_TABLE)
            self.setSizes([upper, height - upper])
