"""``spheroseg evaluate``: score a model on images whose truth is known."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..models import Preparation, default
from ..segmentation.settings import PostProcessing
from .options import (
    Backend,
    Device,
    Precision,
    ReportFolder,
    Segmenter,
    Threshold,
    with_settings,
)
from .segment import PREPARATION

_SHOWN = (
    "pixel_iou",
    "pixel_dice",
    "object_f1",
    "mean_ap",
    "detection_rate",
    "false_positive_rate",
    "count_error",
)  # what fits into 80 columns


@with_settings((PostProcessing, None), (Preparation, PREPARATION))
def evaluate(
    data: Annotated[
        Path, typer.Argument(help="CSV with the columns file and mask_file, or a folder of images.")
    ],
    out: ReportFolder,
    masks: Annotated[
        Path | None, typer.Option(help="Folder of masks, where the data are a folder of images.")
    ] = None,
    model: Segmenter = None,
    part: Annotated[
        str, typer.Option(help="test, val, train or all, where the CSV says.")
    ] = "test",
    threshold: Threshold = 0.5,
    worst: Annotated[int, typer.Option(min=0, help="Worst cases of each source to picture.")] = 3,
    device: Device = "auto",
    backend: Backend = "auto",
    precision: Precision = "auto",
    *,
    settings: dict[str, Any],
) -> int:
    """Score a model on images with masks; write tables and a report with the worst cases."""
    from ..training.evaluate import evaluate
    from ..training.report import summary, write_report

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Evaluating", total=None)
        result = evaluate(
            model or default(),
            data if masks is None else (data, masks),
            part=part,  # type: ignore[arg-type]
            threshold=threshold,
            worst=worst,
            device=device,
            backend=backend,
            precision=precision,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            **settings,
        )
    for failed in result.failures.to_dict("records"):
        error = " ".join(failed["error"].split())
        print(f"spheroseg: {failed['file']}: {error}", file=sys.stderr)
    report = write_report(result, out)
    Console().print(_table(*summary(result, _SHOWN)))
    if result.left_out:
        alone = len(result.left_out)
        print(f"{alone} file{' has' if alone == 1 else 's have'} no partner; see the report")
    print(f"Best threshold: {result.best_threshold:g}. The report is {report}")
    return 1 if len(result.failures) else 0


def _table(heads: list[str], rows: list[list[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    table.add_column(heads[0], overflow="fold")
    for head in heads[1:]:
        table.add_column(head, justify="right", min_width=max(5, len(head)))
    for row in rows:
        table.add_row(*row, end_section=row is rows[-2])
    return table
