"""``spheroseg benchmark``: how fast models are here, and how much memory they take."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..benchmark.settings import GROW_FRAMES, GROW_SIZES, BenchmarkSettings
from ..errors import BadSetting
from .options import Device, ReportFolder

if TYPE_CHECKING:
    from ..benchmark.results import Results

_FIRST_NUMBER = "px"  # of the table: what stands before it are names


def _commas(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


def benchmark(
    out: ReportFolder,
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Models, or networks with --published  [default: all]"),
    ] = None,
    sizes: Annotated[
        str, typer.Option(help="Sides of the images (px), multiples of 32, with commas.")
    ] = "512,1024",
    batches: Annotated[
        str, typer.Option(help="Images at a time, with commas; auto: as many as a run takes.")
    ] = "1",
    backends: Annotated[
        str, typer.Option(help="Names with commas; all; auto: torch and the one that is fastest.")
    ] = "auto",
    precisions: Annotated[
        str, typer.Option(help="float32, bfloat16, float16, with commas; all; auto (the fastest).")
    ] = "float32,auto",
    device: Device = "auto",
    repeats: Annotated[int, typer.Option(help="Measurements of each, after a warm-up.")] = 5,
    threads: Annotated[int, typer.Option(help="Threads on the CPU; 0: one a core.")] = 0,
    memory: Annotated[bool, typer.Option(help="Measure peak memory.")] = True,
    grow: Annotated[
        bool, typer.Option("--grow", help="Measure growth with size and number of frames.")
    ] = False,
    grow_sizes: Annotated[
        str, typer.Option(help="With --grow: sides of the images (px).")
    ] = _commas(GROW_SIZES),
    grow_frames: Annotated[str, typer.Option(help="With --grow: numbers of frames.")] = _commas(
        GROW_FRAMES
    ),
    files: Annotated[bool, typer.Option(help="Measure also from file to files.")] = True,
    around_size: Annotated[
        int, typer.Option(help="Side (px) for all that stands around the network.")
    ] = 1024,
    published: Annotated[
        bool,
        typer.Option("--published", help="Networks in full size with random weights, not models."),
    ] = False,
) -> int:
    """Measure time and memory of models, beside plain PyTorch in float32; write a report."""
    from ..benchmark.run import benchmark

    settings = BenchmarkSettings(
        models=tuple(models or ()),
        sizes=_numbers("sizes", sizes),
        batches=_numbers("batches", batches, "auto"),
        backends=_names(backends),
        precisions=_names(precisions),
        device=device,
        repeats=repeats,
        threads=threads,
        memory=memory,
        files=files,
        around_size=around_size,
        published=published,
        grow_sizes=_numbers("grow_sizes", grow_sizes) if grow else (),
        grow_frames=_numbers("grow_frames", grow_frames) if grow else (),
    )
    console = Console(stderr=True)
    results = None
    with (
        Progress(console=console, transient=True, disable=not console.is_terminal) as bar,
        contextlib.closing(benchmark(settings, out)) as steps,
    ):
        task = bar.add_task("Benchmark", total=None)
        for step in steps:
            bar.update(task, completed=step.done, total=step.total, description=step.what)
            results = step.results
    return _tell(results, out)


def _tell(results: Results | None, out: Path) -> int:
    """Print the table and what failed; 1 if something did."""
    from ..benchmark.report import case_table

    if results is None:
        return 0
    Console().print(_table(*case_table(results, brief=True)))
    for each in results.unavailable:
        print(f"Not available: {each.backend} {each.precision}: {each.reason}")
    for what, error in results.failures:
        print(f"spheroseg: {what}: {' '.join(error.split())}", file=sys.stderr)
    print(f"The report is {out / 'benchmark.md'}")
    return 1 if results.failures else 0


def _table(heads: list[str], rows: list[list[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number < heads.index(_FIRST_NUMBER) else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (each.strip() for each in text.split(","))))


def _numbers(option: str, text: str, *words: str) -> tuple[Any, ...]:
    """Whole numbers, or one of some words."""
    try:
        return tuple(each if each in words else int(each) for each in _names(text))
    except ValueError:
        raise BadSetting(
            f"{option} = '{text}' cannot be understood",
            hint="Give whole numbers with commas between them, like 512,1024.",
        ) from None
