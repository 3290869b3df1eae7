"""A part of a widget that scrolls where there is little room."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QWidget

_LEAST_HEIGHT = 120  # px


class Scroll(QScrollArea):
    """As high as its content where there is room, and with a scroll bar where there is not."""

    def __init__(self, inner: QWidget) -> None:
        super().__init__()
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(_LEAST_HEIGHT)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Of the content: a scroll area's own is cut off at 24 lines."""
        return self.widget().sizeHint()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Wide enough for the content and a scroll bar."""
        return QSize(self.widget().minimumSizeHint().width() + 20, _LEAST_HEIGHT)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Tell the layout around it when the content wants another width."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))
