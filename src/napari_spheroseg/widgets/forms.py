"""Forms made from settings: the widget's face of a settings object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from magicgui.widgets import CheckBox, FloatSpinBox, SpinBox, Widget

from ..settings import Settings, plain_type

_KINDS: dict[type, type[Widget]] = {bool: CheckBox, int: SpinBox, float: FloatSpinBox}
_HIGHEST = 1_000_000_000


def fields(settings: type[Settings], names: Iterable[str]) -> list[Widget]:
    """One widget a field, named like it.

    A number that may be left out shows 0, as "off"; `values` gives None back for it.
    """
    return [_field(settings, name) for name in names]


def values(widgets: Iterable[Widget], settings: type[Settings]) -> dict[str, Any]:
    """What the user set, by field name."""
    return {
        each.name: None if _is_optional(settings, each.name) and not each.value else each.value
        for each in widgets
    }


def fill(widgets: Iterable[Widget], chosen: Settings) -> None:
    """Show the values of a settings object."""
    for each in widgets:
        value = getattr(chosen, each.name)
        each.value = 0 if value is None else value


def _field(settings: type[Settings], name: str) -> Widget:
    field = settings.model_fields[name]
    kind = plain_type(field.annotation)
    optional = _is_optional(settings, name)
    arguments: dict[str, Any] = {
        "name": name,
        "label": field.title or name.replace("_", " ").capitalize(),
        "tooltip": f"{field.description}{' 0: off.' if optional else ''}",
        "value": 0 if field.default is None else field.default,
    }
    if kind is not bool:
        low, high = _bound(field, "ge", "gt"), _bound(field, "le", "lt")
        arguments["min"] = 0 if optional or low is None else low
        arguments["max"] = _HIGHEST if high is None else high
        if kind is float:
            arguments["step"] = 0.05 if high is not None and high <= 1 else 1
    widget = _KINDS[kind](**arguments)
    if kind is not bool:
        widget.native.setKeyboardTracking(False)  # a half-typed number is no setting
        if kind is float:
            widget.native.setDecimals(3)
        if optional:
            widget.native.setSpecialValueText("off")
    return widget


def _bound(field: Any, *names: str) -> float | None:
    found = [
        getattr(each, name) for each in field.metadata for name in names if hasattr(each, name)
    ]
    return found[0] if found else None


def _is_optional(settings: type[Settings], name: str) -> bool:
    return type(None) in get_args(settings.model_fields[name].annotation)
