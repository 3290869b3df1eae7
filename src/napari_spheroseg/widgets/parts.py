"""Small parts that widgets are put together from."""

from __future__ import annotations

from magicgui.widgets import Container, Label, PushButton
from qtpy.QtWidgets import QComboBox, QLabel, QSizePolicy

SHORT = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
"""Of a box of choices that need not be as wide as the longest."""
_LABEL_WIDTH = 118  # px


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


def align(*forms: Container) -> None:
    """Let the fields of forms begin at the same place: what magicgui means to do is lost."""
    for form in forms:
        for each in form:
            beside = each.native.parentWidget()
            if beside is not form.native:  # a check box says its name itself
                label = beside.layout().itemAt(0).widget()
                if isinstance(label, QLabel):
                    label.setMinimumWidth(_LABEL_WIDTH)
