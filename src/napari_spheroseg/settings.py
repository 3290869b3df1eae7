"""Frozen settings objects: checked values that widgets, options and recipes are made from."""

from __future__ import annotations

import types
from typing import Any, ClassVar, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import BadSetting


class Settings(BaseModel):
    """Base of all settings: immutable, JSON in and out, nothing unknown accepted.

    Fields state their bounds, a title and a description once; widgets and command line options
    are generated from them, and `model_dump` is what a recipe stores.

    Raises
    ------
    BadSetting
        A name is unknown, or a value is outside its bounds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    recommended_by_model: ClassVar[bool] = False
    """Whether models come with values of their own."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise bad_setting(type(self), error) from error

    def replace(self, **changes: Any) -> Self:
        """A copy with some values changed, checked like the original."""
        return type(self)(**(dict(self) | changes))


def bad_setting(settings: type[Settings], error: ValidationError) -> BadSetting:
    """Our error for pydantic's first complaint."""
    first = error.errors()[0]
    if not first["loc"]:  # not one value, but how several go together
        return BadSetting(first["msg"].removeprefix("Value error, "))
    name = ".".join(str(part) for part in first["loc"])
    inner = first.get("ctx", {}).get("error")
    if isinstance(inner, BadSetting):  # of settings within these
        return BadSetting(f"{name}: {inner.message}", hint=inner.hint)
    if first["type"] == "extra_forbidden":
        known = ", ".join(settings.model_fields)
        return BadSetting(f"There is no setting '{name}'", hint=f"There are: {known}.")
    if first["type"] == "missing":
        return BadSetting(f"{settings.__name__} lacks '{name}'")
    return BadSetting(f"{name} = {first['input']!r} cannot be used: {first['msg']}")


def plain_type(annotation: Any) -> Any:
    """The type of a field, without the None of one that may be left out."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(each for each in get_args(annotation) if each is not type(None))
    return annotation
