"""``spheroseg segment``: outline the spheroids in files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..batch.settings import BatchSettings
from ..models import Preparation, default
from ..segmentation.settings import PostProcessing
from .batches import pixel_pair_of, work_through
from .options import (
    Axes,
    Backend,
    Device,
    Inputs,
    Out,
    Overwrite,
    PixelSizeText,
    Precision,
    Reserve,
    Resume,
    Scheduler,
    Segmenter,
    Threshold,
    Workers,
    with_settings,
)

if TYPE_CHECKING:
    from ..batch.items import Item

PREPARATION = (
    "diameter",
    "long_side",
    "scale",
    "tile",
    "overlap",
    "low",
    "high",
    "intensity",
    "clip",
    "test_time_augmentation",
)


@with_settings((PostProcessing, None), (Preparation, PREPARATION), (BatchSettings, None))
def segment(
    inputs: Inputs,
    out: Out,
    model: Segmenter = None,
    threshold: Threshold = 0.5,
    pixel_size: PixelSizeText = None,
    diameter_um: Annotated[
        float | None, typer.Option(help="Usual diameter of the objects (µm)  [default: estimated]")
    ] = None,
    channel: Annotated[int | None, typer.Option(help="Channel to segment, from 0.")] = None,
    restore: Annotated[
        str | None,
        typer.Option(help="Name or path of a model that restores the focus first, like nafnet."),
    ] = None,
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
    """Outline the spheroids in images; write labels, polygons and tables of measurements.

    What an earlier run has done in the folder is not done again.
    """
    from ..batch.find import find_images
    from ..batch.run import segment_files

    paths = find_images(inputs)
    asked = {"channel": channel, "axes": axes, "diameter_um": diameter_um, "restore": restore}
    settings |= {name: value for name, value in asked.items() if value is not None}
    run = partial(
        segment_files,
        paths,
        out,
        model or default(),
        threshold,
        pixel_size=pixel_pair_of(pixel_size),
        device=device,
        backend=backend,
        precision=precision,
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
    """How many objects an image holds."""
    return f"{item.objects} object{'' if item.objects == 1 else 's'}, "
