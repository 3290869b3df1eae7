"""Segment an image: the main job, as a generator of events and as one call."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import BadSetting, Cancelled
from ..inference.frames import Frames, Index
from ..inference.predictor import Predictor, count_tiles, shared_predictor
from ..inference.prepare import is_constant
from ..models import Model, load
from .recipe import Recipe, versions
from .result import Segmentation

Progress = Callable[[int, int], Any]


@dataclass(frozen=True)
class Step:
    """Progress of a run, in tiles over all frames."""

    done: int
    total: int
    frame: Index


def segment_steps(
    frames: Frames,
    predictor: Predictor,
    recipe: Recipe,
    indices: Iterable[Index] | None = None,
) -> Generator[Step, None, Segmentation]:
    """Segment frames one after the other.

    Parameters
    ----------
    frames : Frames
        The image.
    predictor : Predictor
        The model, on its device.
    recipe : Recipe
        Complete settings.
    indices : iterable of tuple, optional
        Frames to segment; by default all.

    Yields
    ------
    Step
        After every tile; whoever stops iterating cancels.

    Returns
    -------
    Segmentation
        Of the frames that were asked for.
    """
    wanted = list(frames.indices() if indices is None else indices)
    preparation = recipe.preparation()
    tiles = count_tiles(frames.plane_shape, preparation)
    maps: dict[Index, np.ndarray] = {}
    constant: list[Index] = []
    for number, index in enumerate(wanted):
        plane = frames[index]
        if is_constant(plane):
            constant.append(index)
            maps[index] = np.zeros(frames.plane_shape, np.float32)
            yield Step((number + 1) * tiles, len(wanted) * tiles, index)
            continue
        steps = predictor.predict(plane, preparation)
        while True:
            try:
                tile = next(steps)
            except StopIteration as stop:
                maps[index] = stop.value[0]
                break
            yield Step(number * tiles + tile.done, len(wanted) * tiles, index)
    return Segmentation(frames, maps, recipe, _warn(constant, len(wanted)))


def plan(
    image: Any,
    model: str | Model,
    threshold: float,
    pixel_size: Any,
    device: str,
    backend: str,
    settings: dict[str, Any],
) -> tuple[Frames, Predictor, Recipe]:
    """Check everything that a run needs, and load the model.

    Returns
    -------
    Frames, Predictor, Recipe
        For `segment_steps`.

    Raises
    ------
    SpherosegError
        The image, the model, a setting or the device cannot be used.
    """
    settings = dict(settings)
    made_with = settings.pop("made_with", None) or {}
    frames = Frames.of(image, settings.pop("axes", None), settings.pop("channel", None))
    name = model.metadata.name if isinstance(model, Model) else str(model)
    opened = model if isinstance(model, Model) else load(model)
    metadata = opened.metadata
    if metadata.task != "segmentation":
        raise BadSetting(
            f"'{name}' is a model for {metadata.task}", hint="Choose one for segmentation."
        )
    made = made_with.get("sha256")
    if made and metadata.sha256 and made != metadata.sha256:
        raise BadSetting(
            f"The recipe was made with other weights of '{name}'",
            hint="Install those, or leave out made_with to run it with these.",
        )
    source = {"axes": frames.axes, "channel": frames.channel}
    recipe = Recipe.of(metadata, name, threshold, pixel_size, settings, **source)
    predictor = shared_predictor(opened, device, backend)
    made_with = {
        "sha256": metadata.sha256,
        "device": predictor.device,
        "backend": predictor.backend,
        "versions": versions(),
    }
    return frames, predictor, recipe.replace(made_with=made_with)


def segment(
    image: Any,
    model: str | Model = "unet",
    threshold: float = 0.5,
    *,
    pixel_size: float | tuple[float, float] | None = None,
    device: str = "auto",
    backend: str = "auto",
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
    **settings: Any,
) -> Segmentation:
    """Outline the spheroids in an image.

    Parameters
    ----------
    image : array
        numpy, dask or zarr; (Y, X), RGB(A) (Y, X, 3 or 4), or a stack with leading axes. 8 or
        16 bit, or float.
    model : str or Model
        A name from `models.available`, a path, or an opened model.
    threshold : float
        In [0, 1]; pixels of a higher probability belong to an object.
    pixel_size : float or (float, float), optional
        µm per pixel, or height and width of one; then measures are in µm.
    device : str
        "auto", "cuda", "cuda:1", "mps" or "cpu".
    backend : str
        "auto" or "torch".
    progress : callable, optional
        Called with tiles done and tiles in all.
    cancel : callable, optional
        Asked after every tile; True stops.
    **settings
        ``axes`` (one letter an axis, like "TCYX") and ``channel``; any field of `Preparation`
        and `PostProcessing`. What is not given is as the model recommends.

    Returns
    -------
    Segmentation
        With probability, labels, polygons, table and recipe.

    Raises
    ------
    SpherosegError
        The image, the model, a setting or the device cannot be used, or `Cancelled`.

    Examples
    --------
    >>> import napari_spheroseg as ss
    >>> result = ss.segment(image, "unet", pixel_size=0.65)  # doctest: +SKIP
    >>> result.table["equivalent_diameter_um"].mean()  # doctest: +SKIP
    """
    steps = segment_steps(*plan(image, model, threshold, pixel_size, device, backend, settings))
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            result: Segmentation = stop.value
            return result
        if progress is not None:
            progress(step.done, step.total)
        if cancel is not None and cancel():
            steps.close()
            raise Cancelled()


def _warn(constant: list[Index], total: int) -> tuple[str, ...]:
    if not constant:
        return ()
    if total == 1:
        return ("The image is constant: there is nothing to see in it",)
    return (f"{len(constant)} of {total} frames are constant: there is nothing to see in them",)
