"""Where models are looked for: shown, and folders of the lab added to it or taken off."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ...models.places import (
    SHARED_VARIABLE,
    read_settings,
    shared_folders,
    shipped_folder,
    user_folder,
)

_SIZE = (560, 220)  # px


class FoldersDialog(QDialog):
    """Lists the folders; what the user wants is done by who asked.

    Attributes
    ----------
    add : Path or None
        A folder to share from now on.
    drop : Path or None
        One to share no longer.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Folders of models")
        self.resize(*_SIZE)
        self.add: Path | None = None
        self.drop: Path | None = None
        self.list = QListWidget()
        for folder, place in _places():
            item = QListWidgetItem(f"{place}: {folder}")
            item.setData(Qt.ItemDataRole.UserRole, folder if place == "shared" else None)
            self.list.addItem(item)
        about = QLabel(
            "Models are installed into your own folder. Those of shared folders are listed and "
            "run like them; nothing is ever written there."
        )
        about.setWordWrap(True)
        adds, closes = QPushButton("Add shared folder…"), QPushButton("Close")
        self.drops = QPushButton("Take off the list")
        adds.clicked.connect(self._add)
        self.drops.clicked.connect(self._drop)
        closes.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        for each in (adds, self.drops, closes):
            buttons.addWidget(each)
        layout = QVBoxLayout(self)
        layout.addWidget(about)
        layout.addWidget(self.list)
        layout.addLayout(buttons)
        self.list.currentItemChanged.connect(self._chosen)
        self._chosen()

    def _chosen(self, *_: object) -> None:
        item = self.list.currentItem()
        self.drops.setEnabled(item is not None and item.data(Qt.ItemDataRole.UserRole) is not None)

    def _add(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder that holds folders of models")
        if path:
            self.add = Path(path)
            self.accept()

    def _drop(self) -> None:
        self.drop = self.list.currentItem().data(Qt.ItemDataRole.UserRole)
        self.accept()


def _places() -> list[tuple[Path, str]]:
    """All folders, and what they are."""
    ours = read_settings().shared
    shared = [
        (each, "shared" if str(each) in ours else f"shared by {SHARED_VARIABLE}")
        for each in shared_folders()
    ]
    return [(user_folder(), "yours"), *shared, (shipped_folder(), "shipped")]
