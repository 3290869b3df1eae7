"""Training runs on disk: a folder each, that the process writes and anybody may read."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from platformdirs import user_data_path
from pydantic import ValidationError

from ..errors import BadSetting, UnreadableFile
from ..models import ModelMetadata
from ..readwrite.atomic import write_text
from ..settings import Settings
from .settings import TrainingSettings

State = Literal["waiting", "running", "stopped", "finished", "failed", "stale"]
SETTINGS, STATUS, METRICS, STOP, LOG = (
    "settings.json",
    "status.json",
    "metrics.jsonl",
    "stop",
    "log.txt",
)
_ASKED = 0.5  # seconds; who asks whether a run is alive holds it for a moment


class Status(Settings):
    """How far a run is; written by its process."""

    state: State = "waiting"
    message: str = ""
    epoch: int = 0
    step: int = 0
    steps: int = 0
    seconds_per_step: float | None = None
    pid: int | None = None
    updated: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """Estimated time to the last step; None while it is not known."""
        if self.seconds_per_step is None:
            return None
        return (self.steps - self.step) * self.seconds_per_step


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes
    ----------
    folder : Path
        Holds ``settings.json``, ``status.json``, ``metrics.jsonl`` and ``metrics.csv`` (a line an
        epoch), ``pictures/``, the checkpoints ``last.ckpt`` and ``best.ckpt``, ``log.txt``, and
        at the end the model as ``model/``.
    """

    folder: Path

    @classmethod
    def create(cls, settings: TrainingSettings, folder: str | Path | None = None) -> Run:
        """A new run, not started yet.

        Parameters
        ----------
        settings : TrainingSettings
        folder : str or Path, optional
            By default one in `runs_folder`, named by the model and a number.

        Raises
        ------
        BadSetting
            The folder holds a run already.
        UnreadableFile
            It cannot be written.
        """
        if folder is None:
            folder = _free_name(runs_folder(), settings.name)
        run = cls(Path(folder))
        if (run.folder / SETTINGS).exists():
            raise BadSetting(
                f"{run.folder} holds a run already", hint="Resume it, or choose another folder."
            )
        write_text(run.folder / SETTINGS, settings.model_dump_json(indent=2) + "\n")
        run.write_status(Status(steps=settings.steps))
        return run

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """The run of a folder.

        Raises
        ------
        UnreadableFile
            It holds none.
        """
        run = cls(Path(folder))
        if not (run.folder / SETTINGS).is_file():
            raise UnreadableFile(f"{folder} holds no training run", hint="Check the path.")
        return run

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def settings(self) -> TrainingSettings:
        """What it is made from.

        Raises
        ------
        UnreadableFile
            The file is damaged.
        """
        try:
            return TrainingSettings.model_validate_json((self.folder / SETTINGS).read_bytes())
        except (OSError, ValidationError) as error:
            raise UnreadableFile(
                f"{self.folder / SETTINGS} cannot be read", hint="Remove the run."
            ) from error

    @property
    def status(self) -> Status:
        """How far it is; "stale" where its process died without a word."""
        try:
            status = Status.model_validate_json((self.folder / STATUS).read_bytes())
        except (OSError, ValidationError):
            status = Status()
        if status.state == "running" and not self.is_alive:
            return status.replace(state="stale", message="Its process has ended unexpectedly")
        return status

    @property
    def is_alive(self) -> bool:
        """Whether a process holds it."""
        try:
            with self._lock.acquire(timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that is gone, or may not be written
            return False

    @property
    def can_resume(self) -> bool:
        """Whether there is something left to do and nobody does it."""
        return self.status.state in ("waiting", "stopped", "failed", "stale")

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """One entry an epoch: epoch, step, loss, val_loss, val_dice, val_iou, by source."""
        entries: dict[int, dict[str, Any]] = {}
        for line in _lines(self.folder / METRICS):
            with contextlib.suppress(ValueError, KeyError, TypeError):  # half a line of a crash
                entry = json.loads(line)
                entries[entry["epoch"]] = entry  # an epoch done again after a crash counts once
        return [entries[epoch] for epoch in sorted(entries)]

    @property
    def pictures(self) -> list[Path]:
        """A validation image with truth and prediction, one an epoch."""
        return sorted((self.folder / "pictures").glob("epoch_*.png"))

    @property
    def model(self) -> Path:
        """Folder of the trained model, once it is finished."""
        return self.folder / "model"

    @property
    def wants_to_stop(self) -> bool:
        """Whether somebody asked it to stop."""
        return (self.folder / STOP).exists()

    def start(self) -> subprocess.Popen[bytes]:
        """Start or resume in a process of its own, which outlives this one.

        Raises
        ------
        BadSetting
            It runs already, or is finished.
        """
        if not self.can_resume or self.is_alive:
            raise BadSetting(f"The run {self.name} is {self.status.state}")
        (self.folder / STOP).unlink(missing_ok=True)
        self.write_status(self.status.replace(state="waiting", message="Starting"))
        command = [sys.executable, "-m", "napari_spheroseg.training", str(self.folder)]
        with (self.folder / LOG).open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Ask it to finish its batch, save and end; it can be resumed."""
        (self.folder / STOP).touch()

    def install(self, name: str | None = None, *, replace: bool = False) -> ModelMetadata:
        """Install the trained model, by its own name or another; see `models.install`.

        Raises
        ------
        BadSetting
            The run is not finished, or the name is taken.
        """
        from .. import models

        if not self.model.is_dir():
            raise BadSetting(f"The run {self.name} has no model yet", hint="Let it finish first.")
        return models.install(self.model, name, replace=replace)

    def remove(self) -> None:
        """Delete the folder.

        Raises
        ------
        BadSetting
            It is running.
        """
        if self.is_alive:
            raise BadSetting(f"The run {self.name} is running", hint="Stop it first.")
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run, as the process that trains does.

        Raises
        ------
        BadSetting
            Another process holds it.
        """
        try:
            with self._lock.acquire(timeout=_ASKED):
                yield
        except Timeout:
            raise BadSetting(f"The run {self.name} is running in another process") from None

    def write_status(self, status: Status) -> None:
        """Write ``status.json``."""
        status = status.replace(pid=os.getpid(), updated=time.time())
        write_text(self.folder / STATUS, status.model_dump_json(indent=2) + "\n")

    @property
    def _lock(self) -> FileLock:
        return FileLock(self.folder / ".lock")


def runs_folder() -> Path:
    """Folder of all runs; ``SPHEROSEG_RUNS`` in the environment moves it."""
    moved = os.environ.get("SPHEROSEG_RUNS")
    return Path(moved) if moved else user_data_path("napari-spheroseg", False) / "runs"


def list_runs() -> list[Run]:
    """Runs in `runs_folder`, the latest first."""
    try:
        folders = [p for p in runs_folder().iterdir() if (p / SETTINGS).is_file()]
    except OSError:
        return []
    return [Run(p) for p in sorted(folders, key=lambda p: -(p / SETTINGS).stat().st_mtime)]


def _free_name(folder: Path, name: str) -> Path:
    number = 1
    while (folder / f"{name}-{number}").exists():
        number += 1
    return folder / f"{name}-{number}"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
