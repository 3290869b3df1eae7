"""``spheroseg segment``: outline the spheroids in files."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from ..batch.settings import BatchSettings
from ..models import Preparation, default
from ..segmentation.settings import PostProcessing
from .batches import Work, pixel_pair_of
from .options import Axes, Inputs, Out, PixelSizeText, Segmenter, Threshold, with_settings

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
    *,
    work: Work,
    settings: dict[str, Any],
) -> int:
    """Outline the spheroids in images; write labels, polygons and tables of measurements.

    What an earlier run has done in the folder is not done again.
    """
    from ..batch.run import segment_files

    run = partial(
        segment_files,
        model=model or default(),
        threshold=threshold,
        pixel_size=pixel_pair_of(pixel_size),
        diameter_um=diameter_um,
        channel=channel,
        restore=restore,
        axes=axes,
        **settings,
    )
    return work.through(run, inputs, out, counts=True)
