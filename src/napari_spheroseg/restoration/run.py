"""Restore the focus of an image, as a generator of steps and as one call."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WrongWeights
from ..inference.frames import Frames, Index
from ..inference.memory import log_memory
from ..inference.predictor import Predictor, TileDone
from ..inference.prepare import has_no_number, is_constant, scaling_of, with_grey_range
from ..inference.record import check_weights, made_with
from ..inference.shared import shared_predictor
from ..inference.tiles import count_tiles
from ..inference.walk import walk
from ..models import Model, Preparation
from ..steps import Progress, Step, Steps, run_to_end
from .result import Restoration
from .settings import RestorationRecipe
from .spare import Restored, judge_of, judged, mix, open_judge
from .values import as_type, keep_gaps, unchanged, within_range

_log = logging.getLogger(__name__)


open_restorer = partial(shared_predictor, task="restoration")
"""The shared predictor of a restoration model; that of a segmentation model is kept beside it."""


def complete(predictor: Predictor, settings: dict[str, Any]) -> RestorationRecipe:
    """The recipe of a run: what the user set, completed by what the model recommends.

    Parameters
    ----------
    predictor : Predictor
        From `open_restorer`.
    settings : dict
        Fields of `RestorationRecipe`. What an earlier run was ``made_with`` is compared.

    Raises
    ------
    BadSetting
        A setting is unknown or out of bounds, or a recipe was made with other weights.
    """
    metadata = predictor.model.metadata
    recorded = settings.get("made_with") or {}
    check_weights(metadata, recorded.get("sha256"))
    made = made_with(predictor)
    recipe = RestorationRecipe.of(metadata, predictor.model.reference, settings)
    made |= judge_of(recipe, recorded)
    whole: RestorationRecipe = recipe.replace(made_with=made)
    return whole


def restore_plane(
    predictor: Predictor,
    plane: NDArray[Any],
    preparation: Preparation | None = None,
    *,
    rescale: bool = True,
) -> Generator[TileDone, None, NDArray[Any]]:
    """Restore one plane, tile by tile.

    Parameters
    ----------
    predictor : Predictor
        From `open_restorer`.
    plane : ndarray, (Y, X) or (Y, X, 3)
        Grey values of any real type. Of RGB each sample is restored by itself, unless the network
        takes colours.
    preparation : Preparation, optional
        By default the model's own.
    rescale : bool
        Return to the grey values and the type of the plane: integers are rounded and cut off at
        the ends of their type. Otherwise float32 in the network's range.

    Yields
    ------
    TileDone
        After every tile; whoever stops iterating cancels.

    Returns
    -------
    ndarray
        Of the plane's shape. Pixels that are no numbers stay what they are; so does a plane that
        is constant.

    Raises
    ------
    WrongWeights
        The network makes another number of maps than it takes channels.
    OutOfMemory
        Even the smallest tiles do not fit.
    """
    preparation = preparation or predictor.model.metadata.preparation
    if has_no_number(plane) or is_constant(plane):
        yield TileDone(1, 1)
        return unchanged(plane, preparation, rescale=rescale)
    if plane.ndim == 3 and preparation.channels == 1:
        return (yield from _each_sample(predictor, plane, preparation, rescale=rescale))
    preparation = with_grey_range(preparation, plane)
    maps = yield from predictor.predict(plane, preparation)
    if len(maps) != preparation.channels:
        raise WrongWeights(
            f"'{predictor.model.metadata.name}' makes {len(maps)} maps of "
            f"{preparation.channels} channels: that is no restoration",
            hint="Choose another model.",
        )
    restored = scaling_of(plane, preparation).grey(maps) if rescale else maps
    restored = restored.transpose(1, 2, 0) if plane.ndim == 3 else restored.mean(axis=0)
    return keep_gaps(as_type(restored, plane.dtype if rescale else np.dtype(np.float32)), plane)


def restore_if_blurred(
    predictor: Predictor,
    plane: NDArray[Any],
    preparation: Preparation | None = None,
    *,
    judge: Predictor | None = None,
    rescale: bool = True,
    keep_range: bool = False,
) -> Generator[TileDone, None, Restored]:
    """Restore one plane as far as it is out of focus.

    Parameters
    ----------
    predictor, plane, preparation, rescale
        As in `restore_plane`.
    judge : Predictor, optional
        From `open_judge`; without it, the plane is restored in any case.
    keep_range : bool
        Cut off what is darker or brighter than all of the plane, unless it is not rescaled.

    Yields
    ------
    TileDone
        After every tile; whoever stops iterating cancels.

    Returns
    -------
    Restored

    Raises
    ------
    WrongWeights, OutOfMemory
        As `restore_plane`.
    """
    preparation = preparation or predictor.model.metadata.preparation
    tiles = count_tiles((plane.shape[0], plane.shape[1]), preparation)
    share = yield from judged(judge, plane, tiles)
    if share == 0:
        yield TileDone(tiles, tiles)
        return Restored(plane.copy(), share)
    restored = yield from restore_plane(predictor, plane, preparation, rescale=rescale)
    if keep_range and rescale:
        restored = keep_gaps(within_range(restored, plane), plane)
    return Restored(mix(plane, restored, share), share)


def _each_sample(
    predictor: Predictor, plane: NDArray[Any], preparation: Preparation, *, rescale: bool
) -> Generator[TileDone, None, NDArray[Any]]:
    """Samples of RGB one after the other, for a network that takes grey."""
    count, tiles = plane.shape[2], count_tiles((plane.shape[0], plane.shape[1]), preparation)
    restored = []
    for sample in range(count):
        steps = Steps(restore_plane(predictor, plane[..., sample], preparation, rescale=rescale))
        for tile in steps:
            yield TileDone(sample * tiles + min(tile.done, tiles), count * tiles)
        restored.append(steps.result)
    return np.stack(restored, axis=-1)


def restore_steps(
    frames: Frames,
    predictor: Predictor,
    recipe: RestorationRecipe,
    indices: Iterable[Index] | None = None,
) -> Generator[Step, None, Restoration]:
    """Restore frames one after the other; of the image, one frame at a time is read.

    Parameters
    ----------
    frames, indices
        As in `walk`.
    predictor : Predictor
        From `open_restorer`.
    recipe : RestorationRecipe
        Complete settings, from `complete`.

    Yields
    ------
    Step
        After every tile; whoever stops iterating cancels.

    Returns
    -------
    Restoration
        Of the frames that were asked for.

    Raises
    ------
    BadSetting, BadImage
        As `walk`.
    """
    log_memory(_log, f"'{recipe.model}' begins to restore", device=predictor.device)
    judge = open_judge(predictor, recipe.spare_sharp and recipe.rescale)
    how = {"preparation": recipe.preparation(), "rescale": recipe.rescale}
    walked = yield from walk(
        frames,
        indices,
        partial(restore_if_blurred, predictor, judge=judge, keep_range=recipe.keep_range, **how),
        lambda plane: Restored(unchanged(plane, **how), 1.0),
        predictor,
        recipe.preparation(),
    )
    recipe = recipe.replace(
        axes=frames.axes,
        channel=frames.channel,
        region=frames.region,
        frames=None if walked.whole else tuple(walked.results),
    )
    planes = {index: each.plane for index, each in walked.results.items()}
    shares = {index: each.share for index, each in walked.results.items()}
    told = walked.warnings("restore", [predictor])
    return Restoration(frames, planes, recipe, told, shares)


def restore_focus(
    image: Any,
    model: str | Model = "nafnet",
    *,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
    **settings: Any,
) -> NDArray[Any]:
    """Make an image that is out of focus sharper.

    Parameters
    ----------
    image : array
        numpy, dask or zarr; (Y, X), RGB(A) (Y, X, 3 or 4), or a stack with leading axes, of any
        real type. It is read frame by frame.
    model : str or Model
        A name from `models.available`, a path, or an opened model.
    device, backend, precision
        As in `segment`; "auto" computes in float32, or as the model asks.
    progress : callable, optional
        Called with tiles done and tiles in all.
    cancel : callable, optional
        Asked after every tile; True stops.
    **settings
        ``axes`` (one letter an axis, like "TCYX"), ``channel``, ``frames`` (positions along the
        leading axes, by default all), ``region`` (first row, row after the last, first column,
        column after the last); ``rescale``, ``spare_sharp``, ``keep_range`` (fields of
        `RestorationRecipe`); any field of `Preparation`. What is not
        given is as the model recommends.

    Returns
    -------
    ndarray
        Leading axes, Y, X and, of RGB, the samples: of a channel the channel alone, of a region
        the region alone; frames that were not asked for are 0. Its type is the image's, and its
        grey values are in the image's units; with ``keep_range``, as `nafnet` has it, none is
        darker or brighter than all of its plane, and otherwise they are cut off at the ends of
        the type only. With ``rescale=False``, float32 in the network's range.

        Samples of RGB are restored one by one, alpha is kept; pixels that are no numbers stay
        what they are, and a constant image comes back as it is, with a warning.

    Raises
    ------
    SpherosegError
        The image, the model, a setting or the device cannot be used, or `Cancelled`.

    Warns
    -----
    UserWarning
        The image, or frames of it, are constant; or memory ran out and it went on otherwise.

    Examples
    --------
    >>> import napari_spheroseg as ss
    >>> sharper = ss.restore_focus(image)  # doctest: +SKIP
    >>> result = ss.segment(image, "unet", restore="nafnet")  # doctest: +SKIP
    """
    frames = Frames.of(image, *(settings.get(name) for name in ("axes", "channel", "region")))
    predictor = open_restorer(model, device, backend, precision)
    recipe = complete(predictor, settings)
    steps = restore_steps(frames, predictor, recipe, recipe.frames)
    restoration = run_to_end(steps, progress, cancel)
    for told in restoration.warnings:
        warnings.warn(told, UserWarning, stacklevel=2)
    return restoration.image
