"""Where and how networks run: fields that widgets share."""

from __future__ import annotations

from magicgui.widgets import ComboBox, Container

from ..inference.backends import BACKENDS, PRECISIONS
from ..inference.devices import NAMES
from .preferences import Preferences

FIELDS = ("device", "backend", "precision")

Where = tuple[str, str, str]
"""Device, backend and precision, as they are asked for."""


def where_fields(wanted: Preferences) -> list[ComboBox]:
    """A box for each of `FIELDS`."""
    return [
        ComboBox(
            name="device",
            label="Device",
            choices=NAMES,
            value=wanted.device,
            tooltip="auto: CUDA, else MPS, else CPU. Takes effect with the next run.",
        ),
        ComboBox(
            name="backend",
            label="Backend",
            choices=["auto", *BACKENDS],
            tooltip="What runs the network; auto: the fastest that is installed. Takes effect "
            "with the next run.",
        ),
        ComboBox(
            name="precision",
            label="Precision",
            choices=PRECISIONS,
            tooltip="What the network computes in; auto: the fastest that the model bears. Takes "
            "effect with the next run.",
        ),
    ]


def where_of(form: Container) -> Where:
    """What was chosen in a form that has the fields."""
    device, backend, precision = (form[name].value for name in FIELDS)
    return device, backend, precision
