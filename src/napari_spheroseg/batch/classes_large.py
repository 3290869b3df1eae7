"""Classes of the objects of an image that no memory holds."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..classification.large import ClassMap
from ..classification.run import classify_steps
from ..classification.settings import ClassifySettings
from ..errors import BadImage
from ..readwrite.geojson import PolygonFile, write_geojson
from ..readwrite.tiff import write_large_labels
from ..segmentation.large.result import LargeSegmentation
from ..segmentation.measure import records
from ..steps import Step
from .classes import classes_of, judge_of

if TYPE_CHECKING:
    import pandas as pd


def classified_large(
    result: LargeSegmentation, model: str, large: float
) -> Generator[Step, None, LargeSegmentation]:
    """A result whose table has classes; polygons have their names, in their file too.

    Where the model has to see all of an image at once there are none, and a warning says so.

    Parameters
    ----------
    result : LargeSegmentation
        Its files are written.
    model : str
        Name or path of a classifier; it runs on the device of the segmentation.
    large : float
        Pixels of a plane above which it is looked at by window.
    """
    judge = judge_of(model, result.settings.made_with.get("device", "auto"))
    settings = ClassifySettings(pixel_size=result.settings.pixel_size)
    wanted = result.settings.frames
    try:
        done = yield from classify_steps(
            result.frames, result.labels, judge, settings, wanted, large
        )
    except BadImage as error:
        return replace(result, warnings=(*result.warnings, f"Without classes: {error}"))
    on = [name for name in done.table if name in result.table]
    table = result.table.merge(done.table, "left", on=on, validate="one_to_one")
    named = dict(zip(table["label"].tolist(), table["class"], strict=True))
    made_with = {**result.settings.made_with, "classification": dict(judge.recipe)}
    changed = replace(
        result,
        table=table,
        polygons=[replace(each, name=named[each.id] or each.name) for each in result.polygons],
        settings=result.settings.replace(made_with=made_with),
        warnings=result.warnings + done.warnings,
    )
    return changed


def write_classes(
    result: LargeSegmentation, folder: Path, stem: str, *, as_map: bool
) -> tuple[str, ...]:
    """Polygons with the names of their classes, and where asked ``<stem>_classes.tif``.

    Returns
    -------
    tuple of str
        Names of the files that are new.
    """
    axes, size = result.frames.leading_axes, result.settings.pixel_size
    content = PolygonFile(result.polygons, axes, size, result.recipe)
    write_geojson(folder / f"{stem}_polygons.geojson", content, records(result.table))
    if not as_map:
        return ()
    name = f"{stem}_classes.tif"
    write_map(folder / name, result.labels, result.table, classes_of(result.table), axes, size)
    return (name,)


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
