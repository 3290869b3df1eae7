"""The part of the training widget that says how to learn."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox, Container, LineEdit

from ... import models, networks
from ...errors import BadSetting, SpherosegError
from ...models.metadata import as_name
from ...training.estimate import estimate_seconds, paces_of
from ...training.installed import free_name
from ...training.runs import list_runs
from ...training.settings import Data, TrainingSettings
from .. import forms
from ..durations import about
from ..offered import first_model
from ..parts import section, text
from .timing import Timing

_FEW = ("epochs", "steps_per_epoch", "learning_rate", "freeze_encoder")
_MORE = ("batch_size", "crop")
_EPOCHS, _STEPS = 12, 25  # minutes on a usual computer
_RATE = 3e-4  # of a network that knows spheroids already
_NEW = "new:"
_NAMES = "A name has letters, digits, '_', '-' and '.', and begins with a letter or digit"
_SOME = Data(manifest=Path("some"))  # how long it takes does not depend on them


class TrainingForm(Container):
    """Start, name and a few settings.

    Notes
    -----
    Children that scripts can set: ``start_from`` (the name of a model, or ``new:`` and that of a
    network), ``model_name``, and by their names in `TrainingSettings` ``epochs``,
    ``steps_per_epoch``, ``learning_rate``, ``freeze_encoder``, and in ``more`` ``batch_size`` and
    ``crop``.
    """

    def __init__(self) -> None:
        self._offered_name = ""
        self.start_from = ComboBox(
            name="start_from",
            label="Start from",
            choices=self._starts,
            tooltip="The model that learns on; a new network needs many more images and steps.",
        )
        self.model_name = LineEdit(
            name="model_name", label="New model", tooltip="Name that it is installed by."
        )
        self._few = forms.fields(TrainingSettings, _FEW)
        self.more = Container(widgets=forms.fields(TrainingSettings, _MORE), labels=True)
        self.more.margins = (0, 0, 0, 0)
        self.more.crop.step = 32
        super().__init__(widgets=[self.start_from, self.model_name, *self._few], labels=True)
        self.margins = (0, 0, 0, 0)
        first = first_model("segmentation")
        if first in self.start_from.choices:
            self.start_from.value = first
        self.learning_rate.native.setDecimals(5)
        self.learning_rate.step = 1e-4
        self.epochs.value, self.steps_per_epoch.value = _EPOCHS, _STEPS
        self.collapsible = section("More settings")
        self.collapsible.addWidget(self.more.native)
        self.estimate = text("estimate")
        self.timing = Timing(self.native)
        self.timing.changed.connect(self.refresh_estimate)
        self.start_from.changed.connect(self._choose_start)
        for each in (self.start_from, *self._few, *self.more):
            each.changed.connect(self.refresh_estimate)
        self._choose_start()
        self.refresh_estimate()

    def values(self) -> dict[str, Any]:
        """Fields of `TrainingSettings`, all but the data.

        Raises
        ------
        SpherosegError
            The name is taken or cannot be used.
        """
        values = self._checked()
        if values["name"] in {each.name for each in models.known()}:
            raise BadSetting(
                f"There is a model '{values['name']}' already", hint="Choose another name."
            )
        return values

    def _checked(self) -> dict[str, Any]:
        """Values that can be used, else an error in the words of the form."""
        values = self._values()
        try:
            TrainingSettings(data=_SOME, **values)
        except BadSetting as error:
            if error.message.startswith("name ="):  # what follows is a pattern
                hint = f"For example '{as_name(values['name'], 'model')}'."
                raise BadSetting(_NAMES, hint=hint) from error
            raise forms.in_words(error, (*self._few, *self.more)) from error
        return values

    def _values(self) -> dict[str, Any]:
        start = self.start_from.value or ""
        values = forms.values((*self._few, *self.more), TrainingSettings)
        values["name"] = self.model_name.value.strip()
        if not start.startswith(_NEW):
            return values | {"start": start}
        network = start.removeprefix(_NEW)
        arguments = next(each.arguments for each in models.known() if each.network == network)
        values.pop("freeze_encoder")
        return values | {"network": network, "arguments": arguments}

    def refresh_models(self) -> None:
        """Offer the models that there are now."""
        self.start_from.reset_choices()
        self._offer_name()

    def refresh_estimate(self) -> None:
        """Say how long it will take, judged by an earlier run, or else by steps that are timed."""
        try:
            settings = TrainingSettings(data=_SOME, **self._checked())
        except SpherosegError as error:
            self.estimate.value = str(error)
            return
        self.estimate.value = f"{settings.steps} steps; {self._time(settings)}"

    def _time(self, settings: TrainingSettings) -> str:
        runs = list_runs()
        seconds = estimate_seconds(settings, paces_of(runs))
        if seconds is not None:
            return f"{about(seconds)}, judged by an earlier run"
        if not any(run.status.state == "running" for run in runs):  # which would slow them
            self.timing.ask(settings)
        seconds = estimate_seconds(settings, self.timing.paces)
        if seconds is not None:
            return f"{about(seconds)} and validation, judged by some steps timed here"
        if self.timing.running:
            return "how long they take is being measured…"
        return "how long they take is known once it runs"

    def _starts(self, _: Any = None) -> list[tuple[str, str]]:
        ready, known = (
            [each for each in found if each.task == "segmentation" and not each.is_graph]
            for found in (models.available(), models.known())
        )
        titles = {each.network: each.title for each in reversed(known)}
        return [
            *((each.title, each.name) for each in ready),
            *((f"New network: {titles[n]}", _NEW + n) for n in networks.names() if n in titles),
        ]

    def _choose_start(self) -> None:
        new = (self.start_from.value or "").startswith(_NEW)
        default = TrainingSettings.model_fields["learning_rate"].default
        self.learning_rate.value = default if new else _RATE
        self.freeze_encoder.enabled = not new
        self._offer_name()

    def _offer_name(self) -> None:
        """A name made from the start's, unless the user wrote one."""
        if self.model_name.value not in ("", self._offered_name):
            return
        start = self.start_from.value or "model"
        stem = start.removeprefix(_NEW) + ("-new" if start.startswith(_NEW) else "-tuned")
        stem = re.sub(r"(-tuned)(-\d+)?-tuned$", r"\1", stem)
        self._offered_name = self.model_name.value = free_name(stem)
