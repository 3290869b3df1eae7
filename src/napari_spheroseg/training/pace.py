"""``python -m napari_spheroseg.training.pace SETTINGS``: time the steps of a training."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np

from ..readwrite.tiff import write_image, write_labels
from .loop import Stopped
from .pairs import Dataset, Pair, Part
from .process import quiet
from .samples import draw_synthetic
from .settings import TrainingSettings
from .trainer import fit

_LEAST_STEPS, _LEAST_SECONDS = 2, 1.0


class _Clock(pl.Callback):
    """Runs from the end of the first step, which compiles and fills caches."""

    began, steps, seconds = 0.0, -1, 0.0

    def on_train_batch_end(self, *_: Any) -> None:
        """Look at the clock."""
        self.steps += 1
        if self.steps == 0:
            self.began = time.monotonic()
        self.seconds = time.monotonic() - self.began

    def is_done(self) -> bool:
        """Whether it can be told how long a step takes."""
        return self.steps >= _LEAST_STEPS and self.seconds >= _LEAST_SECONDS


def measure_pace(settings: TrainingSettings) -> float:
    """Seconds that a step of a training takes, validation left out.

    Parameters
    ----------
    settings : TrainingSettings
        Its data are not read: the few steps learn from drawn images.

    Raises
    ------
    SpherosegError
        It cannot be trained so.
    """
    clock = _Clock()
    with tempfile.TemporaryDirectory(prefix="spheroseg") as folder:
        dataset = Dataset((_draw(Path(folder), "train"), _draw(Path(folder), "val")))
        endless = settings.replace(epochs=1, steps_per_epoch=10**6)
        try:
            fit(endless, dataset, Path(folder), callbacks=(clock,), stop=clock.is_done)
        except Stopped:
            return clock.seconds / clock.steps
    raise AssertionError("it ends no other way")


def _draw(folder: Path, part: Part) -> Pair:
    image, labels = draw_synthetic(np.random.default_rng(0))
    pair = Pair(folder / f"{part}.tif", folder / f"{part}_mask.tif", part=part)
    write_image(pair.image, image)
    write_labels(pair.mask, labels)
    return pair


if __name__ == "__main__":
    quiet()
    sys.stdout.write(str(measure_pace(TrainingSettings.model_validate_json(sys.argv[1]))))
