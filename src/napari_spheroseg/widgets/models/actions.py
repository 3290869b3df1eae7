"""The buttons for the selected models."""

from __future__ import annotations

from magicgui.widgets import Container, PushButton

from ..parts import row
from .rows import Row


class ModelActions(Container):
    """Two rows of buttons.

    Attributes
    ----------
    verify, export, bundle, rename, remove : PushButton
        For the selected models.
    check : PushButton
        For the machine.
    """

    def __init__(self) -> None:
        self.verify = PushButton(
            text="Verify", tooltip="Compare the selected models with their checksums and networks"
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
        self.remove = PushButton(
            text="Remove…", tooltip="Delete the selected models; those that ship stay"
        )
        self.check = PushButton(
            text="Check this machine", tooltip="Look for problems, and what mends them"
        )
        super().__init__(
            widgets=[
                row(self.verify, self.export, self.bundle),
                row(self.rename, self.remove, self.check),
            ],
            labels=False,
        )
        self.margins = (0, 0, 0, 0)

    def allow(self, chosen: list[Row]) -> None:
        """Enable what can be done with these models."""
        one = len(chosen) == 1
        self.verify.enabled = bool(chosen)
        self.export.enabled = one and chosen[0].has_weights
        self.bundle.enabled = bool(chosen) and all(each.has_weights for each in chosen)
        self.rename.enabled = one and chosen[0].is_users
        self.remove.enabled = bool(chosen) and all(each.is_users for each in chosen)
