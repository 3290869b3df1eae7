"""The buttons for the selected models."""

from __future__ import annotations

from magicgui.widgets import Container, PushButton

from ..parts import row
from .rows import Row


class ModelActions(Container):
    """Rows of buttons.

    Attributes
    ----------
    verify, try_out, export, bundle, make_default, rename, remove : PushButton
        For the selected models.
    trash, folders, check : PushButton
        For removed ones, for folders that are shared, and for the machine.
    """

    def __init__(self) -> None:
        self.verify = PushButton(
            text="Verify", tooltip="Compare the selected models with their checksums and networks"
        )
        self.try_out = PushButton(
            text="Try", tooltip="Show below what the selected model finds in a sample image"
        )
        self.export = PushButton(
            text="Export…",
            tooltip="Write the selected model for another program: TorchScript (.pt), ONNX "
            "(.onnx), OpenVINO (.xml), BioImage Model Zoo (.zip)",
        )
        self.bundle = PushButton(
            text="Bundle…", tooltip="Pack the selected models into one zip, to install elsewhere"
        )
        self.rename = PushButton(text="Rename…", tooltip="Give the selected model another name")
        self.make_default = PushButton(
            text="Set as default",
            tooltip="Let new widgets and the command line begin with the selected model",
        )
        self.remove = PushButton(
            text="Remove…",
            tooltip="Move the selected models to the trash; those that ship or are shared stay",
        )
        self.trash = PushButton(
            text="Trash…", tooltip="Bring back a model that was removed, or replaced by another"
        )
        self.folders = PushButton(
            text="Folders…",
            tooltip="Where models are looked for; list those of a folder that your lab shares",
        )
        self.check = PushButton(
            text="Check machine", tooltip="Look for problems, and what mends them"
        )
        super().__init__(
            widgets=[
                row(self.verify, self.try_out, self.export, self.bundle),
                row(self.rename, self.remove, self.trash),
                row(self.make_default, self.folders, self.check),
            ],
            labels=False,
        )
        self.margins = (0, 0, 0, 0)

    def allow(self, chosen: list[Row]) -> None:
        """Enable what can be done with these models."""
        one = len(chosen) == 1
        self.verify.enabled = bool(chosen)
        self.export.enabled = one and chosen[0].has_weights
        segments = one and chosen[0].has_weights and chosen[0].task == "segmentation"
        self.try_out.enabled = segments
        self.bundle.enabled = bool(chosen) and all(each.has_weights for each in chosen)
        self.rename.enabled = one and chosen[0].is_users and chosen[0].metadata is not None
        self.make_default.enabled = one and chosen[0].has_weights
        self.remove.enabled = bool(chosen) and all(each.is_users for each in chosen)
