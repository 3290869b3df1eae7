"""Segment many images, from files to tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadSetting
from ..segmentation.measure import PixelSize
from ..segmentation.run import complete, open_predictor
from ..tracking.motion import require_laptrack
from .beside import checksums
from .carry import ChangedRecipe, Existing, carry_out, ended, resumed
from .classes import check as check_classes
from .cluster import Where
from .items import File, Item, Source
from .names import pattern_of
from .outputs import check_outputs
from .pipeline import Event
from .settings import BatchSettings
from .stages import Job
from .tables import require_parquet

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["ChangedRecipe", "run_batch", "segment_files"]


def run_batch(
    sources: Sequence[Source],
    out: Path,
    model: str = "unet",
    threshold: float = 0.5,
    *,
    pixel_size: PixelSize = None,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    existing: Existing = "continue",
    client: Client | None = None,
    **settings: Any,
) -> Iterator[Event]:
    """Segment images into a folder; what an earlier run has done there is not done again.

    Parameters
    ----------
    sources : sequence of Source
        Images, as `File` or `Frame`.
    out : Path
        Made if need be; gets the outputs of each image, ``measurements.csv`` for all objects,
        ``images.csv``, ``run.json``, and the journal by which the same call goes on.
    model, threshold, pixel_size, device, backend, precision
        As in `segment`; without a pixel size each file's own.
    existing : {"continue", "resume", "overwrite"}
        What to do where the folder holds results: go on with them, but refuse to mix two recipes;
        go on with their recipe, whatever is asked for now; or delete them and begin anew.
    client : Client, optional
        Of dask.distributed: its workers do the work. See `connect`.
    **settings
        Fields of `BatchSettings`; all others as in `segment`.

    Yields
    ------
    Event
        As images are skipped, go on, are done and fail; one that fails does not stop the others.

    Raises
    ------
    ChangedRecipe
        The folder's results were made in another way.
    SpherosegError
        The model, the device or a setting cannot be used, the folder cannot be written, holds
        results of another task, or another process is writing into it.
    """
    wanted = BatchSettings(
        **{name: settings.pop(name) for name in BatchSettings.model_fields if name in settings}
    )
    settings |= {"threshold": threshold, "pixel_size": pixel_size}
    model, settings, written = resumed(existing, out, Job.task, model, settings)
    wanted = wanted.replace(
        **{name: written[name] for name in BatchSettings.model_fields if name in written}
    )
    _check(wanted)
    predictor = open_predictor(model, device, backend, precision)
    threshold, pixel_size = settings.pop("threshold"), settings.pop("pixel_size")
    recipe = complete(predictor, threshold, pixel_size, settings)
    job = Job(out, recipe, wanted, checksums(wanted, predictor))
    where = Where(device, backend, precision)
    yield from carry_out(sources, job, predictor, where, existing, client)


def segment_files(
    paths: Iterable[Path], out: Path, *recipe: Any, **settings: Any
) -> Iterator[Item]:
    """Segment files into a folder; what an earlier run has done there is not done again.

    Parameters
    ----------
    paths : iterable of Path
        Image files, and folders of zarr.
    out : Path
        For the results; made if need be.
    *recipe, **settings
        As of `run_batch`: ``model``, ``threshold``, ``pixel_size``, ``outputs``, ...

    Yields
    ------
    Item
        After every file that is done, skipped or has failed.
    """
    yield from ended(run_batch([File(path) for path in paths], out, *recipe, **settings))


def _check(settings: BatchSettings) -> None:
    """Complain before the work, not after it."""
    check_outputs(settings.outputs)
    check_classes(settings.classify, settings.outputs)
    if settings.pattern not in ("auto", "none"):
        pattern_of(settings.pattern)
    if settings.table == "parquet":
        require_parquet()
    if settings.track == "motion":
        require_laptrack()
    if settings.track != "no" and not {"labels", "zarr"} & set(settings.outputs):
        raise BadSetting(
            "Objects are followed through time by their labels",
            hint="Write labels or zarr, too.",
        )
