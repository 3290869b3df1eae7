"""Small parts that widgets are put together from."""

from __future__ import annotations

from magicgui.widgets import Container, Label, PushButton
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QComboBox, QLabel, QSizePolicy
from superqt import QCollapsible

SHORT = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
"""Of a box of choices that need not be as wide as the longest."""
_LABEL_WIDTH = 118  # px; of longer labels more


def row(*buttons: PushButton) -> Container:
    """A line of buttons without a margin."""
    line = Container(widgets=buttons, layout="horizontal", labels=False)
    line.margins = (0, 0, 0, 0)
    return line


def text(name: str) -> Label:
    """Text as wide as there is room; magicgui's own is as wide as its longest line."""
    label = Label(name=name)
    policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    policy.setHeightForWidth(True)
    label.native.setSizePolicy(policy)
    label.native.setWordWrap(True)
    return label


def section(title: str) -> QCollapsible:
    """What opens when its title is pressed; superqt's own arrows are black on dark, too."""
    box = QCollapsible(f"▸ {title}", collapsedIcon=QIcon(), expandedIcon=QIcon())
    box.toggled.connect(lambda is_open: box.setText(f"{'▾' if is_open else '▸'} {title}"))
    return box


def widen(widget: Container, least: int) -> None:
    """At least so wide (px); `setMinimumWidth` would let wider content be cut off."""
    widget.native.layout().addStrut(least)


def align(*forms: Container) -> None:
    """Let the fields of forms begin at the same place: what magicgui means to do is lost."""
    labels = [label for form in forms for label in _labels(form)]
    if labels:
        _Alignment(labels)


class _Alignment(QObject):
    """Labels as wide as the widest, in whatever font the window has that they are docked in."""

    def __init__(self, labels: list[QLabel]) -> None:
        super().__init__(labels[0])
        self._labels = labels
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._widen)
        for label in labels:
            label.installEventFilter(self)
        self._widen()

    def eventFilter(self, _: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Look again when there may be another font."""
        if event is not None and event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._timer.start()
        return False

    def _widen(self) -> None:
        width = max(_LABEL_WIDTH, *(label.sizeHint().width() for label in self._labels))
        for label in self._labels:
            label.setMinimumWidth(width)


def _labels(form: Container) -> list[QLabel]:
    """A check box says its name itself."""
    beside = (each.native.parentWidget() for each in form)
    lines = (line.layout().itemAt(0).widget() for line in beside if line is not form.native)
    return [label for label in lines if isinstance(label, QLabel)]
