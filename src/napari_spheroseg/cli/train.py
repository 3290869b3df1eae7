"""``spheroseg train``: train or resume, and look at runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..errors import SpherosegError
from ..training.process import require_trainer
from ..training.runs import Run, Status, list_runs
from ..training.settings import TrainingSettings


def train(
    config: Annotated[
        Path | None,
        typer.Argument(help="YAML file of settings, or the folder of a run to resume."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder of the run.  [default: a new one]")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="CSV of images and masks, instead of what the file says.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Look at the data and draw samples; do not train.")
    ] = False,
    install: Annotated[
        bool, typer.Option(help="Install the model at the end, replacing one of its name.")
    ] = True,
    runs: Annotated[bool, typer.Option("--list", help="List runs, and do nothing else.")] = False,
) -> None:
    """Train a model from images and masks, in a process of its own.

    Interrupting (Ctrl+C) finishes the batch and saves; give the run's folder to go on.
    """
    if runs:
        for each in list_runs():
            print(f"{each.name:24s} {_say(each.status):32s} {each.folder}")
        return
    if config is None:
        raise typer.BadParameter("give a YAML file, or the folder of a run to resume")
    require_trainer()
    run = Run.open(config) if config.is_dir() else None
    if run is not None and not check:
        _train(run, install)
        return
    settings = TrainingSettings.read(config, manifest) if run is None else run.settings
    if check:
        _check(settings, out or Path())
    else:
        _train(Run.create(settings, out), install)


def _say(status: Status) -> str:
    return f"{status.state}, step {status.step} of {status.steps}"


def _check(settings: TrainingSettings, out: Path) -> None:
    from ..training.check import check_data, write_sample_pictures
    from ..training.pairs import find_pairs
    from ..training.trainer import open_network

    check = check_data(find_pairs(settings.data, settings.seed))
    print(check.summary)
    for problem in check.problems:
        print(f"- {problem}")
    check.raise_if_unusable()
    path = out / f"{settings.name}_samples.png"
    write_sample_pictures(path, check.usable, settings, open_network(settings)[1].preparation)
    print(f"Samples as the network will see them: {path}")


def _train(run: Run, install: bool) -> None:
    from ..training.start import follow

    console = Console(stderr=True)
    process = run.start()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("Starting", total=None, left="")
        watching = follow(run, process)
        while True:
            try:
                status = next(watching, None)
            except KeyboardInterrupt:
                run.stop()
                watching = follow(run, process)
                bar.update(task, description="Stopping")
                continue
            if status is None:
                break
            if status.state == "running":
                text = f"{status.message}, epoch {status.epoch}"
                left = "" if status.seconds_left is None else _minutes(status.seconds_left)
                bar.update(task, description=text, total=status.steps, completed=status.step)
                bar.update(task, left=left)
    _report(run, install)


def _minutes(seconds: float) -> str:
    return f"about {max(1, round(seconds / 60))} min left"


def _report(run: Run, install: bool) -> None:
    status = run.status
    if status.state == "stopped":
        print(f"Stopped at step {status.step}; go on with: spheroseg train {run.folder}")
        return
    if status.state != "finished":
        raise SpherosegError(
            status.message,
            hint=f"What was saved is kept; go on with: spheroseg train {run.folder}.",
        )
    print(f"{status.message}: {run.model}")
    if install:
        name = run.install(replace=True).name
        print(f"Installed; use it with --model {name}")
