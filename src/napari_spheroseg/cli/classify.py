"""``spheroseg classify``: tell the classes of objects whose labels are there."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from ..batch.settings import BatchSettings
from ..classification.settings import ClassifySettings
from ..models import default
from .batches import Work, pixel_pair_of
from .options import Allow, Axes, Classifier, Inputs, Out, PixelSizeText, with_settings

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
    allow: Allow = None,
    pixel_size: PixelSizeText = None,
    channel: Annotated[int | None, typer.Option(help="Channel to look at, from 0.")] = None,
    axes: Axes = None,
    *,
    work: Work,
    settings: dict[str, Any],
) -> int:
    """Tell the classes of objects; write maps of classes and a table, classes.csv.

    What an earlier run has done in the folder is not done again.
    """
    from ..batch.classify import classify_files

    run = partial(
        classify_files,
        labels=labels,
        model=model or default("classification"),
        allow=allow,
        pixel_size=pixel_pair_of(pixel_size),
        channel=channel,
        axes=axes,
        **settings,
    )
    return work.through(run, inputs, out, counts=True)
