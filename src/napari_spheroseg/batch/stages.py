"""The three stages of an image of a batch: read, predict, finish."""

from __future__ import annotations

import contextlib
import math
import shutil
import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..inference.frames import Frames
from ..inference.predictor import Predictor
from ..readwrite.images import TIFF, ImageFile
from ..restoration.focus import FocusScore, warn_out_of_focus
from ..segmentation.focus import with_focus
from ..segmentation.large.output import Output
from ..segmentation.large.result import LargeSegmentation
from ..segmentation.large.run import segment_large_steps
from ..segmentation.recipe import Recipe
from ..segmentation.result import Segmentation
from ..segmentation.run import open_predictor, segment_steps
from ..steps import Step
from ..tracking.run import tracked
from .beside import checksums, compare
from .classes import classified, counts
from .classes_large import classified_large, write_classes
from .drawings import LONGEST, write_drawings
from .items import Done, Item, Source
from .journal import Journal
from .outputs import write_outputs, written_by
from .settings import BatchSettings
from .summary import summarise
from .task import Task

if TYPE_CHECKING:
    import pandas as pd

Result = Segmentation | LargeSegmentation
Todo = tuple[Source, Item]
_DECIDE = {"outputs", "track", "track_distance", "track_gap", "focus", "classify"}
"""Settings that results of one folder must share."""


@dataclass(frozen=True)
class Job:
    """How the images of a batch are segmented.

    Attributes
    ----------
    folder : Path
        For the results.
    recipe : Recipe
        Axes and pixel size that it lacks are those of each image.
    settings : BatchSettings
    beside : mapping of str to str
        Checksums of the models that run beside the recipe's; see `beside.checksums`.
    """

    task: ClassVar[str] = "segmentation"

    folder: Path
    recipe: Recipe
    settings: BatchSettings
    beside: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def written(self) -> dict[str, Any]:
        """What results of one folder must share beside the recipe."""
        return {**self.settings.model_dump(mode="json", include=_DECIDE), **self.beside}

    def open(self, device: str, backend: str, precision: str) -> Predictor:
        """The recipe's model, once those beside it are there: it fails here, not at an image."""
        predictor = open_predictor(self.recipe.model, device, backend, precision)
        compare(checksums(self.settings, predictor), self.beside)
        return predictor

    def checksum(self, opened: Predictor) -> str | None:
        """Of the model's weights."""
        return opened.model.metadata.sha256

    def predict(
        self, image: ImageFile, item: Item, predictor: Predictor
    ) -> Generator[Step, None, Result]:
        """See `predict`."""
        return predict(image, item, predictor, self)

    def finish(self, result: Result, item: Item, mark: str, seconds: float) -> Done:
        """See `finish`."""
        return finish(result, item, mark, seconds, self)

    def summarise(self, journal: Journal) -> list[str]:
        """Tables, growth, plots and a page to read; see `summary.summarise`."""
        return summarise(journal, self.folder, self.settings)


@dataclass(frozen=True, eq=False)
class Read:
    """An image in memory.

    Attributes
    ----------
    image : ImageFile
    mark : str
        Changes when the image does.
    seconds : float
        Spent.
    taken : mapping
        Where and when: fields of `Acquired`.
    """

    image: ImageFile
    mark: str
    seconds: float
    taken: Mapping[str, Any]


def read(source: Source, job: Task) -> Read:
    """Read an image."""
    clock = time.perf_counter()
    mark = source.mark()
    image = source.open(job.settings.large_above * 1e6)
    taken = source.taken()
    return Read(image, mark, time.perf_counter() - clock, taken)


def predict(
    image: ImageFile, item: Item, predictor: Predictor, job: Job
) -> Generator[Step, None, Result]:
    """Predict an image; a large one is written at once, window by window."""
    recipe = job.recipe
    frames = Frames.of(image.data, recipe.axes or image.axes, recipe.channel, recipe.region)
    recipe = recipe.replace(pixel_size=recipe.pixel_size or image.pixel_size)
    if math.prod(frames.plane_shape) > job.settings.large_above * 1e6:
        as_tiff = item.path.suffix.lower() in TIFF
        output = Output(job.folder, item.stem, as_tiff, with_table=False)
        large = yield from segment_large_steps(frames, predictor, recipe, output)
        return (yield from _with_classes(large, item, job))
    result = yield from segment_steps(frames, predictor, recipe)
    if job.settings.focus:
        result = yield from with_focus(result, predictor)
    if job.settings.classify:  # many objects take long: here it can be cancelled, and is not timed
        result = _followed(result, job.settings)
        result = yield from classified(result, job.settings.classify)
    return result


def _with_classes(
    result: LargeSegmentation, item: Item, job: Job
) -> Generator[Step, None, LargeSegmentation]:
    """A large image whose objects are classified where that is asked for, in its files too."""
    if job.settings.classify is None:
        return result
    try:
        found = yield from classified_large(
            result, job.settings.classify, job.settings.large_above * 1e6
        )
        as_map = "classes" in job.settings.outputs
        write_classes(found, job.folder, item.stem, as_map=as_map)
    except BaseException:  # being cancelled, too
        names = job.settings.outputs
        discard(job.folder, {result.path.name, *written_by(item.stem, {*names, "polygons"})})
        raise
    return found


def _followed(result: Segmentation, settings: BatchSettings) -> Segmentation:
    """With numbers of tracks, where that is asked for, the image has a time, and it has none."""
    tracking = settings.tracking()
    is_done = "tracking" in result.settings.made_with
    if tracking is None or is_done or "T" not in result.frames.leading_axes:
        return result
    return tracked(result, tracking)


def finish(result: Result, item: Item, mark: str, seconds: float, job: Job) -> Done:
    """Labels, polygons and measurements of a prediction, and the files that hold them.

    Where one of them cannot be written, none is left.
    """
    clock = time.perf_counter()
    tracking = job.settings.tracking()
    if isinstance(result, Segmentation):
        result = _followed(result, job.settings)
    warnings = result.warnings
    if isinstance(result, LargeSegmentation):
        warnings += _left_out(job.settings)
        files: tuple[str, ...] = (result.path.name, f"{item.stem}_polygons.geojson")
        if "outlines" in job.settings.outputs:
            files += (_drawn(result, item, job),)
        if "class" in result.table and "classes" in job.settings.outputs:
            files += (f"{item.stem}_classes.tif",)
    else:
        names = job.settings.outputs
        try:
            files = write_outputs(result, job.folder, item.stem, names, item.path.name)
        except Exception:
            discard(job.folder, written_by(item.stem, names))
            raise
    table = result.table
    if focus := _focus(result):
        warnings += focus.warnings
        if blurred := warn_out_of_focus(table["focus_score"], focus.threshold):
            warnings += (blurred,)
    if tracking and "t" in table:
        table = table.assign(track=table["label"])
    return Done(
        mark=mark,
        objects=len(table),
        seconds=seconds + time.perf_counter() - clock,
        warnings=warnings,
        files=files,
        header=tuple(table.columns),
        rows=table.to_csv(index=False, header=False, lineterminator="\n"),
        images=_images(result, table),
    )


def _drawn(result: LargeSegmentation, item: Item, job: Job) -> str:
    """Outlines on a copy of a size to look at; where they cannot be written, nothing is left."""
    frames = result.frames
    indices = result.settings.frames or frames.indices()
    try:
        return write_drawings(frames, indices, result.polygons, job.folder, item.stem, LONGEST).name
    except Exception:
        names = {*job.settings.outputs, "polygons"}
        discard(job.folder, {result.path.name, *written_by(item.stem, names)})
        raise


def _left_out(settings: BatchSettings) -> tuple[str, ...]:
    """What is not done with an image that is too large for memory."""
    told: tuple[str, ...] = ()
    if others := set(settings.outputs) - {"labels", "zarr", "polygons", "classes", "outlines"}:
        told += (f"Too large for {', '.join(sorted(others))}: these were not written",)
    if settings.focus:
        told += ("Too large to say what is in focus",)
    return told


def _focus(result: Result) -> FocusScore | None:
    return result.focus if isinstance(result, Segmentation) else None


def discard(folder: Path, files: Iterable[str]) -> None:
    """Delete results; a folder of zarr with all that is in it."""
    for name in files:
        path = folder / name
        with contextlib.suppress(OSError):  # of a name that is too long even for the question
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _images(result: Result, table: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    """A row for every frame: objects, share of it that they cover, their mean diameter."""
    size = result.settings.pixel_size
    unit = "px" if size is None else "um"
    area = math.prod(result.frames.plane_shape) * (1 if size is None else math.prod(size))
    axes = result.frames.leading_axes.lower()
    focus = _focus(result)
    rows = []
    for index in result.settings.frames or result.frames.indices():
        place = dict(zip(axes, index, strict=True))
        own = table.loc[(table[list(place)] == list(index)).all(axis=1)] if place else table
        covered = 100 * own[f"area_{unit}2"].sum() / area
        diameter = own[f"equivalent_diameter_{unit}"].mean()
        rows.append(
            {
                **place,
                "objects": len(own),
                "area_covered_percent": _rounded(covered),
                f"mean_diameter_{unit}": _rounded(diameter),
                **({"focus_score": _rounded(focus.fields[index].score)} if focus else {}),
                **counts(own),
            }
        )
    return tuple(rows)


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 3)
