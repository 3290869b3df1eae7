"""Options that commands share, and options made from settings: nothing is listed twice."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, Optional, get_origin

import typer

from ..settings import Settings, plain_type

NAME_OR_PATH = "Name of a model, or path of a checkpoint"


def _model(what: str, shipped: str) -> Any:
    return typer.Option(help=f"{what}  [default: as spheroseg models default says; {shipped}]")


Segmenter = Annotated[str | None, _model(NAME_OR_PATH, "unet")]
Restorer = Annotated[
    str | None, _model("Name of a restoration model, or path of a checkpoint", "nafnet")
]
Classifier = Annotated[
    str | None,
    _model(
        "Name of a classifier, its path, or collection.zip#pi_classification", "cell_classifier"
    ),
]
Device = Annotated[str, typer.Option(help="auto, cuda, cuda:1, mps, cpu; gpu: Intel's.")]
Backend = Annotated[
    str, typer.Option(help="auto (the fastest installed), torch, openvino or onnxruntime.")
]
Precision = Annotated[
    str,
    typer.Option(help="auto (the fastest that the model bears), float32, bfloat16 or float16."),
]
Threshold = Annotated[
    float, typer.Option(help="Pixels of a higher probability belong to an object.")
]
Inputs = Annotated[
    list[str],
    typer.Argument(help="Images, folders or patterns: TIFF, OME-Zarr, PNG, JPEG, BMP."),
]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the results; made if need be.")]
ReportFolder = Annotated[
    Path, typer.Option("-o", "--out", help="Folder for the report; made if need be.")
]
PixelSizeText = Annotated[
    str | None,
    typer.Option(help="µm per pixel, or HEIGHT,WIDTH of one  [default: as the file says]"),
]
Allow = Annotated[
    str | None,
    typer.Option(help="SHA-256 of the one pickle that may be opened, though it may run code."),
]
Axes = Annotated[
    str | None, typer.Option(help="Axes of the images, like TCYX  [default: as the file says]")
]


def with_settings(
    *sources: tuple[type[Settings], Iterable[str] | None],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an option for each field; those that were used arrive as ``settings``.

    A parameter of the command that is a dataclass becomes an option for each of its fields, too.

    Parameters
    ----------
    *sources : (Settings class, names or None)
        Fields to take; None takes all that the command does not have itself.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        given = [p for p in _parameters(command) if p.name != "settings"]
        groups: dict[str, Any] = {p.name: p.annotation for p in given if is_dataclass(p.annotation)}
        own = [p for p in given if p.name not in groups]
        own += [p for group in groups.values() for p in _parameters(group)]
        taken = {p.name for p in own}
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
            for name, group in groups.items():
                fields = {p.name: arguments.pop(p.name) for p in _parameters(group)}
                arguments[name] = group(**fields)
            return command(**arguments, settings=used)

        parameters = own + made
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapper

    return decorate


def _parameters(of: Callable[..., Any]) -> list[inspect.Parameter]:
    """Of a function, or the fields of a dataclass, with types that are no text."""
    hints = inspect.get_annotations(of, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    named = inspect.signature(of).parameters.values()
    return [each.replace(annotation=hints[each.name], kind=kind) for each in named]


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
