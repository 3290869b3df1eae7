"""How long a training will take, judged by earlier ones, or by a few steps."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .. import models
from ..errors import SpherosegError
from .runs import Run
from .settings import TrainingSettings

_TIMED = {"batch_size": 4, "crop": 256}  # no more than this is timed: nobody asked to train yet


@dataclass(frozen=True)
class Pace:
    """How fast a training was on this machine.

    Attributes
    ----------
    settings : TrainingSettings
    seconds : float
        Of a step.
    """

    settings: TrainingSettings
    seconds: float


def estimate_seconds(settings: TrainingSettings, paces: Iterable[Pace]) -> float | None:
    """Seconds that a training will take.

    Parameters
    ----------
    settings : TrainingSettings
    paces : iterable of Pace
        Such as `paces_of` runs; the most telling first.

    Returns
    -------
    float or None
        Steps times the first pace of the same network, scaled by the pixels of a batch; None
        where there is none.
    """
    for pace in paces:
        if learns_alike(pace.settings, settings):
            scale = _pixels(settings) / _pixels(pace.settings)
            return settings.steps * pace.seconds * scale
    return None


def paces_of(runs: Iterable[Run]) -> Iterator[Pace]:
    """How fast runs were, those that were damaged or did not get far left out."""
    for run in runs:
        seconds = run.status.seconds_per_step
        try:
            if seconds is not None:
                yield Pace(run.settings, seconds)
        except SpherosegError:
            continue


def learns_alike(one: TrainingSettings, other: TrainingSettings) -> bool:
    """Whether two trainings do the same with a pixel; not, where a model is gone."""
    try:
        return _learns(one) == _learns(other)
    except SpherosegError:
        return False


def start_timing(settings: TrainingSettings) -> subprocess.Popen[str]:
    """Time some steps of a training in a process of its own, on drawn images.

    Returns
    -------
    Popen
        It writes the seconds of a step to its output; nothing where they cannot be timed.
    """
    command = [sys.executable, "-m", "napari_spheroseg.training.pace", settings.model_dump_json()]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def timed(settings: TrainingSettings) -> TrainingSettings:
    """What is timed for a training: samples no larger and no more than usual."""
    return settings.replace(
        **{name: min(most, getattr(settings, name)) for name, most in _TIMED.items()}
    )


def _learns(settings: TrainingSettings) -> tuple[str | None, dict[str, Any], bool]:
    if settings.start is None:
        return settings.network, settings.arguments, settings.freeze_encoder
    start = models.info(settings.start)
    return start.network, start.arguments, settings.freeze_encoder


def _pixels(settings: TrainingSettings) -> int:
    return settings.batch_size * settings.crop**2
