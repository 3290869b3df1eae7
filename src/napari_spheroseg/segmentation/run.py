"""Segment an image: the main job, as a generator of events and as one call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inference.frames import Frames, Index
from ..inference.memory import log_memory
from ..inference.predictor import Predictor, TileDone
from ..inference.record import check_weights, made_with
from ..inference.shared import shared_predictor
from ..inference.tiles import count_tiles
from ..inference.walk import walk
from ..models import Model
from ..restoration.run import open_restorer, restore_if_blurred
from ..restoration.settings import RestorationRecipe
from ..restoration.spare import Restored, judge_of, open_judge
from ..steps import Progress, Step, Steps, run_to_end
from .focus import with_focus
from .measure import PixelSize
from .recipe import Recipe
from .result import Segmentation
from .scale import look

_log = logging.getLogger(__name__)
Plane = NDArray[Any]
Map = NDArray[np.float32]
Restore = Callable[[Plane], Generator[TileDone, None, Restored]]
RESTORATION = "restoration"
"""Where a recipe's ``made_with`` holds the checksum of the model that restored the focus."""


def segment_steps(
    frames: Frames,
    predictor: Predictor,
    recipe: Recipe,
    indices: Iterable[Index] | None = None,
) -> Generator[Step, None, Segmentation]:
    """Segment frames one after the other.

    Parameters
    ----------
    frames, indices
        As in `walk`.
    predictor : Predictor
        From `open_predictor`.
    recipe : Recipe
        Complete settings, from `complete`.

    Yields
    ------
    Step
        After every tile; whoever stops iterating cancels.

    Returns
    -------
    Segmentation
        Of the frames that were asked for. Where the recipe restores the focus, the model looks at
        restored frames, while intensities are measured on those of the image.

    Raises
    ------
    BadSetting, BadImage
        As `walk`; also where the recipe was made with other weights of the restoring model.
    """
    log_memory(_log, f"'{recipe.model}' begins to segment", device=predictor.device)
    restore, restorers = _open_restorer(recipe, predictor)
    walked = yield from walk(
        frames,
        indices,
        partial(_see, predictor=predictor, restore=restore, recipe=recipe),
        partial(_nothing, outputs=len(predictor.model.metadata.outputs)),
        predictor,
        recipe.preparation(),
    )
    recipe = recipe.replace(
        axes=frames.axes,
        channel=frames.channel,
        region=frames.region,
        frames=None if walked.whole else tuple(walked.results),
    )
    told = walked.warnings("see", [*restorers, predictor])
    return Segmentation(frames, walked.results, recipe, told)


def _open_restorer(recipe: Recipe, predictor: Predictor) -> tuple[Restore | None, list[Predictor]]:
    """What restores the frames before the model sees them, and the model that it does it with."""
    if recipe.restore is None:
        return None, []
    restorer = open_restorer(recipe.restore, *predictor.asked)
    metadata = restorer.model.metadata
    check_weights(metadata, recipe.made_with.get(RESTORATION))
    how = RestorationRecipe.of(metadata, restorer.model.reference, {})
    judge = open_judge(restorer, how.spare_sharp)
    return partial(restore_if_blurred, restorer, judge=judge, keep_range=how.keep_range), [restorer]


def _see(
    plane: Plane, predictor: Predictor, restore: Restore | None, recipe: Recipe
) -> Generator[TileDone, None, Map]:
    """Outputs of the model for a plane, (K, Y, X)."""
    preparation, before = recipe.preparation(), 0
    if restore is not None:
        after = count_tiles((plane.shape[0], plane.shape[1]), preparation)
        restoring = Steps(restore(plane))
        for tile in restoring:
            before = tile.total
            yield TileDone(tile.done, tile.total + after)
        plane = restoring.result.plane
    looks = Steps(look(predictor, plane, preparation, recipe.post_processing()))
    for tile in looks:
        yield TileDone(before + tile.done, before + tile.total)
    return looks.result


def _nothing(plane: Plane, outputs: int) -> Map:
    """Outputs for a plane in which there is nothing to see."""
    return np.zeros((outputs, *plane.shape[:2]), np.float32)


open_predictor = partial(shared_predictor, task="segmentation")
"""The shared predictor of a segmentation model, from its name, device, backend and precision."""


def complete(
    predictor: Predictor, threshold: float, pixel_size: PixelSize, settings: dict[str, Any]
) -> Recipe:
    """The recipe of a run: what the user set, completed by what the model recommends.

    Parameters
    ----------
    predictor : Predictor
        From `open_predictor`.
    threshold, pixel_size
        As in `segment`.
    settings : dict
        Any other field of `Recipe`. What an earlier run was ``made_with`` is compared.

    Raises
    ------
    BadSetting
        A setting is unknown or out of bounds, or a recipe was made with other weights.
    """
    metadata = predictor.model.metadata
    made = settings.get("made_with") or {}
    check_weights(metadata, made.get("sha256"))
    now = made_with(predictor)
    if settings.get("restore"):
        restorer = open_restorer(str(settings["restore"]), *predictor.asked).model
        check_weights(restorer.metadata, made.get(RESTORATION))
        now[RESTORATION] = restorer.metadata.sha256
        now |= judge_of(RestorationRecipe.of(restorer.metadata, restorer.reference, {}), made)
        settings = {**settings, "restore": restorer.reference}
    settings = {**settings, "made_with": now}
    return Recipe.of(metadata, predictor.model.reference, threshold, pixel_size, settings)


def segment(
    image: Any,
    model: str | Model = "unet",
    threshold: float = 0.5,
    *,
    pixel_size: PixelSize = None,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    focus: bool = False,
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
        "auto", "cuda", "cuda:1", "mps" or "cpu"; "gpu" for Intel's, with OpenVINO.
    backend : str
        "auto" (the fastest that is installed), "torch", "openvino" or "onnxruntime".
    precision : str
        "auto" (the fastest that keeps the labels), "float32", "bfloat16" or "float16".
    focus : bool
        Say how well objects are in focus: `focus_score` in the table, and the result's `focus`.
    progress : callable, optional
        Called with tiles done and tiles in all.
    cancel : callable, optional
        Asked after every tile; True stops.
    **settings
        ``axes`` (one letter an axis, like "TCYX"), ``channel``, ``frames`` (positions along the
        leading axes, by default all), ``region`` (first row, row after the last, first column,
        column after the last); ``restore`` (name or path of a model that restores the focus
        of each frame before this one looks at it; intensities are still measured on `image`);
        any field of `Preparation` and `PostProcessing`. What is not given is as the model
        recommends.

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
    given = (settings.get(name) for name in ("axes", "channel", "region"))
    frames = Frames.of(image, *given)
    predictor = open_predictor(model, device, backend, precision)
    recipe = complete(predictor, threshold, pixel_size, settings)
    steps = segment_steps(frames, predictor, recipe, recipe.frames)
    return run_to_end(_judged(steps, predictor) if focus else steps, progress, cancel)


def _judged(
    steps: Generator[Step, None, Segmentation], predictor: Predictor
) -> Generator[Step, None, Segmentation]:
    """Segment, then say what is in focus."""
    result = yield from steps
    return (yield from with_focus(result, predictor))
