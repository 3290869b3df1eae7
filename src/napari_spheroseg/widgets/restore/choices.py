"""What is to be restored, and how: image, channel, model, slices, settings."""

from __future__ import annotations

from collections.abc import Callable

from magicgui.widgets import ComboBox, Container
from napari.layers import Image

from ... import models
from ...errors import SpherosegError, UnknownName
from ...inference.frames import Frames
from ..offered import first_model, offered_models
from ..preferences import Preferences
from ..source import ALL_CHANNELS, channel_choices, full_resolution
from .real_focus import RealFocus
from .settings import RestoreMore

CURRENT, EVERY = "Current slice", "Every slice"


class Choices(Container):
    """The upper part of the widget.

    Parameters
    ----------
    images : callable
        Gives the image layers that can be restored.
    wanted : Preferences
        Device to begin with.

    Attributes
    ----------
    image, channel, model, frames : ComboBox
    real_focus : RealFocus
        What is offered first, where the image has several planes.
    more : RestoreMore
    """

    def __init__(self, images: Callable[[], list[Image]], wanted: Preferences) -> None:
        self._channels = [ALL_CHANNELS]
        self.image = ComboBox(
            name="image",
            label="Image",
            choices=lambda _: [(layer.name, layer) for layer in images()],
            tooltip="The layer to restore",
        )
        self.channel = ComboBox(
            name="channel",
            label="Channel",
            choices=lambda _: self._channels,  # napari resets choices with every layer
            tooltip="Channel to restore",
        )
        self.model = ComboBox(
            name="model", label="Model", choices=lambda _: offered_models("restoration")
        )
        if (first := first_model("restoration")) is not None:
            self.model.value = first
        self.frames = ComboBox(
            name="frames",
            label="Slices",
            choices=[CURRENT, EVERY],
            tooltip="Slices that you restore one by one are collected in the same layer.",
        )
        self.real_focus, self.more = RealFocus(), RestoreMore(wanted)
        source = Container(widgets=[self.image, self.channel], labels=True)
        how = Container(widgets=[self.model, self.frames], labels=True)
        self.forms = (source, self.real_focus.form, how, self.more)
        super().__init__(widgets=[source, self.real_focus, how], labels=False)
        for each in (self, source, how):
            each.margins = (0, 0, 0, 0)
        self.native.layout().addWidget(self.more.collapsible)
        self.more.axes.changed.connect(self.show_axes)
        self.model.changed.connect(self.show_model)
        self.show_model()

    @property
    def channel_number(self) -> int | None:
        """The chosen channel; None for all samples of RGB, or where there is one."""
        return None if self.channel.value == -1 else self.channel.value

    @property
    def problem(self) -> str:
        """Why the chosen model cannot restore; empty where it can."""
        name = self.model.value
        if name is None:
            return str(_no_model())
        metadata = models.info(name)
        return "" if metadata.has_weights else str(models.no_weights(metadata))

    @property
    def restorer(self) -> str:
        """Name of the chosen model.

        Raises
        ------
        UnknownName
            There is none.
        """
        if self.model.value is None:
            raise _no_model()
        return str(self.model.value)

    def new_frames(self) -> Frames:
        """The chosen image as frames.

        Raises
        ------
        SpherosegError
            There is none, or its axes or channel do not fit.
        """
        layer = self.image.value
        if layer is None:
            raise SpherosegError(
                "There is no image to restore",
                hint="Open one, or try File ▸ Open Sample ▸ SpheroSeg.",
            )
        return Frames.of(full_resolution(layer), self.more.axes.value or None, self.channel_number)

    def show_image(self) -> None:
        """Fill in what the chosen image is like."""
        self.more.show_image(self.image.value)
        self.show_axes()

    def show_axes(self) -> None:
        """Offer the channels, slices and planes that the axes say."""
        layer = self.image.value
        shape = () if layer is None else full_resolution(layer).shape
        self._channels = channel_choices(self.more.axes.value, shape)
        self.channel.reset_choices()
        self.channel.visible = self._channels != [ALL_CHANNELS]
        try:
            frames = self.new_frames()
        except SpherosegError:  # a run will say why
            frames = None
        self.frames.visible = frames is not None and bool(frames.leading_shape)
        self.real_focus.offer(layer, frames)

    def show_model(self) -> None:
        """Fill in what the chosen model recommends."""
        if self.model.value is None:
            return
        metadata = models.info(self.model.value)
        self.model.tooltip = metadata.description
        self.more.show_model(metadata)


def _no_model() -> UnknownName:
    return UnknownName(
        "There is no model that restores focus", hint="Install one: see the widget Model manager."
    )
