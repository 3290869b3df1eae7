"""``spheroseg classify``: tell the classes of objects whose labels are there."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..batch.settings import BatchSettings
from ..classification.settings import ClassifySettings
from .batches import pixel_pair_of, work_through
from .options import with_settings

if TYPE_CHECKING:
    from ..batch.items import Item

SHOWN = ("intensity", "low", "high", "size", "batch_size")


@with_settings((ClassifySettings, SHOWN), (BatchSettings, ("timeout",)))
def classify(
    inputs: Annotated[
        list[str],
        typer.Argument(help="Images, folders or patterns: TIFF, OME-Zarr, PNG, JPEG, BMP."),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder for the results; made if need be.")
    ],
    labels: Annotated[
        str,
        typer.Option(
            help="Folder with <stem>_labels.tif or files of the images' names; a pattern like "
            "'masks/{stem}_mask.png'; or one file."
        ),
    ],
    model: Annotated[
        str,
        typer.Option(help="Name of a classifier, its path, or collection.zip#pi_classification."),
    ] = "cell_classifier",
    allow: Annotated[
        str | None,
        typer.Option(help="SHA-256 of the one pickle that may be opened, though it may run code."),
    ] = None,
    pixel_size: Annotated[
        str | None,
        typer.Option(help="µm per pixel, or HEIGHT,WIDTH of one  [default: as the file says]"),
    ] = None,
    channel: Annotated[int | None, typer.Option(help="Channel to look at, from 0.")] = None,
    axes: Annotated[
        str | None, typer.Option(help="Axes of the images, like TCYX  [default: as the file says]")
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cuda, cuda:1, mps, cpu; gpu: Intel's.")
    ] = "auto",
    backend: Annotated[
        str, typer.Option(help="auto (the fastest installed), torch, openvino or onnxruntime.")
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="auto (as the model asks), float32, bfloat16 or float16.")
    ] = "auto",
    reserve: Annotated[
        float,
        typer.Option(help="GB of the device to book for this run, waiting if need be."),
    ] = 0.0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete what the folder holds and begin anew.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the settings of the results in the folder."),
    ] = False,
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
    existing = "overwrite" if overwrite else "resume" if resume else "continue"
    run = partial(
        classify_files,
        paths,
        out,
        labels,
        model,
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
        existing=existing,
        device=device,
        reserve=reserve,
        workers=0,
        scheduler="",
    )


def found(item: Item) -> str:
    """How many objects an image has."""
    return f"{item.objects} object{'' if item.objects == 1 else 's'}, "
