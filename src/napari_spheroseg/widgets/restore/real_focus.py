"""What a z-stack offers before anything is restored."""

from __future__ import annotations

from magicgui.widgets import ComboBox, Container, PushButton
from napari.layers import Image

from ...inference.frames import Frames
from ..parts import row, text

_SAID = "Real focus beats restored focus: a plane that was in focus shows what was there."
_NO_DEPTH = ("none", "")


class RealFocus(Container):
    """Buttons that find a plane in focus, for images with several planes.

    Attributes
    ----------
    axis : ComboBox
        Which axis goes through depth; Z where the image says so.
    sharpest, fused : PushButton
    """

    def __init__(self) -> None:
        self._offered = [_NO_DEPTH]
        self.said = text("real_focus")
        self.said.value = _SAID
        self.axis = ComboBox(
            name="depth",
            label="Depth axis",
            choices=lambda _: self._offered,  # napari resets choices with every layer
            tooltip="The axis of the image that goes through depth",
        )
        self.sharpest = PushButton(
            text="Sharpest plane",
            tooltip="Find the plane that is sharpest as a whole, and show it as a layer",
        )
        self.fused = PushButton(
            text="Extended depth of field",
            tooltip="Make one plane in which everything is as sharp as somewhere in the stack",
        )
        choice = Container(widgets=[self.axis], labels=True)
        choice.margins = (0, 0, 0, 0)
        super().__init__(widgets=[self.said, choice, row(self.sharpest, self.fused)], labels=False)
        self.margins = (0, 0, 0, 0)
        self._choice = choice
        self._idle = True
        self.axis.changed.connect(lambda: self.allow(self._idle))

    @property
    def form(self) -> Container:
        """The part with a label, to be aligned with others."""
        return self._choice

    def offer(self, layer: Image | None, frames: Frames | None) -> None:
        """Show which axes of an image have several planes; hidden where none has."""
        axes = {}
        if layer is not None and frames is not None:
            lengths = zip(frames.leading_axes, frames.leading_shape, strict=True)
            axes = {axis: n for axis, n in lengths if n > 1}
        names = [(_title(layer, frames, axis, n), axis) for axis, n in axes.items()]
        before = self.axis.value
        self._offered = [_NO_DEPTH, *names]
        self.axis.reset_choices()
        self.axis.value = "Z" if "Z" in axes else before if before in axes else ""
        self.visible = bool(axes)
        self.allow(self._idle)

    def allow(self, idle: bool) -> None:
        """Whether the buttons can be pressed."""
        self._idle = idle
        for button in (self.sharpest, self.fused):
            button.enabled = idle and bool(self.axis.value)


def _title(layer: Image, frames: Frames, axis: str, planes: int) -> str:
    label = layer.axis_labels[frames.axes.replace("S", "").index(axis)]
    name = label if label.startswith("axis") else f"axis {label}"
    return f"{name}: {planes} planes"
