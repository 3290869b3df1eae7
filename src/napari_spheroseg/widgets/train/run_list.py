"""The list of runs, past and running."""

from __future__ import annotations

from pathlib import Path

from psygnal import Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from ...training.installed import installed_name
from ...training.runs import Run, Status

_HEIGHT = 120  # px; more runs scroll


class RunList(QTableWidget):
    """A row a run.

    Attributes
    ----------
    chosen : Signal
        Another run was selected.
    """

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__(0, 3)
        self._runs: list[tuple[Run, Status]] = []
        self._installed: dict[tuple[Path, float], str | None] = {}
        self.setHorizontalHeaderLabels(["Run", "State", "Model"])
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.setFixedHeight(_HEIGHT)
        self.itemSelectionChanged.connect(self.chosen.emit)

    @property
    def selected(self) -> Run | None:
        """The run that the buttons act on."""
        row = self.currentRow()
        return self._runs[row][0] if 0 <= row < len(self._runs) else None

    @selected.setter
    def selected(self, run: Run | None) -> None:
        folders = [each.folder for each, _ in self._runs]
        if run is not None and run.folder in folders:
            self.selectRow(folders.index(run.folder))

    @property
    def status(self) -> Status | None:
        """Of the selected run, when it was last looked at."""
        row = self.currentRow()
        return self._runs[row][1] if 0 <= row < len(self._runs) else None

    def states(self) -> dict[str, str]:
        """What the list says, by the run's name."""
        return {run.name: status.state for run, status in self._runs}

    def show_runs(self, runs: list[tuple[Run, Status]]) -> None:
        """Show runs, the first selected unless another was."""
        before = self.selected
        self.blockSignals(True)
        self._runs = runs
        self.setRowCount(len(runs))
        for row, (run, status) in enumerate(runs):
            self._write(row, (run.name, _state(status), self._model(run, status)), status.message)
        if runs:
            self.selected = runs[0][0]
        self.selected = before
        self.blockSignals(False)
        self.chosen.emit()

    def forget_installed(self) -> None:
        """Models were installed or removed: look again."""
        self._installed.clear()

    def _write(self, row: int, texts: tuple[str, ...], tooltip: str) -> None:
        for column, text in enumerate(texts):
            item = self.item(row, column)
            if item is None:
                item = QTableWidgetItem()
                self.setItem(row, column, item)
            item.setText(text)
            item.setToolTip(tooltip)

    def _model(self, run: Run, status: Status) -> str:
        if status.state != "finished":
            return ""
        key = (run.folder, status.updated)
        if key not in self._installed:
            self._installed[key] = installed_name(run)
        return self._installed[key] or "not installed"


def _state(status: Status) -> str:
    if status.state in ("running", "stopped", "stale", "failed") and status.steps:
        return f"{status.state}, {status.step / status.steps:.0%}"
    return "not started" if status.state == "waiting" and not status.message else status.state
