"""Predictors that are kept in memory, one a task, for whoever asks next."""

from __future__ import annotations

import threading
import weakref
from pathlib import Path
from typing import Any

from ..errors import BadSetting
from ..models import Model, ModelMetadata, info, load
from ..models.library import read_metadata
from . import devices
from .ladder import before_giving_way
from .memory import give_back, memory_use
from .predictor import Predictor

IDLE_SECONDS = 600.0
"""Shared predictors are dropped when nobody has asked for one for so long."""

SHORT_OF_MEMORY = 0.1
"""Part of the RAM: with less of it free, those that nobody uses are dropped at the next request."""

_shared: dict[tuple[Any, ...], Predictor] = {}
_lock = threading.RLock()  # one that is opened may have to let others go
_idle: threading.Timer | None = None


def shared_predictor(
    model: str | Model,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    *,
    task: str | None = None,
) -> Predictor:
    """The one predictor of a task that is kept in memory, loaded by whichever thread asks first.

    Parameters
    ----------
    model : str or Model
        A name or path, or an opened model.
    device, backend, precision : str
        "auto", or a name.
    task : str, optional
        What the model must be for.

    Returns
    -------
    Predictor
        The same for the same choices; another choice replaces it, unless it is for another task;
        and so does time: it is dropped after `IDLE_SECONDS`, or when memory is short. Whoever
        holds it may go on using it.

    Raises
    ------
    BadSetting
        The model is for something else.
    UnknownName, NoWeights, WrongWeights, NoDevice
        It cannot run, or not there.
    """
    with _lock:
        _forget_when_idle()
        key = (_identity(model), device, backend, precision, devices.threads())
        if _is_short():
            forget_unused(but=_shared.get(key))
        if key not in _shared:
            opened = model if isinstance(model, Model) else load(model)
            check_task(opened.metadata, task)
            own = opened.metadata.task
            for other in [k for k, each in _shared.items() if each.model.metadata.task == own]:
                del _shared[other]  # before another is loaded, so that only one is in memory
            _shared[key] = Predictor(opened, device, backend, precision)
        check_task(_shared[key].model.metadata, task)
        return _shared[key]


def check_task(metadata: ModelMetadata, task: str | None) -> None:
    """Refuse a model that is for something else.

    Raises
    ------
    BadSetting
        It is, and a task is asked for.
    """
    if task is not None and metadata.task != task:
        raise BadSetting(
            f"'{metadata.name}' is a model for {metadata.task}", hint=f"Choose one for {task}."
        )


def _identity(model: str | Model) -> str:
    """What tells models apart: an opened one is itself, others are what is on disk."""
    if isinstance(model, Model):  # kept alive by its predictor, so that its id is not used again
        return f"opened {id(model)}"
    path = Path(model)
    if path.is_file():
        status = path.stat()
        return f"file {path.resolve()} {status.st_mtime_ns} {status.st_size}"
    # metadata too: the same weights may be installed twice, with another preparation
    metadata = read_metadata(path) if path.is_dir() else info(str(model))
    return f"model {model} {metadata.model_dump_json()}"


def _forget_when_idle() -> None:
    """Start waiting anew."""
    global _idle
    if _idle is not None:
        _idle.cancel()
    _idle = threading.Timer(IDLE_SECONDS, forget_shared)
    _idle.daemon = True
    _idle.start()


def forget_shared() -> None:
    """Drop the predictors that are kept in memory."""
    with _lock:
        if _idle is not None:
            _idle.cancel()
        _shared.clear()
    give_back()


def forget_unused(but: Predictor | None = None) -> bool:
    """Drop the predictors that are kept in memory and that nobody holds now.

    Parameters
    ----------
    but : Predictor, optional
        Stays in any case.

    Returns
    -------
    bool
        Whether there were any.
    """
    with _lock:
        held = {key: weakref.ref(each) for key, each in _shared.items()}
        _shared.clear()  # what only this held is gone with it
        alive = {key: each() for key, each in held.items()}
        _shared.update({key: each for key, each in alive.items() if each is not None})
        dropped = len(_shared) < len(held)
    if dropped:
        give_back()
    return dropped


before_giving_way.append(forget_unused)


def _is_short() -> bool:
    ram = memory_use("cpu").ram
    return ram.free < SHORT_OF_MEMORY * ram.total
