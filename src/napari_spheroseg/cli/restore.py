"""``spheroseg restore``: make files sharper that are out of focus."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..batch.settings import BatchSettings
from ..models import Preparation
from .batches import pixel_pair_of, work_through
from .options import with_settings

if TYPE_CHECKING:
    from ..batch.items import Item

PREPARATION = ("scale", "tile", "overlap", "low", "high", "intensity", "clip")


@with_settings((Preparation, PREPARATION), (BatchSettings, ("timeout",)))
def restore(
    inputs: Annotated[
        list[str],
        typer.Argument(help="Images, folders or patterns: TIFF, OME-Zarr, PNG, JPEG, BMP."),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder for the results; made if need be.")
    ],
    model: Annotated[
        str, typer.Option(help="Name of a restoration model, or path of a checkpoint.")
    ] = "nafnet",
    pixel_size: Annotated[
        str | None,
        typer.Option(help="µm per pixel, or HEIGHT,WIDTH of one  [default: as the file says]"),
    ] = None,
    channel: Annotated[int | None, typer.Option(help="Channel to restore, from 0.")] = None,
    axes: Annotated[
        str | None, typer.Option(help="Axes of the images, like TCYX  [default: as the file says]")
    ] = None,
    rescale: Annotated[
        bool,
        typer.Option(help="Return to the grey values and the type of the image, else float32."),
    ] = True,
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
    workers: Annotated[
        int, typer.Option(help="Processes that share the work; 0: this one alone.")
    ] = 0,
    scheduler: Annotated[
        str, typer.Option(help="Address of a dask scheduler whose workers do the work.")
    ] = "",
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
    """Restore the focus of images; write each as <stem>_restored.tif.

    What an earlier run has done in the folder is not done again.
    """
    from ..batch.find import find_images
    from ..batch.restore import restore_files

    paths = find_images(inputs)
    asked = {"channel": channel, "axes": axes, "pixel_size": pixel_pair_of(pixel_size)}
    settings |= {name: value for name, value in asked.items() if value is not None}
    existing = "overwrite" if overwrite else "resume" if resume else "continue"
    run = partial(
        restore_files,
        paths,
        out,
        model,
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
        existing=existing,
        device=device,
        reserve=reserve,
        workers=workers,
        scheduler=scheduler,
    )


def found(item: Item) -> str:
    """Nothing is counted."""
    return ""
