"""``spheroseg segment``: outline the spheroids in files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..batch.settings import BatchSettings
from ..models import Preparation, default
from ..segmentation.settings import PostProcessing
from .batches import pixel_pair_of, work_through
from .options import MODEL, with_settings

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
    inputs: Annotated[
        list[str],
        typer.Argument(help="Images, folders or patterns: TIFF, OME-Zarr, PNG, JPEG, BMP."),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder for the results; made if need be.")
    ],
    model: Annotated[str | None, typer.Option(help=MODEL)] = None,
    threshold: Annotated[
        float, typer.Option(help="Pixels of a higher probability belong to an object.")
    ] = 0.5,
    pixel_size: Annotated[
        str | None,
        typer.Option(help="µm per pixel, or HEIGHT,WIDTH of one  [default: as the file says]"),
    ] = None,
    diameter_um: Annotated[
        float | None, typer.Option(help="Usual diameter of the objects (µm)  [default: estimated]")
    ] = None,
    channel: Annotated[int | None, typer.Option(help="Channel to segment, from 0.")] = None,
    restore: Annotated[
        str | None,
        typer.Option(help="Name or path of a model that restores the focus first, like nafnet."),
    ] = None,
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
        str, typer.Option(help="auto (the fastest), float32, bfloat16 or float16.")
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
    """Outline the spheroids in images; write labels, polygons and tables of measurements.

    What an earlier run has done in the folder is not done again.
    """
    from ..batch.find import find_images
    from ..batch.run import segment_files

    paths = find_images(inputs)
    asked = {"channel": channel, "axes": axes, "diameter_um": diameter_um, "restore": restore}
    settings |= {name: value for name, value in asked.items() if value is not None}
    existing = "overwrite" if overwrite else "resume" if resume else "continue"
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
        existing=existing,
        device=device,
        reserve=reserve,
        workers=workers,
        scheduler=scheduler,
    )


def found(item: Item) -> str:
    """How many objects an image holds."""
    return f"{item.objects} object{'' if item.objects == 1 else 's'}, "
