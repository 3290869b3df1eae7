"""The command line: thin, a file a command."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import Any

import typer

from .. import __version__
from ..errors import BadSetting, NoDevice, NoWeights, SpherosegError, UnknownName
from . import benchmark, classify, demo, doctor, evaluate, models, restore, segment, train

app = typer.Typer(
    name="spheroseg",
    help="Outline, measure and count spheroids and organoids in microscope images.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("segment")(segment.segment)
app.command("restore")(restore.restore)
app.command("classify")(classify.classify)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("benchmark")(benchmark.benchmark)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)
app.add_typer(models.app, name="models")

# typer brings a click of its own, or uses the installed one, by version: ask typer for its class
_ClickError: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
_BAD_USAGE = (BadSetting, NoDevice, NoWeights, UnknownName)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Outline, measure and count spheroids and organoids in microscope images."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command: exit status 0 done, 1 some inputs failed, 2 bad usage."""
    gc.set_threshold(10_000)  # what is imported stays: looking through it takes 0.5 s of a start
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [each for each in given if each != "--debug"]  # it may stand anywhere
    try:
        status = app(given, standalone_mode=False)
    except _ClickError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help, in lines
            print(error.format_message(), file=sys.stderr)
        else:
            _complain(error.format_message() + " See --help.")
        status = 2
    except (typer.Abort, KeyboardInterrupt):
        _complain("stopped")
        status = 130
    except SpherosegError as error:
        if debug:
            raise
        _complain(str(error))
        status = 2 if isinstance(error, _BAD_USAGE) else 1
    except BrokenPipeError:
        status = 1
    except Exception as error:
        if debug:
            raise
        _complain(f"{type(error).__name__}: {error}. Run it with --debug to see where.")
        status = 1
    sys.exit(status or 0)


def _complain(message: str) -> None:
    print(f"spheroseg: {' '.join(message.split())}", file=sys.stderr)
