"""The three stages of an image of a batch: read, predict, finish."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..inference.frames import Frames, Index
from ..inference.predictor import Predictor
from ..readwrite.images import ImageFile
from ..restoration.focus import FocusScore
from ..segmentation.focus import focus_warnings, with_focus
from ..segmentation.large.result import LargeSegmentation
from ..segmentation.recipe import Recipe
from ..segmentation.result import Segmentation
from ..segmentation.run import open_predictor, segment_steps
from ..steps import Step
from ..tracking.run import tracked
from .beside import checksums, classifier, compare
from .classes import classified, counts
from .items import Done, Item, Source
from .journal import Journal
from .large import finish_large, predict_large
from .outputs import discard, write_outputs, written_by
from .settings import BatchSettings
from .summary import summarise
from .tables import noted, of_frame
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
        return (yield from predict_large(frames, item, predictor, recipe, job))
    result = yield from segment_steps(frames, predictor, recipe)
    if job.settings.focus:
        result = yield from with_focus(result, predictor)
    if job.settings.classify:  # many objects take long: here it can be cancelled, and is not timed
        result = _followed(result, job.settings)
        judge = classifier(job.settings, result.settings.made_with, job.beside)
        result = yield from classified(result, judge)
    return result


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
        files, left_out = finish_large(result, item, job)
        warnings += left_out
    else:
        names = job.settings.outputs
        try:
            files = write_outputs(result, job.folder, item.stem, names, item.path.name)
        except Exception:
            discard(job.folder, written_by(item.stem, names))
            raise
    table = result.table
    if isinstance(result, Segmentation) and result.focus:
        warnings += result.focus.warnings + focus_warnings(result)
    if tracking and "t" in table and isinstance(result, Segmentation):
        table = table.assign(track=table["label"])
    return Done(
        mark=mark,
        seconds=seconds + time.perf_counter() - clock,
        warnings=warnings,
        files=files,
        images=_images(result, table),
        **noted(table),
    )


def _images(result: Result, table: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    """A row for every frame: objects, share of it that they cover, their mean diameter."""
    size = result.settings.pixel_size
    unit = "px" if size is None else "um"
    area = math.prod(result.frames.plane_shape) * (1 if size is None else math.prod(size))
    frames = result.frames
    focus = result.focus if isinstance(result, Segmentation) else None
    rows = []
    for index in result.settings.frames or frames.indices():
        place, own = of_frame(table, frames.leading_axes, index)
        covered = 100 * own[f"area_{unit}2"].sum() / area
        diameter = own[f"equivalent_diameter_{unit}"].mean()
        rows.append(
            {
                **place,
                "objects": len(own),
                "area_covered_percent": _rounded(covered),
                f"mean_diameter_{unit}": _rounded(diameter),
                **(_in_focus(focus, index) if focus else {}),
                **counts(own),
            }
        )
    return tuple(rows)


def _in_focus(focus: FocusScore, index: Index) -> dict[str, Any]:
    """Score of a frame, and whether it is in focus: nothing is said of one that shows nothing."""
    score = focus.fields[index].score
    in_focus = None if math.isnan(score) else score >= focus.threshold
    return {"focus_score": _rounded(score), "in_focus": in_focus}


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 3)
