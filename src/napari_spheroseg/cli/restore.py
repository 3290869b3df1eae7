"""``spheroseg restore``: make files sharper that are out of focus."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from ..batch.settings import BatchSettings
from ..models import Preparation, default
from ..restoration.settings import OWN_WAY, RestorationRecipe
from .batches import Work, pixel_pair_of
from .options import Axes, Inputs, Out, PixelSizeText, Restorer, with_settings

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
    *,
    work: Work,
    settings: dict[str, Any],
) -> int:
    """Restore the focus of images; write each as <stem>_restored.tif.

    What an earlier run has done in the folder is not done again.
    """
    from ..batch.restore import restore_files

    run = partial(
        restore_files,
        model=model or default("restoration"),
        pixel_size=pixel_pair_of(pixel_size),
        channel=channel,
        axes=axes,
        rescale=rescale,
        **settings,
    )
    return work.through(run, inputs, out, counts=False)
