"""The part of the batch widget that says what is written."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Container

from ...batch.outputs import DEFAULT, OUTPUTS
from ...batch.settings import BatchSettings
from .. import forms
from ..news import news
from ..offered import offered_models
from ..parts import section

_TRACK = [
    ("not followed", "no"),
    ("followed by overlap", "overlap"),
    ("followed by motion", "motion"),
]
_OF_TRACK = ("track_distance", "track_gap")
_NO_CLASSES = ("none", "")


class OutputChoice(Container):
    """A check box for every kind of file, tables, plots, focus, classes, and time-lapse.

    Notes
    -----
    Children that scripts can set: a check box by each name of `OUTPUTS`, and by their names in
    `BatchSettings` ``table``, ``plots``, ``focus``, ``classify``, ``track``, ``track_distance``
    and ``track_gap``. ``classes`` can be ticked while a classifier is chosen.
    """

    def __init__(self) -> None:
        self._kinds = [
            CheckBox(name=each.name, text=each.title, value=each.name in DEFAULT)
            for each in OUTPUTS.values()
        ]
        self.track = ComboBox(
            name="track",
            label="Time-lapse",
            choices=_TRACK,
            tooltip=BatchSettings.model_fields["track"].description,
        )
        self.table = ComboBox(
            name="table",
            label="Tables",
            choices=[("CSV", "csv"), ("CSV and Parquet", "parquet")],
            tooltip=BatchSettings.model_fields["table"].description,
        )
        self._numbers = forms.fields(BatchSettings, _OF_TRACK)
        for each, label in zip(self._numbers, ("Moves at most (px)", "May be missed"), strict=True):
            each.label = label
        self._boxes = forms.fields(BatchSettings, ["plots", "focus"])
        self.classify = ComboBox(
            name="classify",
            label="Classes by",
            choices=lambda _: [_NO_CLASSES, *offered_models("classification")],
            tooltip=BatchSettings.model_fields["classify"].description,
        )
        super().__init__(
            name="outputs",
            widgets=[
                *self._kinds, self.classify, self.table, *self._boxes, self.track, *self._numbers
            ],
            labels=True,
        )  # fmt: skip
        self.margins = (0, 0, 0, 0)
        self.track.changed.connect(self._show_numbers)
        self["classes"].tooltip = "Of classified objects: choose what tells their classes first."
        self.classify.changed.connect(self._offer_classes)
        news.models_changed.connect(self.classify.reset_choices)
        self.native.destroyed.connect(self._closed)
        self._show_numbers()
        self._offer_classes()
        self.collapsible = section("What is written")
        self.collapsible.addWidget(self.native)

    def values(self) -> dict[str, Any]:
        """Fields of `BatchSettings`, all but the pattern."""
        chosen = tuple(each.name for each in self._kinds if each.value)
        numbers = forms.values([*self._boxes, *self._numbers], BatchSettings)
        return {
            "outputs": chosen,
            "table": self.table.value,
            "track": self.track.value,
            "classify": self.classify.value or None,
            **numbers,
        }

    def _offer_classes(self, _: Any = None) -> None:
        """Classes are written of classified objects only."""
        box, chosen = self["classes"], bool(self.classify.value)
        if chosen != box.enabled:  # another classifier leaves it as the user had it
            box.value = box.enabled = chosen

    def _closed(self) -> None:
        news.models_changed.disconnect(self.classify.reset_choices)

    def _show_numbers(self, _: Any = None) -> None:
        for each in self._numbers:
            each.visible = self.track.value != "no"
