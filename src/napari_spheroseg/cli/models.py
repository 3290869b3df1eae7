"""``spheroseg models``: list, look at, install, choose and remove models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .. import models
from ..models.library import entries
from ..models.places import place_of, shipped_folder, user_folder
from ..steps import Steps
from .export import export

app = typer.Typer(
    help="List, install, choose and remove models.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    rich_markup_mode=None,
)
_Name = Annotated[str, typer.Argument(help="Name of a model.")]

app.command("export")(export)


@app.command("list")
def list_models() -> None:
    """List all models and where they lie, those that wait for a checkpoint included."""
    defaults = {task: models.default(task) for task in _tasks()}
    listed = list(entries().values())
    first = max((len(folder.name) for _, folder in listed), default=0)
    second = max((len(metadata.title) for metadata, _ in listed), default=0)
    for metadata, folder in listed:
        place = place_of(folder)
        where = f"shared, {folder.parent}" if place == "shared" else place
        state = metadata.task if metadata.has_weights else f"{metadata.task}, no weights installed"
        mark = ", default" if folder.name == defaults.get(metadata.task) else ""
        print(f"{folder.name:{first}s}  {metadata.title:{second}s}  {state}{mark} ({where})")


@app.command()
def info(name: _Name) -> None:
    """Show what is known of a model, as JSON."""
    print(models.info(name).model_dump_json(indent=2))


@app.command()
def install(
    path: Annotated[
        str,
        typer.Argument(
            help="Checkpoint file, folder of a model, zip of a collection or package; or the "
            "address of such a file, https://…"
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="What to call it  [default: as the file]")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite one of this name.")] = False,
    sha256: Annotated[
        str | None, typer.Option(help="Checksum that the file must have, in 64 digits.")
    ] = None,
) -> None:
    """Install a checkpoint, a model, a collection or a package of the BioImage Model Zoo.

    A download that broke off goes on where it stopped when it is asked for again.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    steps = Steps(models.install_steps(path, name, replace=replace, sha256=sha256))
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task: Any = None  # only a download takes steps
        for step in steps:
            task = bar.add_task("") if task is None else task
            bar.update(task, completed=step.done, total=step.total or None)
    for each in steps.result:
        known, found = each.metadata, each.reproduction
        use = f": {found}" if found else f"; use it with --model {known.name}"
        print(f"Installed '{known.name}' ({known.title}){use}")


@app.command()
def remove(name: _Name) -> None:
    """Move an installed model to the trash, where it is kept for 30 days."""
    models.remove(name)
    print(f"Removed '{name}'; bring it back with: spheroseg models restore {name}")


@app.command()
def restore(
    name: Annotated[str, typer.Argument(help="Name of a removed model, or NAME@TIME of one.")],
) -> None:
    """Bring a removed model back; of several of its name, the last that was removed."""
    print(f"'{models.restore(name)}' is back")


@app.command()
def trash(
    empty: Annotated[bool, typer.Option("--empty", help="Delete them all for good.")] = False,
) -> None:
    """List the models that were removed, and until when they are kept."""
    if empty:
        print(f"Deleted {len(models.empty_trash())} removed models")
        return
    for each in models.trashed():
        print(f"{each.key:44s} until {each.expires.astimezone():%Y-%m-%d %H:%M}")


@app.command()
def default(
    name: Annotated[
        str | None, typer.Argument(help="Name of a model  [default: show what is chosen]")
    ] = None,
) -> None:
    """Choose the model that commands and new widgets begin with, for the task that it does."""
    if name is not None:
        print(f"'{name}' is the default for {models.set_default(name)}")
        return
    for task in _tasks():
        print(f"{task:16s} {models.default(task)}")


@app.command()
def folders(
    add: Annotated[
        str | None, typer.Option(help="List the models of this folder too; it is not changed.")
    ] = None,
    drop: Annotated[str | None, typer.Option(help="No longer list those of this folder.")] = None,
) -> None:
    """Show where models are looked for, or share those of a folder that others keep."""
    if add is not None:
        models.add_shared_folder(add)
    if drop is not None:
        models.drop_shared_folder(drop)
    print(f"{'installed':10s} {user_folder()}")
    for each in models.shared_folders():
        print(f"{'shared':10s} {each}")
    print(f"{'shipped':10s} {shipped_folder()}")


@app.command()
def bundle(
    config: Annotated[
        Path, typer.Argument(help="YAML: a list of installed 'models', or HiTMicTools' keys.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Zip to write.")],
) -> None:
    """Pack models into a collection: one zip, to be installed elsewhere."""
    print(f"Wrote {models.bundle(config, output)}")


@app.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="Name of a model  [default: all]")] = None,
) -> None:
    """Compare the files of models with their checksums and networks; exit status 1 if one fails."""
    verdicts = []
    for each in models.verify(name):
        print(each)
        verdicts.append(each.is_good)
    if not all(verdicts):
        raise typer.Exit(1)


def _tasks() -> list[str]:
    """What there are models for that can run."""
    return list(dict.fromkeys(each.task for each in models.available()))
