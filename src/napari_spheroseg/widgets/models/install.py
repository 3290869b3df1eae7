"""What is to be installed: a file, folder or address, and what to call it."""

from __future__ import annotations

from pathlib import Path

from magicgui.widgets import Container, FileEdit, LineEdit, PushButton
from qtpy.QtWidgets import QFileDialog

from ..parts import align, row

_FILES = "*.pth *.pt *.ckpt *.safetensors *.zip"


class InstallForm(Container):
    """Path or address, name, and the buttons that choose and install.

    Attributes
    ----------
    path : FileEdit
        Checkpoint, collection, package of the BioImage Model Zoo, or folder of a model.
    url : LineEdit
        Address of such a file, perhaps with ``#sha256=…``; it goes before the path.
    model_name : LineEdit
        What to call it; empty: its own name, or that of its file.
    folder, install : PushButton
    """

    def __init__(self) -> None:
        self.path = FileEdit(
            name="install_path",
            label="Install from",
            mode="r",
            nullable=True,
            filter=_FILES,
            tooltip="A checkpoint, a collection or a package of the BioImage Model Zoo (zip), or "
            "the folder of a model",
        )
        self.path.choose_btn.text = "File…"
        self.url = LineEdit(
            name="install_url",
            label="or address",
            tooltip="https://… of a checkpoint, a collection or a package; with #sha256=… at its "
            "end the file must have this checksum. A download that broke off goes on where it "
            "stopped when it is asked for again.",
        )
        self.model_name = LineEdit(
            name="install_name",
            label="As",
            tooltip="What to call it; empty: its own name, or that of its file. The name of a "
            "model that waits for a checkpoint gives it its weights.",
        )
        self.folder = PushButton(text="Folder…", tooltip="Choose the folder of a model")
        self.install = PushButton(text="Install…", tooltip="Copy it into the folder of models")
        fields = Container(widgets=[self.path, self.url, self.model_name], labels=True)
        fields.margins = (0, 0, 0, 0)
        super().__init__(widgets=[fields, row(self.folder, self.install)], labels=False)
        self.margins = (0, 0, 0, 0)
        align(fields)
        self.folder.changed.connect(self._choose_folder)

    def chosen(self) -> tuple[Path | str, str | None] | None:
        """Path or address, and name; asks for a file where there is neither.

        Returns
        -------
        tuple or None
            None: the user would not say.
        """
        name = self.model_name.value.strip() or None
        if url := self.url.value.strip():
            return (url if "://" in url else f"https://{url}"), name
        if self.path.value in (None, Path()):
            path, _ = QFileDialog.getOpenFileName(
                self.native, "Install model", "", f"Models ({_FILES});;All files (*)"
            )
            if not path:
                return None
            self.path.value = path
        return Path(self.path.value).expanduser(), name

    def clear_fields(self) -> None:
        """What was chosen is installed."""
        self.path.value, self.url.value, self.model_name.value = None, "", ""

    def _choose_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self.native, "Folder of a model")
        if path:
            self.path.value = path
