"""Images of a batch that no memory holds: found, classified and written window by window."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..classification.large import ClassMap
from ..classification.run import classify_steps
from ..classification.settings import ClassifySettings
from ..errors import BadImage
from ..inference.frames import Frames
from ..inference.predictor import Predictor
from ..readwrite.geojson import PolygonFile, write_geojson
from ..readwrite.images import TIFF
from ..readwrite.tiff import write_large_labels
from ..segmentation.large.output import Output
from ..segmentation.large.result import LargeSegmentation
from ..segmentation.large.run import segment_large_steps
from ..segmentation.measure import records
from ..segmentation.recipe import Recipe
from ..steps import Step
from .beside import classifier
from .classes import classes_of
from .drawings import LONGEST, write_drawings
from .items import Item
from .outputs import discard, written_by
from .settings import BatchSettings

if TYPE_CHECKING:
    import pandas as pd

    from .stages import Job

_WRITTEN = {"labels", "zarr", "polygons", "classes", "outlines"}
"""Outputs that are written of them; labels and polygons always."""


def predict_large(
    frames: Frames, item: Item, predictor: Predictor, recipe: Recipe, job: Job
) -> Generator[Step, None, LargeSegmentation]:
    """Segment an image, and classify its objects where that is asked for, into its files."""
    as_tiff = item.path.suffix.lower() in TIFF
    output = Output(job.folder, item.stem, as_tiff, with_table=False)
    result = yield from segment_large_steps(frames, predictor, recipe, output)
    if job.settings.classify is None:
        return result
    try:
        return (yield from _classified(result, item, job))
    except BaseException:  # being cancelled, too
        _discard(result, item, job)
        raise


def finish_large(
    result: LargeSegmentation, item: Item, job: Job
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Draw the outlines where that is asked for; names of all files, and what was left out.

    Where they cannot be written, nothing is left.
    """
    outputs = job.settings.outputs
    files = [result.path.name, f"{item.stem}_polygons.geojson"]
    if "class" in result.table and "classes" in outputs:
        files.append(f"{item.stem}_classes.tif")
    if "outlines" in outputs:
        indices = result.settings.frames or result.frames.indices()
        to_draw = (result.frames, indices, result.polygons, job.folder, item.stem, LONGEST)
        try:
            files.append(write_drawings(*to_draw).name)
        except Exception:
            _discard(result, item, job)
            raise
    return tuple(files), _left_out(result, job.settings)


def _classified(
    result: LargeSegmentation, item: Item, job: Job
) -> Generator[Step, None, LargeSegmentation]:
    """With classes in its table, and in its files: names of polygons, and a map where asked.

    Where the model has to see all of an image at once there are none, and a warning says so.
    """
    settings = job.settings
    judge = classifier(settings, result.settings.made_with, job.beside)
    how = ClassifySettings(pixel_size=result.settings.pixel_size)
    wanted, large = result.settings.frames, settings.large_above * 1e6
    try:
        done = yield from classify_steps(result.frames, result.labels, judge, how, wanted, large)
    except BadImage as error:
        return replace(result, warnings=(*result.warnings, f"Without classes: {error}"))
    named = dict(zip(done.table["label"].tolist(), done.table["class"], strict=True))
    on = [name for name in done.table if name in result.table]
    made_with = {**result.settings.made_with, "classification": dict(judge.recipe)}
    found = replace(
        result,
        table=result.table.merge(done.table, "left", on=on, validate="one_to_one"),
        polygons=[replace(each, name=named[each.id] or each.name) for each in result.polygons],
        settings=result.settings.replace(made_with=made_with),
        warnings=result.warnings + done.warnings,
    )
    axes, size = found.frames.leading_axes, found.settings.pixel_size
    content = PolygonFile(found.polygons, axes, size, found.recipe)
    write_geojson(job.folder / f"{item.stem}_polygons.geojson", content, records(found.table))
    if "classes" in settings.outputs:
        path = job.folder / f"{item.stem}_classes.tif"
        write_map(path, found.labels, found.table, classes_of(found.table), axes, size)
    return found


def write_map(
    path: Path,
    labels: Any,
    table: pd.DataFrame,
    classes: tuple[str, ...],
    axes: str,
    pixel_size: tuple[float, float] | None,
) -> None:
    """Write a map of classes, window by window."""
    write_large_labels(path, ClassMap(labels, table, classes, axes), axes + "YX", pixel_size)


def _discard(result: LargeSegmentation, item: Item, job: Job) -> None:
    names = {*job.settings.outputs, "polygons"}
    discard(job.folder, {result.path.name, *written_by(item.stem, names)})


def _left_out(result: LargeSegmentation, settings: BatchSettings) -> tuple[str, ...]:
    """What is not done with an image that is too large for memory."""
    told: tuple[str, ...] = ()
    if others := set(settings.outputs) - _WRITTEN:
        told += (f"Too large for {', '.join(sorted(others))}: these were not written",)
    if settings.tracking() and "T" in result.frames.leading_axes:
        told += ("Too large to follow objects through time",)
    if settings.focus:
        told += ("Too large to say what is in focus",)
    return told
