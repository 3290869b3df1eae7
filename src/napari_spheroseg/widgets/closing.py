"""What happens to runs when the viewer, or a widget's dock, is closed."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QMainWindow, QMessageBox, QWidget

LEAVE, STOP, STAY = "leave", "stop", "stay"


class ClosingGuard(QObject):
    """Calls before the window around a widget closes, and after its dock was.

    Parameters
    ----------
    widget : QWidget
    on_close : callable
        Gets whether closing can still be called off, and gives whether to close.
    """

    def __init__(self, widget: QWidget, on_close: Callable[[bool], bool]) -> None:
        super().__init__(widget)
        self._widget, self._on_close = widget, on_close
        self._window: Callable[[], QMainWindow | None] = lambda: None  # weak: it may close
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Look at what happens to the widget and to its window."""
        kind = None if event is None else event.type()
        if kind == QEvent.Type.Close and isinstance(watched, QMainWindow):
            if not self._on_close(True):
                event.ignore()
                return True
        elif kind in (QEvent.Type.Show, QEvent.Type.ParentChange) and watched is self._widget:
            self._look_around()
            QTimer.singleShot(0, self._look_around)  # a new dock enters its window after this
        return False

    def _look_around(self) -> None:
        window, before = _main_window(self._widget), self._window()
        if window is before:
            return
        if before is not None:
            before.removeEventFilter(self)
        if window is None:  # taken out of its dock
            self._window = lambda: None
            QTimer.singleShot(0, lambda: self._ask_late())  # a lambda keeps us alive until then
        else:
            self._window = weakref.ref(window)
            window.installEventFilter(self)

    def _ask_late(self) -> None:
        if _main_window(self._widget) is None:
            self._on_close(False)


def _main_window(widget: QWidget) -> QMainWindow | None:
    above: Any = widget
    while above is not None and not isinstance(above, QMainWindow):
        above = above.parentWidget()
    return above


def ask_about(names: list[str], can_stay: bool, parent: QWidget) -> str:
    """Ask whether runs shall go on without the viewer: "leave", "stop" or "stay"."""
    what = f"'{names[0]}' is" if len(names) == 1 else f"{len(names)} runs are"
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Training goes on")
    box.setText(f"{what} still training.")
    box.setInformativeText(
        "Training goes on without napari if you leave it: open Train model again to see it. "
        "If you stop it, it saves first and can be resumed."
    )
    leave = box.addButton("Leave it running", QMessageBox.ButtonRole.AcceptRole)
    stop = box.addButton("Stop it", QMessageBox.ButtonRole.DestructiveRole)
    if can_stay:
        box.addButton("Do not close", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(leave)
    box.exec()
    clicked = box.clickedButton()
    if clicked is stop:
        return STOP
    return STAY if can_stay and clicked is not leave else LEAVE
