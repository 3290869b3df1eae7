"""``spheroseg models``: list, look at, install and remove models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import models
from .export import export

app = typer.Typer(
    help="List, install and remove models.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    rich_markup_mode=None,
)
_Name = Annotated[str, typer.Argument(help="Name of a model.")]

app.command("export")(export)


@app.command("list")
def list_models() -> None:
    """List all models, those that wait for a checkpoint included."""
    for each in models.known():
        state = each.task if each.has_weights else f"{each.task}, no weights installed"
        print(f"{each.name:20s} {each.title:20s} {state}")


@app.command()
def info(name: _Name) -> None:
    """Show what is known of a model, as JSON."""
    print(models.info(name).model_dump_json(indent=2))


@app.command()
def install(
    path: Annotated[
        Path, typer.Argument(help="Checkpoint file, folder of a model, or zip of a collection.")
    ],
    name: Annotated[
        str | None, typer.Option(help="What to call it  [default: as the file]")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite one of this name.")] = False,
) -> None:
    """Install a checkpoint, a model, a collection or a package of the BioImage Model Zoo."""
    from ..models.bioimageio_open import is_package

    if path.suffix.lower() == ".zip" and path.is_file() and not is_package(path):
        for each in models.install_collection(path, name, replace=replace):
            called = each.metadata.name
            print(f"Installed '{called}' ({each.metadata.title}): {each.reproduction}")
        return
    installed = models.install(path, name, replace=replace)
    print(f"Installed '{installed.name}' ({installed.title}); use it with --model {installed.name}")


@app.command()
def remove(name: _Name) -> None:
    """Delete an installed model."""
    models.remove(name)
    print(f"Removed '{name}'")


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
