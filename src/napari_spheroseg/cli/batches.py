"""What commands that work through many files have in common."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import BadSetting, SpherosegError
from ..segmentation.measure import PixelSize
from .options import Backend, Device, Precision

if TYPE_CHECKING:
    from ..batch.carry import ChangedRecipe
    from ..batch.items import Item
    from ..inference.frames import Frames


@dataclass(frozen=True)
class Work:
    """Where and how a batch is done: the options of every command that works through files."""

    device: Device = "auto"
    backend: Backend = "auto"
    precision: Precision = "auto"
    reserve: Annotated[
        str,
        typer.Option(
            help="GB of the device to book for this run, waiting if need be; auto: what the model "
            "is expected to need for the first image."
        ),
    ] = "0"
    workers: Annotated[
        int, typer.Option(help="Processes that share the work; 0: this one alone.")
    ] = 0
    scheduler: Annotated[
        str, typer.Option(help="Address of a dask scheduler whose workers do the work.")
    ] = ""
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete what the folder holds and begin anew.")
    ] = False
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the settings of the results in the folder."),
    ] = False

    def through(
        self, run: partial[Iterator[Item]], inputs: list[str], out: Path, *, counts: bool
    ) -> int:
        """Run a batch and say what becomes of each file.

        Parameters
        ----------
        run : functools.partial
            Begins the batch: `segment_files` and the like, with their settings by name.
        inputs : list of str
            Images, folders and patterns.
        out : Path
            Where the results go.
        counts : bool
            Say how many objects an image has.

        Returns
        -------
        int
            Exit status: 1 where files failed.
        """
        from ..batch.carry import ChangedRecipe
        from ..batch.cluster import connect
        from ..batch.find import find_images
        from ..inference import reservation

        paths = find_images(inputs)
        gigabytes = self._gigabytes(run, paths)
        where = {"device": self.device, "backend": self.backend, "precision": self.precision}
        run, total = partial(run, paths, out, **where), len(paths)
        existing = "overwrite" if self.overwrite else "resume" if self.resume else "continue"
        with ExitStack() as stack:
            stack.enter_context(reservation.reserve(self.device, gigabytes))
            if self.workers or self.scheduler:
                client = stack.enter_context(connect(self.workers, self.scheduler))
                print(f"Watch the workers at {client.dashboard_link}")
                run = partial(run, client=client)
            try:
                failed = _tell(run(existing=existing), total, counts)
            except ChangedRecipe as error:
                failed = _tell(run(existing=_ask(error)), total, counts)
        print(f"Results are in {out}" + (f"; {failed} of {total} images failed" if failed else ""))
        return 1 if failed else 0

    def _gigabytes(self, run: partial[Iterator[Item]], paths: list[Path]) -> float:
        """What to book, as a number."""
        if self.reserve == "auto":
            return _planned(run.keywords, self.device, paths)
        try:
            return float(self.reserve)
        except ValueError:
            raise BadSetting(
                f"reserve = '{self.reserve}' cannot be understood", hint="Give GB, or auto."
            ) from None


def _planned(asked: dict[str, Any], device: str, paths: list[Path]) -> float:
    """GB of the device that a run is expected to need for the first image that can be read."""
    from ..inference import devices
    from ..inference.memory import total_memory
    from ..inference.plan import plan_of
    from ..models import load

    model = load(asked["model"])
    if model.metadata.task not in ("segmentation", "restoration"):
        raise BadSetting(
            "reserve = 'auto' is for segmentation and restoration", hint="Give the number of GB."
        )
    preparation = model.metadata.preparation
    if asked.get("tile"):
        preparation = preparation.replace(tile=asked["tile"])
    device = devices.choose(device)
    total_memory(device)  # starts CUDA, which else does not tell what is free
    for frames in _stacks(paths, asked["axes"], asked["channel"]):
        count = math.prod(frames.leading_shape)
        plan = plan_of(model, device, frames.plane_shape, preparation, count)
        # the CPU and Apple's GPUs have one memory for all
        return plan.device_gb + (0 if device.startswith("cuda") else plan.host_gb)
    return 0.0


def _stacks(paths: list[Path], axes: str | None, channel: int | None) -> Iterator[Frames]:
    """Each image that can be read."""
    from ..inference.frames import Frames
    from ..readwrite.images import open_image

    for path in paths:
        with contextlib.suppress(SpherosegError):  # the run will say so, and go on
            image = open_image(path, above=0)  # of TIFF no more than its head is read
            yield Frames.of(image.data, axes or image.axes, channel)


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


def _tell(items: Iterable[Item], total: int, counts: bool) -> int:
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
        found = f"{item.objects} object{'' if item.objects == 1 else 's'}, " if counts else ""
        print(f"{place}: {found}{item.seconds:.2f} s", *item.warnings, sep="; ")
    if skipped:
        print(f"All {total} images were done before" if skipped == total else "")
    return failed


def pixel_pair_of(text: str | None) -> PixelSize:
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
