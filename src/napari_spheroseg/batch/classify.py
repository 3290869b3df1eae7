"""Classify the objects of many images whose labels are there, from files to files."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..classification.judge import Judge
from ..classification.large import is_by_window
from ..classification.result import Classification, class_map
from ..classification.run import classify_steps, open_judge
from ..classification.settings import ClassificationRecipe
from ..inference.frames import Frames
from ..inference.record import versions
from ..readwrite.images import ImageFile, open_image
from ..readwrite.tiff import write_labels
from ..steps import Step
from .carry import Existing, carry_out, ended, resumed
from .classes import counts, judge_of
from .cluster import Where
from .items import Done, Item
from .journal import Journal
from .labelled import LabelledFile, check_labels, find_labels
from .large import write_map
from .settings import BatchSettings
from .tables import noted, of_frame, write_tables

if TYPE_CHECKING:
    from distributed import Client

CLASSES = "classes.csv"


@dataclass(frozen=True, eq=False)
class Found:
    """The classes in an image.

    Attributes
    ----------
    classification : Classification
    labels : array
    frames : Frames
    pixel_size : (float, float) or None
        µm, height and width.
    is_written : bool
        Their map is in its file: that of a large image is written window by window, and not timed.
    """

    classification: Classification
    labels: Any
    frames: Frames
    pixel_size: tuple[float, float] | None
    is_written: bool = False


@dataclass(frozen=True)
class ClassifyJob:
    """How the objects of a batch are classified; a `Task`.

    Attributes
    ----------
    folder : Path
        For the results.
    recipe : ClassificationRecipe
        Axes and pixel size that it lacks are those of each image.
    settings : BatchSettings
    labels : str
        Where labels are; see `find_labels`.
    allow : str or None
        SHA-256 of a pickle that may be opened.
    """

    task: ClassVar[str] = "classification"

    folder: Path
    recipe: ClassificationRecipe
    settings: BatchSettings
    labels: str
    allow: str | None = None

    @property
    def written(self) -> dict[str, Any]:
        """What is written of each image."""
        return {"outputs": ["classes"]}

    def open(self, device: str, backend: str, precision: str) -> Judge:
        """The recipe's model."""
        return judge_of(self.recipe.model, device, backend, precision, self.allow)

    def checksum(self, opened: Judge) -> str | None:
        """Of the model's file."""
        checksum: str | None = opened.recipe["sha256"]
        return checksum

    def predict(
        self, image: ImageFile, item: Item, predictor: Judge
    ) -> Generator[Step, None, Found]:
        """Classify the objects of an image."""
        recipe = self.recipe
        frames = Frames.of(image.data, recipe.axes or image.axes, recipe.channel, recipe.region)
        large = self.settings.large_above * 1e6
        labels = open_image(find_labels(item.path, self.labels), large).data
        pixel_size = recipe.pixel_size or image.pixel_size
        settings = recipe.settings().replace(pixel_size=pixel_size)
        done = yield from classify_steps(frames, labels, predictor, settings, recipe.frames, large)
        if not is_by_window(frames, labels, large):
            return Found(done, labels, frames, pixel_size)
        path, axes = self.folder / f"{item.stem}_classes.tif", frames.leading_axes
        write_map(path, labels, done.table, done.classes, axes, pixel_size)
        return Found(done, labels, frames, pixel_size, is_written=True)

    def finish(self, result: Found, item: Item, mark: str, seconds: float) -> Done:
        """Write ``<stem>_classes.tif``."""
        clock = time.perf_counter()
        name, axes = f"{item.stem}_classes.tif", result.frames.leading_axes
        done = result.classification
        if not result.is_written:
            map_ = class_map(result.labels, done.table, done.classes, axes)
            write_labels(self.folder / name, map_, axes + "YX", result.pixel_size)
        return Done(
            mark=mark,
            seconds=seconds + time.perf_counter() - clock,
            warnings=done.warnings,
            files=(name,),
            images=tuple(self._images(result)),
            **noted(done.table),
        )

    def _images(self, result: Found) -> Iterator[dict[str, Any]]:
        """A row for every frame: objects of each class."""
        table, frames = result.classification.table, result.frames
        for index in self.recipe.frames or frames.indices():
            place, own = of_frame(table, frames.leading_axes, index)
            yield {**place, "objects": len(own), **counts(own)}

    def summarise(self, journal: Journal) -> list[str]:
        """The tables of objects, ``classes.csv``, and of images."""
        write_tables(journal, self.folder, {}, {}, objects=CLASSES)
        return []


def classify_files(
    paths: Iterable[Path],
    out: Path,
    labels: str,
    model: str | Path = "cell_classifier",
    *,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    allow: str | None = None,
    existing: Existing = "continue",
    client: Client | None = None,
    timeout: float = BatchSettings().timeout,
    **settings: Any,
) -> Iterator[Item]:
    """Classify the objects of files into a folder; what an earlier run has done is not done again.

    Parameters
    ----------
    paths : iterable of Path
        Image files, and folders of zarr.
    out : Path
        Made if need be; gets ``<stem>_classes.tif`` of each image, in which a pixel is the index
        of its object's class, from 1; ``classes.csv``, ``images.csv``, ``run.json``, and the
        journal by which the same call goes on.
    labels : str
        A folder with ``<stem>_labels.tif`` or files of the images' names; a pattern such as
        ``masks/{stem}_mask.png``; or one file.
    model, device, backend, precision, allow
        As in `classify`.
    existing, client
        As in `run_batch`.
    timeout : float
        Seconds after which reading or writing an image has failed.
    **settings
        Other fields of `ClassificationRecipe`.

    Yields
    ------
    Item
        After every file that is done, skipped or has failed.

    Raises
    ------
    ChangedRecipe, SpherosegError
        As `run_batch`; also where no image has labels.
    """
    model, settings, _ = resumed(existing, out, ClassifyJob.task, model, settings)
    labels = os.path.abspath(labels)  # noqa: PTH100 - a worker may be in another folder
    paths = list(paths)
    check_labels(paths, labels)
    judge: Any = open_judge(model, device, backend, precision, allow=allow)
    made_with = {"device": "cpu", "sha256": None, **judge.recipe, "versions": versions()}
    recipe = ClassificationRecipe(**{**settings, "model": str(model), "made_with": made_with})
    job = ClassifyJob(out, recipe, BatchSettings(timeout=timeout), labels, allow)
    sources = [LabelledFile(path, labels) for path in paths]
    where = Where(device, backend, precision)
    yield from ended(carry_out(sources, job, judge, where, existing, client))
