"""Segment an image that does not fit in memory: the main job, as steps and as one call."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import BadSetting
from ...inference.frames import Frames, Index
from ...inference.predictor import Predictor
from ...inference.walk import say_concessions
from ...models import Model
from ...readwrite.images import ImageFile, open_image
from ...readwrite.omezarr import require_zarr
from ...steps import Progress, Step, Steps, run_to_end
from ..measure import PixelSize
from ..recipe import Recipe
from ..run import complete, open_predictor
from .describe import Description
from .objects import find_objects
from .output import Output
from .restored import Restorer, check_by_window, restored
from .result import LargeSegmentation
from .room import Room, Scratch, room
from .scale import look
from .source import Source, read_by_block

BLOCK = 1024
"""Side of the windows that objects are found in (px)."""


def segment_large_steps(
    frames: Frames,
    predictor: Predictor,
    recipe: Recipe,
    output: Output,
    block: int = BLOCK,
) -> Generator[Step, None, LargeSegmentation]:
    """Segment frames one after the other, each window by window.

    Parameters
    ----------
    frames : Frames
        The image; nothing is read of it but windows.
    predictor : Predictor
        The model, on its device.
    recipe : Recipe
        Complete settings.
    output : Output
        Where the results go.
    block : int
        Side of the windows that objects are found in (px). The result does not depend on it.

    Yields
    ------
    Step
        After every part of the work; whoever stops iterating cancels, and nothing is left behind.

    Returns
    -------
    LargeSegmentation
    """
    check_by_window(recipe.preparation(), recipe.model)
    restorer = Restorer.of(recipe, predictor)
    if not output.as_tiff:
        require_zarr()
    wanted = _wanted(frames, recipe)
    recipe = recipe.replace(
        axes=frames.axes,
        channel=frames.channel,
        frames=None if len(wanted) == math.prod(frames.leading_shape) else tuple(wanted),
    )
    with room(output.folder, block) as place:
        description = Description(frames, recipe, place.array(frames.shape, np.int32))
        blocks = read_by_block(frames)
        work = _segment(blocks, wanted, predictor, restorer, recipe, place, description)
        begun: set[Index] = set()
        done, index = 0, wanted[0] if wanted else ()
        for done, index in enumerate(work, start=1):
            begun.add(index)
            total = place.parts * len(wanted) // max(len(begun), 1)  # as if all were like these
            yield Step(done, max(total, done) + 1, index)
        found = description.close()
        writing = output.write(found, frames.leading_axes, recipe, place.folder)
        yield from (Step(done, done + 1, index) for _ in writing)
        yield Step(done + 1, done + 1, index)
    ran = [predictor] if restorer is None else [restorer.predictor, predictor]
    warnings = sum(map(say_concessions, ran), description.warnings(len(wanted)))
    return LargeSegmentation(frames, recipe, output.labels, found.polygons, found.table, warnings)


def _wanted(frames: Frames, recipe: Recipe) -> list[Index]:
    wanted = list(frames.indices() if recipe.frames is None else recipe.frames)
    if outside := set(wanted) - set(frames.indices()):
        raise BadSetting(
            f"There is no frame {min(outside)}", hint=f"Frames have shape {frames.leading_shape}."
        )
    return wanted


def _segment(
    frames: Frames,
    wanted: list[Index],
    predictor: Predictor,
    restorer: Restorer | None,
    recipe: Recipe,
    place: Room,
    found: Description,
) -> Iterator[Index]:
    """Add the objects of all frames to what was found; yields the frame after every part."""
    preparation, settings = recipe.preparation(), recipe.post_processing()
    for index in wanted:
        source = Source.of(frames, index)
        if len(wanted) == 1:
            source.check()
        if source.survey.is_constant:
            found.constant.append(index)
            place.expect(1)
            yield index
            continue
        seen, kept = source, list[Scratch]()
        if restorer is not None:
            restoring = Steps(restored(source, restorer, place))
            for _ in restoring:
                yield index
            seen, kept = restoring.result
        looks = Steps(look(predictor, seen, preparation, settings, place))
        for _ in looks:
            yield index
        for objects in find_objects(looks.result, settings, place, found.too_large):
            if objects is not None:
                found.add(index, source, objects)
            yield index
        for each in (looks.result.array, *kept):
            each.delete()
        found.nest(index)


def segment_large(
    image: Any,
    out: str | Path,
    model: str | Model = "unet",
    threshold: float = 0.5,
    *,
    pixel_size: PixelSize = None,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
    block: int = BLOCK,
    **settings: Any,
) -> LargeSegmentation:
    """Outline the spheroids in an image of any size, in bounded memory.

    The image is read, predicted, labelled and written by window; the result is that of `segment`,
    up to the numbers of the objects. Planes of more than 64 megapixels are seen at the scale that
    suits their objects, however large that makes them, where `segment` stops at 4096 px.

    Parameters
    ----------
    image : array, str or Path
        dask, zarr or numpy; or the path of an OME-Zarr or zarr folder, of a TIFF or another image,
        whose axes and pixel size then count where none are given.
    out : str or Path
        Folder for the results, made if need be: ``<stem>_labels.ome.zarr`` (of a TIFF
        ``<stem>_labels.tif``, tiled), ``<stem>_polygons.geojson``, ``<stem>_measurements.csv``.
        The stem is that of the path, or "image". What is between steps lies there, too.
    model, threshold, pixel_size, device, backend, precision, progress, cancel, **settings
        As in `segment`.
    block : int
        Side of the windows that objects are found in (px). The result does not depend on it.

    Returns
    -------
    LargeSegmentation
        With labels (read when they are sliced), polygons, table and recipe.

    Raises
    ------
    SpherosegError
        As of `segment`; also where the disk is full, and where zarr is needed and not installed:
        it comes with ``pip install "napari-spheroseg[large]"``.

    Examples
    --------
    >>> import napari_spheroseg as ss
    >>> result = ss.segment_large("slide.ome.zarr", "results")  # doctest: +SKIP
    >>> result.labels[:1000, :1000]  # doctest: +SKIP
    """
    if block < 16:
        raise BadSetting(f"Windows of {block} px are too small", hint="Use 256 or more.")
    path = Path(image) if isinstance(image, str | Path) else None
    file = ImageFile(image, settings.get("axes")) if path is None else open_image(path)  # type: ignore[arg-type]
    axes = settings.get("axes") or file.axes
    frames = Frames.of(file.data, axes, settings.get("channel"), settings.get("region"))
    predictor = open_predictor(model, device, backend, precision)
    recipe = complete(predictor, threshold, pixel_size or file.pixel_size, settings)
    output = Output.beside(path, Path(out))
    steps = segment_large_steps(frames, predictor, recipe, output, block)
    return run_to_end(steps, progress, cancel)
