"""From a finished run to an installed model, and back."""

from __future__ import annotations

from .. import models
from ..errors import SpherosegError
from ..models import ModelMetadata
from ..models.library import read_metadata
from .runs import Run


def free_name(wanted: str) -> str:
    """A name that no model has: the one that is wanted, or that with a number."""
    taken = {each.name for each in models.known()}
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name


def installed_name(run: Run) -> str | None:
    """Name of the installed model that came from a run; None where there is none."""
    try:
        mine = read_metadata(run.model)
    except SpherosegError:
        return None
    for each in models.known():
        # metrics hold the second at which the best epoch ended, so no other run has the same
        if each.metrics == mine.metrics and each.network == mine.network:
            return each.name
    return None


def install_run(run: Run) -> ModelMetadata:
    """Install the model of a finished run, unless it is; a name that is taken gets a number.

    Raises
    ------
    SpherosegError
        The run has no model yet, or it cannot be installed.
    """
    there = installed_name(run)
    if there is not None:
        return models.info(there)
    return run.install(free_name(run.settings.name))
