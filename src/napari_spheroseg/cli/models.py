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
from .options import Allow

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
def info(
    name: Annotated[str, typer.Argument(help="Name of a model, or zip or YAML of a collection.")],
) -> None:
    """Show what is known of a model, as JSON; or which models a collection holds."""
    if Path(name).suffix.lower() not in (".zip", ".yml", ".yaml"):
        print(models.info(name).model_dump_json(indent=2))
        return
    for each in models.open_collection(name).entries.values():
        about = each.reason or (each.metadata.title if each.metadata else "runs from where it is")
        print(f"{each.key:20s} {each.state:16s} {about}")


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
    replace: Annotated[
        bool, typer.Option("--replace", help="One of this name goes to the trash.")
    ] = False,
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
    for reason in steps.result[0].passed_over:
        print(f"Passed over {reason}")


@app.command()
def remove(name: _Name) -> None:
    """Move an installed model to the trash, where it is kept for 30 days."""
    models.remove(name)
    print(f"Removed '{name}'; bring it back with: spheroseg models restore {name}")


@app.command()
def restore(
    name: Annotated[str, typer.Argument(help="Name of a removed model, or NAME@TIME of one.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="One that has its name now goes to the trash.")
    ] = False,
) -> None:
    """Bring back a model that was removed or replaced; of several of its name, the last."""
    print(f"'{models.restore(name, replace=replace)}' is back")


@app.command()
def trash(
    empty: Annotated[bool, typer.Option("--empty", help="Delete them all for good.")] = False,
) -> None:
    """List the models that were removed or replaced, and until when they are kept."""
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
def convert(
    path: Annotated[
        str,
        typer.Argument(
            help="A classifier saved by joblib or pickle; or one of a collection, "
            "collection.zip#pi_classification"
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Skops file to write.")],
    allow: Allow = None,
) -> None:
    """Write a pickled classifier as skops, which holds no code and is opened without leave."""
    print(f"Wrote {models.convert(path, output, allow=allow)}; use it with --model {output}")


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
