"""Command line options made from settings: nothing is listed twice."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Optional, get_origin

import typer

from ..settings import Settings, plain_type

MODEL = (
    "Name of a model, or path of a checkpoint  [default: as spheroseg models default says; unet]"
)


def with_settings(
    *sources: tuple[type[Settings], Iterable[str] | None],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an option for each field; those that were used arrive as ``settings``.

    Parameters
    ----------
    *sources : (Settings class, names or None)
        Fields to take; None takes all that the command does not have itself.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = [p for p in inspect.signature(command).parameters.values() if p.name != "settings"]
        taken = {parameter.name for parameter in own}
        made = [
            _option(settings, name)
            for settings, names in sources
            for name in (names or settings.model_fields)
            if name not in taken
        ]

        @functools.wraps(command)
        def wrapper(**arguments: Any) -> Any:
            used = {p.name: arguments.pop(p.name) for p in made}
            used = {name: value for name, value in used.items() if value is not None}
            return command(**arguments, settings=used)

        hints = inspect.get_annotations(command, eval_str=True)
        parameters = [p.replace(annotation=hints[p.name]) for p in own] + made
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapper

    return decorate


def _option(settings: type[Settings], name: str) -> inspect.Parameter:
    field = settings.model_fields[name]
    default = field.default
    model = ", or as the model recommends" if settings.recommended_by_model else ""
    said = "" if default is None else f"  [default: {_say(default)}{model}]"
    option = typer.Option(help=f"{field.description}{said}", show_default=False)
    kind_of = plain_type(field.annotation)
    kind_of = str if get_origin(kind_of) is tuple else kind_of  # the settings take it apart
    annotation = Annotated[Optional[kind_of], option]  # type: ignore[valid-type]  # noqa: UP045
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=None, annotation=annotation)


def _say(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
