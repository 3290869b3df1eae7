"""Which model is taken where none is named."""

from __future__ import annotations

from ..errors import UnknownName
from .library import entries, find
from .model import no_weights
from .places import change_settings, read_settings

_SHIPPED = {
    "segmentation": "unet",
    "restoration": "nafnet",
    "classification": "cell_classifier",
    "focus": "focus_detector",
}


def default(task: str = "segmentation") -> str:
    """Name of the model that the command line and new widgets begin with.

    Functions for scripts do not ask for it: ``ss.segment(image)`` takes "unet" on every machine.

    Parameters
    ----------
    task : str
        As in `ModelMetadata`.

    Returns
    -------
    str
        What `set_default` chose, as long as it is there; else the one that ships for the task;
        else any.

    Raises
    ------
    UnknownName
        There is no model for this task, and none ever ships.
    """
    names = [
        name for name, (each, _) in entries().items() if each.has_weights and each.task == task
    ]
    chosen, shipped = read_settings().defaults.get(task), _SHIPPED.get(task)
    for name in (chosen, shipped, *names):
        if name in names:
            return str(name)
    if shipped is not None:
        return shipped  # who asks for it is told what is wrong with the installation
    raise UnknownName(
        f"There is no model for the task '{task}'", hint="Install one: spheroseg models install."
    )


def set_default(name: str) -> str:
    """Let the command line and new widgets begin with a model, for the task that it does.

    Parameters
    ----------
    name : str
        As in `available`.

    Returns
    -------
    str
        Its task.

    Raises
    ------
    UnknownName, NoWeights
        There is no such model, or it has no weights yet.
    UnreadableFile
        The choice cannot be written.
    """
    metadata = find(name)[0]
    if not metadata.has_weights:
        raise no_weights(metadata)
    change_settings(lambda known: known.replace(defaults={**known.defaults, metadata.task: name}))
    return metadata.task
