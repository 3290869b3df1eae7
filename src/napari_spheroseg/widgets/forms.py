"""Forms made from settings: the widget's face of a settings object."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, TypeVar, get_args

from magicgui.widgets import CheckBox, SpinBox, Widget

from ..errors import BadSetting
from ..settings import Settings, plain_type
from .numbers import NumberField

_Chosen = TypeVar("_Chosen", bound=Settings)
_KINDS: dict[type, type[Widget]] = {bool: CheckBox, int: SpinBox, float: NumberField}
_HIGHEST = 1_000_000_000
_STEP_OF_PARTS = 0.05
_STEP_FROM_NOTHING = 100


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


def checked(settings: type[_Chosen], widgets: Iterable[Widget], **others: Any) -> _Chosen:
    """The settings object that was chosen.

    Raises
    ------
    BadSetting
        A value cannot be used, or several do not go together.
    """
    try:
        return settings(**values(widgets, settings), **others)
    except BadSetting as error:
        raise in_words(error, widgets) from error


def in_words(error: BadSetting, widgets: Iterable[Widget]) -> BadSetting:
    """The same error, with fields called as they are on screen."""
    titles = {
        each.name: each.text if isinstance(each, CheckBox) else each.label for each in widgets
    }
    names = re.compile(rf"\b({'|'.join(map(re.escape, titles))})\b")
    said = names.sub(lambda found: f"'{titles[found[0]]}'", error.message)
    return BadSetting(said, hint=error.hint)


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
            arguments["step"] = _step(arguments["value"], arguments["max"])
    widget = _KINDS[kind](**arguments)
    if kind is not bool:
        widget.native.setKeyboardTracking(False)  # a half-typed number is no setting
        if optional:
            widget.native.setSpecialValueText("off")
    return widget


def _step(value: float, highest: float) -> float:
    """What one press of an arrow adds: of 50, 10."""
    if highest <= 1:
        return _STEP_OF_PARTS
    return 10.0 ** math.floor(math.log10(value)) if value > 0 else _STEP_FROM_NOTHING


def _bound(field: Any, *names: str) -> float | None:
    found = [
        getattr(each, name) for each in field.metadata for name in names if hasattr(each, name)
    ]
    return found[0] if found else None


def _is_optional(settings: type[Settings], name: str) -> bool:
    return type(None) in get_args(settings.model_fields[name].annotation)
