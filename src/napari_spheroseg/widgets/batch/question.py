"""What to do with a folder that holds other results."""

from __future__ import annotations

from qtpy.QtWidgets import QMessageBox, QWidget


def ask(message: str, parent: QWidget) -> str:
    """Go on with the folder's settings, begin anew, or neither: "resume", "overwrite" or ""."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Batch segmentation")
    box.setText("The folder holds results that were made with other settings.")
    box.setInformativeText(message)
    resume = box.addButton("Go on with its settings", QMessageBox.ButtonRole.AcceptRole)
    anew = box.addButton("Delete them, begin anew", QMessageBox.ButtonRole.DestructiveRole)
    box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(resume)
    box.exec()
    clicked = box.clickedButton()
    return "resume" if clicked is resume else "overwrite" if clicked is anew else ""
