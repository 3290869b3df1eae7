"""Pressing Start or Check data, as generators for the worker's thread."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...training.layers_data import LabelledLayer, write_layers
from ...training.pairs import find_pairs
from ...training.runs import Run, runs_folder
from ...training.settings import Data, TrainingSettings


@dataclass(frozen=True)
class Checked:
    """What was found in the data.

    Attributes
    ----------
    summary : str
    problems : tuple of str
    samples : ndarray of uint8, (Y, X, 3), or None
        What a network will see; None where nothing can be used.
    """

    summary: str
    problems: tuple[str, ...]
    samples: NDArray[np.uint8] | None


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """Everything that a run is made from, so that nothing on screen is read in the thread.

    Attributes
    ----------
    values : dict
        Fields of `TrainingSettings`, all but the data.
    data : Data or list of LabelledLayer
    """

    values: dict[str, Any]
    data: Data | list[LabelledLayer]

    def create_steps(self) -> Generator[Any, None, Run]:
        """Make a run, with the layers' pixels in its folder; nothing is left of one that fails."""
        folder = _new_folder(self.values["name"])
        try:
            settings = yield from self._settings(folder / "data")
            find_pairs(settings.data, settings.seed)  # what cannot be divided is said at once
            return Run.create(settings, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def check_steps(self) -> Generator[Any, None, Checked]:
        """Look at the data, and draw samples of them."""
        from ...training.check import check_steps, sample_pictures
        from ...training.trainer import open_network

        with tempfile.TemporaryDirectory(prefix="spheroseg") as folder:
            settings = yield from self._settings(Path(folder))
            check = yield from check_steps(find_pairs(settings.data, settings.seed))
            check.raise_if_unusable()
            preparation = open_network(settings)[1].preparation
            samples = sample_pictures(check.usable, settings, preparation)
        return Checked(check.summary, check.problems, samples)

    def _settings(self, folder: Path) -> Generator[Any, None, TrainingSettings]:
        data = self.data
        if not isinstance(data, Data):
            data = yield from write_layers(folder, data)
        return TrainingSettings(data=data, **self.values)


def _new_folder(name: str) -> Path:
    """A folder for a run, which nobody else has or gets."""
    number = 1
    while True:
        folder = runs_folder() / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder
