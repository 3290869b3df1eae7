"""``spheroseg restore``: make files sharper that are out of focus."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..batch.settings import BatchSettings
from ..models import Preparation, default
from ..restoration.settings import OWN_WAY, RestorationRecipe
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
    Restorer,
    Resume,
    Scheduler,
    Workers,
    with_settings,
)

if TYPE_CHECKING:
    from ..batch.items import Item

PREPARATION = ("scale", "tile", "overlap", "low", "high", "intensity", "clip")


@with_settings(
    (Preparation, PREPARATION), (RestorationRecipe, OWN_WAY), (BatchSettings, ("timeout",))
)
def restore(
    inputs: Inputs,
    out: Out,
    model: Restorer = None,
    pixel_size: PixelSizeText = None,
    channel: Annotated[int | None, typer.Option(help="Channel to restore, from 0.")] = None,
    axes: Axes = None,
    rescale: Annotated[
        bool,
        typer.Option(help="Return to the grey values and the type of the image, else float32."),
    ] = True,
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
    """Restore the focus of images; write each as <stem>_restored.tif.

    What an earlier run has done in the folder is not done again.
    """
    from ..batch.find import find_images
    from ..batch.restore import restore_files

    paths = find_images(inputs)
    asked = {"channel": channel, "axes": axes, "pixel_size": pixel_pair_of(pixel_size)}
    settings |= {name: value for name, value in asked.items() if value is not None}
    run = partial(
        restore_files,
        paths,
        out,
        model or default("restoration"),
        device=device,
        backend=backend,
        precision=precision,
        rescale=rescale,
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
    """Nothing is counted."""
    return ""
