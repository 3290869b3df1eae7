"""Small parts that widgets are put together from."""

from __future__ import annotations

from magicgui.widgets import Container, Label, PushButton
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


def align(*forms: Container) -> None:
    """Let the fields of forms begin at the same place: what magicgui means to do is lost."""
    labels = [label for form in forms for label in _labels(form)]
    width = max((label.sizeHint().width() for label in labels), default=0)
    for label in labels:
        label.setMinimumWidth(max(width, _LABEL_WIDTH))


def _labels(form: Container) -> list[QLabel]:
    """A check box says its name itself."""
    beside = (each.native.parentWidget() for each in form)
    lines = (line.layout().itemAt(0).widget() for line in beside if line is not form.native)
    return [label for label in lines if isinstance(label, QLabel)]
