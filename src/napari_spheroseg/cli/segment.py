"""``spheroseg segment``: outline the spheroids in files."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..batch.settings import BatchSettings
from ..errors import BadSetting
from ..models import Preparation
from ..segmentation.measure import PixelSize
from ..segmentation.settings import PostProcessing
from .options import with_settings

if TYPE_CHECKING:
    from ..batch.items import Item
    from ..batch.run import ChangedRecipe

PREPARATION = (
    "diameter",
    "long_side",
    "scale",
    "tile",
    "overlap",
    "low",
    "high",
    "intensity",
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
    model: Annotated[str, typer.Option(help="Name of a model, or path of a checkpoint.")] = "unet",
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
    from ..batch.cluster import connect
    from ..batch.find import find_images
    from ..batch.run import ChangedRecipe, segment_files
    from ..inference import reservation

    paths = find_images(inputs)
    asked = {"channel": channel, "axes": axes, "diameter_um": diameter_um}
    settings |= {name: value for name, value in asked.items() if value is not None}
    existing = "overwrite" if overwrite else "resume" if resume else "continue"
    run = partial(
        segment_files,
        paths,
        out,
        model,
        threshold,
        pixel_size=_pixel_size(pixel_size),
        device=device,
        backend=backend,
        precision=precision,
        **settings,
    )
    with ExitStack() as stack:
        stack.enter_context(reservation.reserve(device, reserve))
        if workers or scheduler:
            client = stack.enter_context(connect(workers, scheduler))
            print(f"Watch the workers at {client.dashboard_link}")
            run = partial(run, client=client)
        try:
            failed = _tell(run(existing=existing), len(paths))
        except ChangedRecipe as error:
            failed = _tell(run(existing=_ask(error)), len(paths))
    print(f"Results are in {out}" + (f"; {failed} of {len(paths)} images failed" if failed else ""))
    return 1 if failed else 0


def _ask(error: ChangedRecipe) -> str:
    """What somebody at the keyboard wants; where nobody sits there, it is an error."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise error
    print(error.message)
    answer: str = typer.prompt(
        "Go on with their settings (resume), delete them and begin anew (overwrite), or stop?",
        "stop",
    )
    if answer not in ("resume", "overwrite"):
        raise typer.Abort
    return answer


def _tell(items: Iterable[Item], total: int) -> int:
    """Say what becomes of each file; the number of those that failed."""
    failed = skipped = 0
    for number, item in enumerate(items, start=1):
        place = f"[{number}/{total}] {item.title}"
        if item.state == "skipped":
            skipped += 1
            continue
        if skipped:
            print(f"{skipped} of {total} images were done before")
            skipped = 0
        if item.error:
            failed += 1
            print(f"spheroseg: {item.path}: {' '.join(item.error.split())}", file=sys.stderr)
            continue
        found = f"{item.objects} object{'' if item.objects == 1 else 's'}"
        print(f"{place}: {found}, {item.seconds:.2f} s", *item.warnings, sep="; ")
    if skipped:
        print(f"All {total} images were done before" if skipped == total else "")
    return failed


def _pixel_size(text: str | None) -> PixelSize:
    """One number, or two with a comma between them."""
    if text is None:
        return None
    try:
        height, *width = (float(each) for each in text.split(","))
    except ValueError:
        width = [0, 0]
    if len(width) > 1:
        raise BadSetting(
            f"A pixel size of '{text}' cannot be understood",
            hint="Give µm per pixel, like 0.65, or height and width, like 0.65,0.7.",
        )
    return (height, width[0]) if width else height
