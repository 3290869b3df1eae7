"""The part of the batch widget that reads wells and times from names of files."""

from __future__ import annotations

from pathlib import Path

from magicgui.widgets import ComboBox, Container, LineEdit
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from ...batch.names import guess_pattern, preview
from ...batch.patterns import PATTERNS
from ...errors import SpherosegError
from ..parts import section, text

AUTO, NONE, OWN = "auto", "none", "own"
_COLUMNS = ("file", "well", "position", "time", "channel", "note")
_SHOWN = 5  # files
_HEIGHT = 150  # px


class PatternChoice(Container):
    """How file names tell well, position and time, with what is read from the first of them.

    Notes
    -----
    Children that scripts can set: ``pattern`` ("auto", "none", the title of a built-in one, or
    "own") and ``own``.
    """

    def __init__(self) -> None:
        self._paths: tuple[Path, ...] = ()
        titles = [(each.title, each.title) for each in PATTERNS]
        self.pattern = ComboBox(
            name="pattern",
            label="Names say",
            choices=[
                ("what is recognised", AUTO),
                ("nothing", NONE),
                ("what I write below", OWN),
                *titles,
            ],
            tooltip="Well, position, time and channel of an image become columns of the tables.",
        )
        # a name is as long as it is; the combo box need not be
        self.pattern.native.setSizeAdjustPolicy(
            self.pattern.native.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.own = LineEdit(
            name="own",
            label="Pattern",
            value="{well}_{position}_{time}",
            tooltip="Like the name itself, with {well} {position} {time} {day} {hour} {frame} "
            "{channel}; {*} is anything, and what stands in [ ] may be missing.",
        )
        self.told = text("told")
        self.told.label = " "
        super().__init__(widgets=[self.pattern, self.own, self.told], labels=True)
        self.margins = (0, 0, 0, 0)
        self.rows = QTableWidget(0, len(_COLUMNS))
        self.rows.setHorizontalHeaderLabels([each.capitalize() for each in _COLUMNS])
        self.rows.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.rows.verticalHeader().hide()
        self.rows.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.rows.setFixedHeight(_HEIGHT)
        self.native.layout().addWidget(self.rows)
        self.pattern.changed.connect(self.refresh)
        self.own.changed.connect(self.refresh)
        self.collapsible = section("Names of files")
        self.collapsible.addWidget(self.native)
        self.refresh()

    @property
    def value(self) -> str:
        """Setting of `BatchSettings`."""
        return str(self.own.value if self.pattern.value == OWN else self.pattern.value)

    def show_paths(self, paths: tuple[Path, ...]) -> None:
        """Other files."""
        self._paths = paths
        self.refresh()

    def refresh(self) -> None:
        """Read the first names."""
        self.own.visible = self.pattern.value == OWN
        rows: list[dict[str, str]] = []
        self.told.value = ""
        if self._paths and self.value != NONE:
            try:
                rows = self._read()
            except SpherosegError as error:
                self.told.value = str(error)
        self.told.visible = bool(self.told.value)
        self.rows.setVisible(bool(rows))
        self.rows.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, name in enumerate(_COLUMNS):
                self.rows.setItem(number, column, QTableWidgetItem(row[name]))
        for column, name in enumerate(_COLUMNS):
            self.rows.setColumnHidden(column, not any(row[name] for row in rows))

    def _read(self) -> list[dict[str, str]]:
        pattern: str = self.value
        names = [str(path.absolute()) for path in self._paths]
        if pattern == AUTO:
            guessed = guess_pattern(names)
            if guessed is None:
                self.told.value = "The names follow no pattern that is known."
                return []
            self.told.value = f"Recognised: {guessed.title}"
            return preview(names[:_SHOWN], guessed)
        known = {each.title: each for each in PATTERNS}
        return preview(names[:_SHOWN], known.get(pattern, pattern))
