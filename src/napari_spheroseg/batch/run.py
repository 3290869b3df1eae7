"""Segment files one after the other, writing results as they come."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import reason
from ..inference.frames import Frames
from ..inference.predictor import Predictor
from ..readwrite.atomic import replacing, write_text
from ..readwrite.geojson import PolygonFile, write_geojson
from ..readwrite.images import LARGE, TIFF, open_image
from ..readwrite.tiff import write_labels
from ..segmentation.large.output import Output
from ..segmentation.large.result import LargeSegmentation
from ..segmentation.large.run import segment_large_steps
from ..segmentation.measure import PixelSize
from ..segmentation.recipe import Recipe, versions
from ..segmentation.result import Segmentation
from ..segmentation.run import complete, open_predictor, segment_steps
from ..steps import run_to_end
from .find import output_stems

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Item:
    """What became of one file.

    Attributes
    ----------
    path : Path
        The input.
    objects : int
        Spheroids found.
    seconds : float
        Reading, segmenting and writing.
    warnings : tuple of str
    error : str or None
        Why it failed.
    """

    path: Path
    objects: int = 0
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    error: str | None = None


def segment_files(
    paths: list[Path],
    out: Path,
    model: str = "unet",
    threshold: float = 0.5,
    *,
    pixel_size: PixelSize = None,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    large_above: float = LARGE / 1e6,
    **settings: Any,
) -> Iterator[Item]:
    """Segment files into a folder.

    Parameters
    ----------
    paths : list of Path
        Images.
    out : Path
        Made if need be; gets ``<stem>_labels.tif`` and ``<stem>_polygons.geojson`` for each image,
        ``measurements.csv`` for all objects, and ``run.json``.
    model, threshold, pixel_size, device, backend, precision, **settings
        As in `segment`; without a pixel size each file's own.
    large_above : float
        Images whose planes have more megapixels are read and written by window; their labels are
        ``<stem>_labels.ome.zarr``, of a TIFF a tiled TIFF.

    Yields
    ------
    Item
        After every file; one that fails does not stop the others.

    Raises
    ------
    SpherosegError
        The model, the device or a setting cannot be used, or the tables cannot be written.
    """
    predictor = open_predictor(model, device, backend, precision)
    recipe = complete(predictor, threshold, pixel_size, settings)
    started = datetime.now(UTC)
    twice = Counter(path.name for path in paths)
    names = {path: str(path) if twice[path.name] > 1 else path.name for path in paths}
    items: list[Item] = []
    tables: list[pd.DataFrame] = []
    try:
        for path, stem in output_stems(paths).items():
            clock = time.perf_counter()
            try:
                output = Output(out, stem, path.suffix.lower() in TIFF, with_table=False)
                result = _segment_file(path, predictor, recipe, output, large_above * 1e6)
                tables.append(result.table.assign(file=names[path]))
                done = (len(result.table), time.perf_counter() - clock, result.warnings)
                items.append(Item(path, *done))
            except Exception as error:  # whatever one file does, the others have their turn
                items.append(Item(path, seconds=time.perf_counter() - clock, error=reason(error)))
            yield items[-1]
    finally:  # also when the caller stops: what is done is done, and the tables say so
        _write_table(out / "measurements.csv", tables)
        _write_run(out / "run.json", items, recipe.model_dump(mode="json"), started)


def write_result(result: Segmentation, out: Path, stem: str, *, with_table: bool = False) -> None:
    """Write one result as ``<stem>_labels.tif`` and ``<stem>_polygons.geojson``.

    Where asked, also its table as ``<stem>_measurements.csv``.

    Raises
    ------
    UnreadableFile
        They cannot be written.
    """
    axes, size = result.frames.leading_axes, result.settings.pixel_size
    write_labels(out / f"{stem}_labels.tif", result.labels, axes + "YX", size)
    content = PolygonFile(result.polygons, axes, size, result.recipe)
    rows = result.table.to_dict("records")
    write_geojson(out / f"{stem}_polygons.geojson", content, rows)  # type: ignore[arg-type]
    if with_table:
        with replacing(out / f"{stem}_measurements.csv") as temporary:
            result.table.to_csv(temporary, index=False)


def _segment_file(
    path: Path, predictor: Predictor, recipe: Recipe, output: Output, large: float
) -> Segmentation | LargeSegmentation:
    """One file, written; axes and pixel size that the user did not give are the file's own."""
    file = open_image(path, large)
    frames = Frames.of(file.data, recipe.axes or file.axes, recipe.channel, recipe.region)
    recipe = recipe.replace(pixel_size=recipe.pixel_size or file.pixel_size)
    if math.prod(frames.plane_shape) > large:
        return run_to_end(segment_large_steps(frames, predictor, recipe, output))
    result = run_to_end(segment_steps(frames, predictor, recipe))
    write_result(result, output.folder, output.stem)
    return result


def _write_table(path: Path, tables: list[pd.DataFrame]) -> None:
    import pandas as pd

    if not tables:
        with contextlib.suppress(OSError):
            path.unlink()  # of an earlier run: it says nothing of this one
        return
    whole = pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
    whole.insert(0, "file", whole.pop("file"))
    with replacing(path) as temporary:
        whole.to_csv(temporary, index=False)


def _write_run(path: Path, items: list[Item], recipe: dict[str, Any], started: datetime) -> None:
    record = {
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "recipe": recipe,
        "images": [
            {
                "file": str(item.path),
                "state": "failed" if item.error else "done",
                "objects": item.objects,
                "seconds": round(item.seconds, 3),
                "warnings": list(item.warnings),
                "error": item.error,
            }
            for item in items
        ],
    }
    write_text(path, json.dumps(record, indent=2) + "\n")
