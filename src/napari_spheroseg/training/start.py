"""Training in a process of its own, started and watched from here."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import BadSetting, Cancelled, SpherosegError
from .process import require_trainer
from .runs import LOG, Run, Status
from .settings import TrainingSettings

_LOOK_EVERY = 0.5  # seconds


def train(
    config: TrainingSettings | str | Path | dict[str, Any],
    folder: str | Path | None = None,
    *,
    wait: bool = True,
    progress: Callable[[int, int], Any] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Run:
    """Train a model, in a process of its own.

    Parameters
    ----------
    config : TrainingSettings, str, Path or dict
        Settings; a YAML file of them; or the folder of a run, which is then resumed.
    folder : str or Path, optional
        Where status, metrics, pictures, checkpoints and the model go; by default in the folder
        of all runs.
    wait : bool
        Return at the end. Otherwise at once: look at ``run.status``.
    progress : callable, optional
        Called with steps done and steps in all, now and then.
    cancel : callable, optional
        Asked now and then; True stops after the batch at hand, and the run can be resumed.

    Returns
    -------
    Run
        With ``status``, ``metrics``, ``pictures``, ``model`` and ``install``.

    Raises
    ------
    BadSetting, UnreadableFile
        The settings cannot be used, or the run goes on in another process.
    MissingPackage
        The extra ``train`` is not installed.
    SpherosegError
        Training failed; the message is in ``run.status``, too.
    Cancelled
        `cancel` said so.

    Examples
    --------
    >>> import napari_spheroseg as ss
    >>> data = {"images": "images", "masks": "masks"}
    >>> run = ss.train({"name": "mine", "start": "unet", "data": data})  # doctest: +SKIP
    >>> run.install()  # doctest: +SKIP
    """
    require_trainer()
    run = _run_of(config, folder)
    process = run.start()
    if not wait:
        return run
    for status in follow(run, process):
        if progress is not None:
            progress(status.step, status.steps)
        if cancel is not None and cancel():
            run.stop()
    status = run.status
    if status.state == "failed":
        raise SpherosegError(status.message, hint=f"What was saved is kept in {run.folder}.")
    if status.state == "stopped":
        raise Cancelled(f"Training was stopped; resume it from {run.folder}")
    return run


def _run_of(
    config: TrainingSettings | str | Path | dict[str, Any], folder: str | Path | None
) -> Run:
    if isinstance(config, dict):
        config = TrainingSettings(**config)
    elif not isinstance(config, TrainingSettings):
        if Path(config).is_dir():
            return Run.open(config)
        config = TrainingSettings.read(config)
    return Run.create(config, folder)


def follow(run: Run, process: subprocess.Popen[bytes]) -> Iterator[Status]:
    """Status of a run, again and again until its process ends.

    Raises
    ------
    BadSetting
        Another process got it, and goes on.
    """
    while process.poll() is None:
        yield run.status
        time.sleep(_LOOK_EVERY)
    status = run.status
    if status.state in ("waiting", "running", "stale"):  # it had no time to say why
        if run.is_alive:
            raise BadSetting(f"The run {run.name} is running in another process")
        message = f"The training process ended unexpectedly; see {run.folder / LOG}"
        run.write_status(status.replace(state="failed", message=message))
    yield run.status
