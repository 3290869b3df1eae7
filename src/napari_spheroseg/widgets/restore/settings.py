"""The expandable part of the widget: scaling, tiles, axes, device and backend."""

from __future__ import annotations

from typing import Any, get_args

from magicgui.widgets import ComboBox, Container, LineEdit
from napari.layers import Image

from ...errors import BadSetting
from ...models import ModelMetadata
from ...restoration.settings import RestorationRecipe
from .. import forms
from ..parts import section
from ..preferences import Preferences
from ..scroll import Scroll
from ..source import guess_axes
from ..where import where_fields

_FIELDS = ("low", "high", "tile", "overlap", "spare_sharp", "keep_range", "rescale")
_GREY_VALUES = 1e9
_ANY = "any"  # model: whether values go together does not depend on it
_PERCENT_STEP, _TILE_STEP = 0.5, 64


class RestoreMore(Container):
    """Scaling and tiles of `RestorationRecipe`, axes, device and backend, by field name.

    Parameters
    ----------
    wanted : Preferences
        Device to begin with.
    """

    def __init__(self, wanted: Preferences) -> None:
        intensity = RestorationRecipe.model_fields["intensity"]
        self._settings = forms.fields(RestorationRecipe, _FIELDS)
        super().__init__(
            name="more",
            widgets=[
                ComboBox(
                    name="intensity",
                    label="Scaling",
                    choices=get_args(intensity.annotation),
                    tooltip=intensity.description,
                ),
                *self._settings,
                LineEdit(
                    name="axes",
                    label="Axes",
                    tooltip="One letter an axis: Y, X, T for time, Z for depth, C for channels.",
                ),
                *where_fields(wanted),
            ],
            labels=True,
        )
        self.margins = (0, 0, 0, 0)
        for bound in (self.low, self.high):
            bound.min = -_GREY_VALUES  # with fixed scaling they are grey values
            bound.step = _PERCENT_STEP
        self.tile.step = _TILE_STEP
        self.low.label, self.high.label = "Low (0)", "High (1)"
        self.collapsible = section("More settings")
        self.collapsible.addWidget(Scroll(self.native))

    def show_model(self, metadata: ModelMetadata) -> None:
        """Fill in what a model recommends."""
        recommended = RestorationRecipe.of(metadata, metadata.name, {})
        self.intensity.value = recommended.intensity
        forms.fill(self._settings, recommended)

    def show_image(self, layer: Image | None) -> None:
        """Fill in the axes of an image layer."""
        if layer is not None:
            self.axes.value = guess_axes(layer)
            self.axes.visible = layer.ndim > 2

    def run_settings(self) -> dict[str, Any]:
        """Fields of `RestorationRecipe`.

        Raises
        ------
        BadSetting
            They do not go together.
        """
        chosen = {"intensity": self.intensity.value}
        chosen |= forms.values(self._settings, RestorationRecipe)
        try:
            RestorationRecipe(model=_ANY, **chosen).preparation()
        except BadSetting as error:
            raise forms.in_words(error, self._settings) from error
        return chosen
