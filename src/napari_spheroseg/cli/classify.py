"""``spheroseg classify``: tell the classes of objects whose labels are there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..batch.settings import BatchSettings
from ..classification.settings import ClassifySettings
from ..models import default
from .batches import pixel_pair_of, work_through
from .options import (
    Axes,
    Backend,
    Classifier,
    Device,
    Inputs,
    Out,
    Overwrite,
    PixelSizeText,
    Precision,
    Reserve,
    Resume,
    Scheduler,
    Workers,
    with_settings,
)

if TYPE_CHECKING:
    from ..batch.items import Item

SHOWN = ("intensity", "low", "high", "size", "batch_size")


@with_settings((ClassifySettings, SHOWN), (BatchSettings, ("timeout",)))
def classify(
    inputs: Inputs,
    out: Out,
    labels: Annotated[
        str,
        typer.Option(
            help="Folder with <stem>_labels.tif or files of the images' names; a pattern like "
            "'masks/{stem}_mask.png'; or one file."
        ),
    ],
    model: Classifier = None,
    allow: Annotated[
        str | None,
        typer.Option(help="SHA-256 of the one pickle that may be opened, though it may run code."),
    ] = None,
    pixel_size: PixelSizeText = None,
    channel: Annotated[int | None, typer.Option(help="Channel to look at, from 0.")] = None,
    axes: Axes = None,
    device: Device = "auto",
    backend: Backend = "auto",
    precision: Precision = "auto",
    reserve: Reserve = 0.0,
    workers: Workers = 0,
    scheduler: Scheduler = "",
    overwrite: Overwrite = False,
    resume: Resume = False,
    *,
    settings: dict[str, Any],
) -> int:
    """Tell the classes of objects; write maps of classes and a table, classes.csv.

    What an earlier run has done in the folder is not done again.
    """
    from ..batch.classify import classify_files
    from ..batch.find import find_images

    paths = find_images(inputs)
    asked = {"channel": channel, "axes": axes, "pixel_size": pixel_pair_of(pixel_size)}
    settings |= {name: value for name, value in asked.items() if value is not None}
    run = partial(
        classify_files,
        paths,
        out,
        labels,
        model or default("classification"),
        device=device,
        backend=backend,
        precision=precision,
        allow=allow,
        **settings,
    )
    return work_through(
        run,
        len(paths),
        out,
        found,
        overwrite=overwrite,
        resume=resume,
        device=device,
        reserve=reserve,
        workers=workers,
        scheduler=scheduler,
    )


def found(item: Item) -> str:
    """How many objects an image has."""
    return f"{item.objects} object{'' if item.objects == 1 else 's'}, "
