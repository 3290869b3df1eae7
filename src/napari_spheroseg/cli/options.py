"""Options that commands share, and options made from settings: nothing is listed twice."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
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
Axes = Annotated[
    str | None, typer.Option(help="Axes of the images, like TCYX  [default: as the file says]")
]
Reserve = Annotated[
    float, typer.Option(help="GB of the device to book for this run, waiting if need be.")
]
Workers = Annotated[int, typer.Option(help="Processes that share the work; 0: this one alone.")]
Scheduler = Annotated[
    str, typer.Option(help="Address of a dask scheduler whose workers do the work.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Delete what the folder holds and begin anew.")
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with the settings of the results in the folder."),
]


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
