"""What commands that work through many files have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import BadSetting
from ..segmentation.measure import PixelSize

if TYPE_CHECKING:
    from ..batch.carry import ChangedRecipe
    from ..batch.items import Item


def work_through(
    run: Callable[..., Iterable[Item]],
    total: int,
    out: Path,
    found: Callable[[Item], str],
    *,
    overwrite: bool,
    resume: bool,
    device: str,
    reserve: float,
    workers: int,
    scheduler: str,
) -> int:
    """Run a batch and say what becomes of each file.

    Parameters
    ----------
    run : callable
        Begins the batch; takes ``existing`` and ``client``.
    total : int
        Files in all.
    out : Path
        Where the results go.
    found : callable
        What was found in an image, with a comma after it; or nothing.
    overwrite, resume, device, reserve, workers, scheduler
        As the command's options say.

    Returns
    -------
    int
        Exit status: 1 where files failed.
    """
    from ..batch.carry import ChangedRecipe
    from ..batch.cluster import connect
    from ..inference import reservation

    existing = "overwrite" if overwrite else "resume" if resume else "continue"
    with ExitStack() as stack:
        stack.enter_context(reservation.reserve(device, reserve))
        if workers or scheduler:
            client = stack.enter_context(connect(workers, scheduler))
            print(f"Watch the workers at {client.dashboard_link}")
            run = partial(run, client=client)
        try:
            failed = _tell(run(existing=existing), total, found)
        except ChangedRecipe as error:
            failed = _tell(run(existing=_ask(error)), total, found)
    print(f"Results are in {out}" + (f"; {failed} of {total} images failed" if failed else ""))
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


def _tell(items: Iterable[Item], total: int, found: Callable[[Item], str]) -> int:
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
        print(f"{place}: {found(item)}{item.seconds:.2f} s", *item.warnings, sep="; ")
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
