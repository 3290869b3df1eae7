"""The expandable part of the segment widget: all settings but model and threshold."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Container, LineEdit
from napari.layers import Image
from psygnal import Signal

from ...models import ModelMetadata
from ...segmentation.settings import PUBLISHED, PostProcessing
from .. import forms
from ..news import news
from ..numbers import NumberField
from ..offered import offered_models
from ..parts import SHORT, section
from ..preferences import Preferences
from ..scroll import Scroll
from ..source import ALL_CHANNELS, channel_choices, full_resolution, guess_axes, pixel_size
from ..where import where_fields

RECOMMENDED, SERVICE, CUSTOM = "Recommended by model", "Published service", "Custom"
_WORKING_SIZES = (256, 320, 384, 448, 512, 640, 768, 1024, 1536, 2048, 3072, 4096)
NO_RESTORING = ("no", "")
_LEAST_LETTERS = 16
_FIELDS = [name for name in PostProcessing.model_fields if name != "threshold"]


class MoreSettings(Container):
    """Post-processing, working size, pixel size, axes, channel, device and backend, by field name.

    Parameters
    ----------
    wanted : Preferences
        Device and units to begin with.

    Attributes
    ----------
    post_changed : Signal
        Post-processing moved: it can be applied without running again.
    """

    post_changed = Signal()

    def __init__(self, wanted: Preferences) -> None:
        self._in_micrometres = wanted.units == "micrometres"
        self._recommended = PostProcessing()
        self._layer_size: tuple[float, float] | None = None
        self._shape: tuple[int, ...] = ()
        self._filling = False
        self.preset = ComboBox(
            name="preset", label="Preset", choices=[RECOMMENDED, SERVICE, CUSTOM]
        )
        self._post = forms.fields(PostProcessing, _FIELDS)
        super().__init__(
            name="more", widgets=[self.preset, *self._post, *_run_fields(wanted)], labels=True
        )
        self.margins = (0, 0, 0, 0)
        for each in self:
            if isinstance(each, ComboBox):  # as wide as there is room beside long labels
                each.native.setSizeAdjustPolicy(SHORT)
                each.native.setMinimumContentsLength(_LEAST_LETTERS)
        self.preset.changed.connect(self._apply_preset)
        self.axes.changed.connect(self._offer_channels)
        self.pixel_size.changed.connect(self._name_unit)
        self._name_unit()
        for each in self._post:
            each.changed.connect(self._on_post)
        news.models_changed.connect(self.restore.reset_choices)
        self.native.destroyed.connect(self._closed)
        self.collapsible = section("More settings")
        self.collapsible.addWidget(Scroll(self.native))

    def show_model(self, metadata: ModelMetadata) -> None:
        """Fill in what a model recommends, unless the user went another way."""
        self._recommended = PostProcessing(**metadata.post_processing)
        self._apply_preset()

    def show_post_processing(self, settings: PostProcessing) -> None:
        """Fill in how a result was made."""
        if settings.replace(threshold=self._preset_settings().threshold) != self._preset_settings():
            self.preset.value = CUSTOM
        self._filling = True
        forms.fill(self._post, settings)
        self._filling = False

    def show_image(self, layer: Image | None) -> None:
        """Fill in axes and pixel size of an image layer."""
        if layer is None:
            return
        self._layer_size = pixel_size(layer) if self._in_micrometres else None
        self.pixel_size.value = 0 if self._layer_size is None else self._layer_size[0]
        self._shape = full_resolution(layer).shape
        self.axes.value = guess_axes(layer)
        self.axes.visible = layer.ndim > 2
        self._offer_channels()

    def _name_unit(self) -> None:
        """The diameter is in µm where the pixel size is known."""
        self.diameter.native.setSuffix(" µm" if self.pixel_size.value else " px")

    def _offer_channels(self) -> None:
        """The positions along the axis C, or the samples of RGB."""
        self.channel.choices = offered = channel_choices(self.axes.value, self._shape)
        self.channel.visible = offered != [ALL_CHANNELS]

    def post_processing(self, threshold: float) -> PostProcessing:
        """How objects are made with this threshold.

        Raises
        ------
        BadSetting
            The values do not go together.
        """
        return forms.checked(PostProcessing, self._post, threshold=threshold)

    def axes_and_channel(self) -> dict[str, Any]:
        """Arguments of `Frames.of`."""
        channel = self.channel.value
        return {"axes": self.axes.value or None, "channel": None if channel == -1 else channel}

    def run_settings(self) -> dict[str, Any]:
        """Everything that a run wants beside image, model, threshold, and where it runs."""
        settings = forms.values(self._post, PostProcessing) | {"pixel_size": self._pixel_size()}
        if self.long_side.value:
            settings["long_side"] = self.long_side.value
        if self.diameter.value:
            settings["diameter_um" if self.pixel_size.value else "diameter"] = self.diameter.value
        if self.test_time_augmentation.value:
            settings["test_time_augmentation"] = True
        if self.restore.value:
            settings["restore"] = self.restore.value
        return settings

    def _pixel_size(self) -> float | tuple[float, float] | None:
        shown = self.pixel_size.value
        if self._layer_size is not None and abs(shown - self._layer_size[0]) < 1e-4:
            return self._layer_size  # all digits, and height and width apart
        return shown or None

    def _apply_preset(self) -> None:
        if self.preset.value == CUSTOM:
            return
        self._filling = True
        try:
            forms.fill(self._post, self._preset_settings())
        finally:
            self._filling = False
        self.post_changed.emit()

    def _preset_settings(self) -> PostProcessing:
        return PUBLISHED if self.preset.value == SERVICE else self._recommended

    def _closed(self) -> None:
        news.models_changed.disconnect(self.restore.reset_choices)

    def _on_post(self) -> None:
        if self._filling:
            return
        self.preset.value = CUSTOM
        self.post_changed.emit()


def _run_fields(wanted: Preferences) -> list[Any]:
    """Settings that take effect with the next run."""
    size = NumberField(
        name="pixel_size",
        label="Pixel size (µm)",
        min=0,
        max=10_000,
        step=0.01,
        decimals=4,
        tooltip="Measures are in µm with it, in pixels without. Taken from the layer's scale "
        "where its units are lengths. Takes effect with the next run.",
    )
    size.native.setSpecialValueText("unknown")
    diameter = NumberField(
        name="diameter",
        label="Object diameter",
        min=0,
        max=100_000,
        step=10,
        tooltip="Usual diameter of the objects, in µm where the pixel size is known. The image is "
        "resized so that the network sees them well. Estimated on a first look if not given. "
        "Takes effect with the next run.",
    )
    diameter.native.setSpecialValueText("estimated")
    return [
        diameter,
        ComboBox(
            name="long_side",
            label="Working size",
            choices=[("as the model", 0), *((f"{n} px", n) for n in _WORKING_SIZES)],
            tooltip="Longer side that the image is resized to for the network. Larger finds "
            "smaller objects and takes longer. Takes effect with the next run.",
        ),
        CheckBox(
            name="test_time_augmentation",
            text="Mean of 8 views",
            tooltip="Test-time augmentation: mean over mirrored and turned copies of the image. "
            "A little better, and eight times slower. Takes effect with the next run.",
        ),
        ComboBox(
            name="restore",
            label="Restore focus first",
            choices=lambda _: [NO_RESTORING, *offered_models("restoration")],
            tooltip="Model that makes each slice sharper before it is segmented. Intensities are "
            "measured on the image as it is. Takes effect with the next run.",
        ),
        size,
        LineEdit(
            name="axes",
            label="Axes",
            tooltip="One letter an axis: Y, X, T for time, Z for depth, C for channels.",
        ),
        ComboBox(
            name="channel",
            label="Channel",
            choices=[ALL_CHANNELS],
            tooltip="Channel to segment. Takes effect with the next run.",
        ),
        *where_fields(wanted),
    ]
