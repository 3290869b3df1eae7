"""How long a training will take, judged by earlier ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import models
from ..errors import SpherosegError
from .runs import Run
from .settings import TrainingSettings


def estimate_seconds(settings: TrainingSettings, runs: Iterable[Run]) -> float | None:
    """Seconds that a training will take.

    Parameters
    ----------
    settings : TrainingSettings
    runs : iterable of Run
        Earlier ones on this machine, the latest first.

    Returns
    -------
    float or None
        Steps times the pace of the first run of the same network, scaled by the pixels of a
        batch; None where there was none.
    """
    try:
        wanted = _network(settings)
    except SpherosegError:
        return None
    for run in runs:
        pace = run.status.seconds_per_step
        try:
            if pace is not None and _network(run.settings) == wanted:
                return settings.steps * pace * _pixels(settings) / _pixels(run.settings)
        except SpherosegError:  # the model that it began with is gone, or the run is damaged
            continue
    return None


def _network(settings: TrainingSettings) -> tuple[str | None, dict[str, Any]]:
    if settings.start is None:
        return settings.network, settings.arguments
    start = models.info(settings.start)
    return start.network, start.arguments


def _pixels(settings: TrainingSettings) -> int:
    return settings.batch_size * settings.crop**2
