"""Restore the focus of many images, from files to files."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..inference.frames import Frames
from ..inference.predictor import Predictor
from ..readwrite.images import ImageFile
from ..readwrite.tiff import write_stack
from ..restoration.result import Restoration
from ..restoration.run import complete, open_restorer, restore_steps
from ..restoration.settings import RestorationRecipe
from ..steps import Step
from .carry import Existing, carry_out, ended, resumed
from .cluster import Where
from .items import Done, File, Item
from .journal import Journal
from .settings import BatchSettings

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class RestoreJob:
    """How the images of a batch are restored; a `Task`.

    Attributes
    ----------
    folder : Path
        For the results.
    recipe : RestorationRecipe
        Axes and pixel size that it lacks are those of each image.
    settings : BatchSettings
    """

    task: ClassVar[str] = "restoration"

    folder: Path
    recipe: RestorationRecipe
    settings: BatchSettings

    @property
    def written(self) -> dict[str, Any]:
        """What is written of each image."""
        return {"outputs": ["restored"]}

    def open(self, device: str, backend: str, precision: str) -> Predictor:
        """The recipe's model."""
        return open_restorer(self.recipe.model, device, backend, precision)

    def checksum(self, opened: Predictor) -> str | None:
        """Of the model's weights."""
        return opened.model.metadata.sha256

    def predict(
        self, image: ImageFile, item: Item, predictor: Predictor
    ) -> Generator[Step, None, Restoration]:
        """Restore an image."""
        axes = self.recipe.axes or image.axes
        frames = Frames.of(image.data, axes, self.recipe.channel, self.recipe.region)
        recipe = self.recipe.replace(pixel_size=self.recipe.pixel_size or image.pixel_size)
        return (yield from restore_steps(frames, predictor, recipe, recipe.frames))

    def finish(self, result: Restoration, item: Item, mark: str, seconds: float) -> Done:
        """Write ``<stem>_restored.tif``."""
        clock = time.perf_counter()
        name = f"{item.stem}_restored.tif"
        write_stack(self.folder / name, result.image, result.axes, result.settings.pixel_size)
        spent = seconds + time.perf_counter() - clock
        return Done(mark=mark, seconds=spent, warnings=result.warnings, files=(name,))

    def summarise(self, journal: Journal) -> list[str]:
        """Nothing: each image stands for itself."""
        return []


def restore_files(
    paths: Iterable[Path],
    out: Path,
    model: str = "nafnet",
    *,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    existing: Existing = "continue",
    client: Client | None = None,
    timeout: float = BatchSettings().timeout,
    **settings: Any,
) -> Iterator[Item]:
    """Restore the focus of files into a folder; what an earlier run has done is not done again.

    Parameters
    ----------
    paths : iterable of Path
        Image files, and folders of zarr.
    out : Path
        Made if need be; gets ``<stem>_restored.tif`` of each image, in its type and with its axes
        and pixel size, ``run.json``, and the journal by which the same call goes on.
    model, device, backend, precision
        As in `restore_focus`.
    existing, client
        As in `run_batch`.
    timeout : float
        Seconds after which reading or writing an image has failed.
    **settings
        As in `restore_focus`, and ``pixel_size``; without one each file's own.

    Yields
    ------
    Item
        After every file that is done, skipped or has failed.

    Raises
    ------
    ChangedRecipe, SpherosegError
        As `run_batch`.
    """
    model, settings, _ = resumed(existing, out, RestoreJob.task, model, settings)
    predictor = open_restorer(model, device, backend, precision)
    job = RestoreJob(out, complete(predictor, settings), BatchSettings(timeout=timeout))
    sources, where = [File(path) for path in paths], Where(device, backend, precision)
    yield from ended(carry_out(sources, job, predictor, where, existing, client))
