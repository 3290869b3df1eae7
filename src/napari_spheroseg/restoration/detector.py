"""Say how well an image is in focus: tile by tile, as a generator of steps and as one call."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inference.frames import Frames, Index
from ..inference.predictor import Predictor, TileDone
from ..inference.prepare import prepare
from ..inference.record import made_with
from ..inference.shared import shared_predictor
from ..inference.walk import walk
from ..models import Model, Preparation
from ..steps import Progress, Step, run_to_end
from .content import content
from .focus import FieldFocus, FocusScore
from .grid import Grid
from .sharpness import SHARPNESS, sharpness

Float = NDArray[np.float32]
_TOGETHER = 32
"""Tiles that are handed to the network at a time: always as many, for OpenVINO compiles it anew for
every number, which takes longer than to run it; and no more than the processor's cache holds."""


def open_detector(
    model: str | Model = "focus_detector",
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
) -> Predictor:
    """The shared predictor of a focus detector."""
    return shared_predictor(model, device, backend, precision, task="focus")


def judge_plane(
    predictor: Predictor, plane: NDArray[Any], preparation: Preparation | None = None
) -> Generator[TileDone, None, FieldFocus]:
    """Score the tiles of one plane.

    Parameters
    ----------
    predictor : Predictor
        From `open_detector`.
    plane : ndarray, (Y, X) or (Y, X, 3)
        Grey values of any real type.
    preparation : Preparation, optional
        By default the model's own. Its tile is that of the scores, its overlap says how near they
        lie.

    Yields
    ------
    TileDone
        After every batch of tiles; whoever stops iterating cancels.

    Returns
    -------
    FieldFocus

    Raises
    ------
    BadImage
        No value is finite.
    """
    preparation = preparation or predictor.model.metadata.preparation
    prepared = prepare(plane, preparation)
    grid = grid_of((prepared.shape[1], prepared.shape[2]), preparation)
    held = content(prepared.mean(axis=0), grid)
    scores = np.full(held.shape, np.nan)
    seen = np.argwhere(held > 0)  # what is empty is not asked about
    for done, (where, tiles) in _batches(grid.pad(prepared), grid, seen):
        scores[tuple(where.T)] = _sigmoid(predictor.scores(tiles)[: len(where), 0])
        yield TileDone(done, len(seen))
    if not len(seen):
        yield TileDone(1, 1)
    measures = {name: sharpness(plane, name) for name in SHARPNESS}
    return FieldFocus(grid, scores, held, measures)


def unseen(plane: NDArray[Any], preparation: Preparation) -> FieldFocus:
    """What is said of a plane in which there is nothing to see: NaN throughout."""
    grid = grid_of((plane.shape[0], plane.shape[1]), preparation)
    none = np.full(tuple(len(each) for each in grid.starts), np.nan)
    return FieldFocus(grid, none, np.zeros_like(none), dict.fromkeys(SHARPNESS, float("nan")))


def grid_of(shape: tuple[int, int], preparation: Preparation) -> Grid:
    """Where the tiles of a prepared plane lie."""
    tile = preparation.tile or min(shape)
    return Grid(shape, tile, max(1, round(tile * (1 - preparation.overlap))))


def _batches(
    padded: Float, grid: Grid, seen: NDArray[np.intp]
) -> Iterator[tuple[int, tuple[NDArray[np.intp], Float]]]:
    """How many tiles are done after this batch; which they are, and the tiles (B, C, y, x).

    What the last batch lacks of `_TOGETHER` is 0.
    """
    rows, columns = grid.starts
    side = grid.tile
    for first in range(0, len(seen), _TOGETHER):
        where = seen[first : first + _TOGETHER]
        tiles = np.zeros((_TOGETHER, len(padded), side, side), np.float32)
        for tile, (row, column) in zip(tiles, where, strict=False):
            y, x = rows[row], columns[column]
            tile[:] = padded[:, y : y + side, x : x + side]
        yield first + len(where), (where, tiles)


def _sigmoid(logits: Float) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -60, 60)))


def focus_steps(
    frames: Frames,
    predictor: Predictor,
    preparation: Preparation | None = None,
    indices: Iterable[Index] | None = None,
) -> Generator[Step, None, FocusScore]:
    """Score frames one after the other; of the image, one frame at a time is read.

    Parameters
    ----------
    frames, indices
        As in `walk`.
    predictor : Predictor
        From `open_detector`.
    preparation : Preparation, optional
        By default the model's own.

    Yields
    ------
    Step
        After every batch of tiles; whoever stops iterating cancels.

    Returns
    -------
    FocusScore

    Raises
    ------
    BadSetting, BadImage
        As `walk`; also where tiles do not cover a frame.
    """
    metadata = predictor.model.metadata
    preparation = preparation or metadata.preparation
    walked = yield from walk(
        frames,
        indices,
        partial(judge_plane, predictor, preparation=preparation),
        partial(unseen, preparation=preparation),
    )
    recipe = {
        "model": predictor.model.reference,
        "axes": frames.axes,
        "channel": frames.channel,
        "region": frames.region,
        **preparation.model_dump(mode="json", exclude_defaults=True),
        "made_with": made_with(predictor),
    }
    told = walked.warnings("judge", [predictor])
    empty = sum(not field.held.any() for field in walked.results.values()) - len(walked.constant)
    if empty:
        told += (f"{empty} of {len(walked.results)} frames show nothing: they have no focus score",)
    return FocusScore(frames, walked.results, metadata.threshold, recipe, told)


def focus_score(
    image: Any,
    model: str | Model = "focus_detector",
    *,
    axes: str | None = None,
    channel: int | None = None,
    region: tuple[int, int, int, int] | None = None,
    frames: Iterable[Index] | None = None,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
    **settings: Any,
) -> FocusScore:
    """Say how well an image is in focus.

    Parameters
    ----------
    image : array
        numpy, dask or zarr; (Y, X), RGB(A) (Y, X, 3 or 4), or a stack with leading axes, of any
        real type. It is read frame by frame.
    model : str or Model
        A name from `models.available`, a path, or an opened model.
    axes : str, optional
        One letter an axis, like "TZYX".
    channel : int, optional
        Channel to look at.
    region : tuple of int, optional
        Part to look at: first row, row after the last, first column, column after the last.
    frames : iterable of tuple of int, optional
        Positions along the leading axes; by default all.
    device, backend, precision
        As in `segment`.
    progress : callable, optional
        Called with tiles done and tiles in all.
    cancel : callable, optional
        Asked after every batch of tiles; True stops.
    **settings
        Any field of `Preparation`, for instance ``tile`` (side in pixels), ``overlap`` (part that
        a tile shares with the next) or ``scale`` (0.5 for an image whose finest detail spans
        several pixels). What is not given is as the model recommends.

    Returns
    -------
    FocusScore
        With the score of each frame, a map, a table and `is_sharp`.

    Raises
    ------
    SpherosegError
        The image, the model, a setting or the device cannot be used, or `Cancelled`.

    Warns
    -----
    UserWarning
        There was nothing to see in frames, or memory ran out and it went on otherwise.

    Examples
    --------
    >>> import napari_spheroseg as ss
    >>> focus = ss.focus_score(image)  # doctest: +SKIP
    >>> focus.score, focus.is_sharp()  # doctest: +SKIP
    """
    seen = Frames.of(image, axes, channel, region)
    predictor = open_detector(model, device, backend, precision)
    preparation = predictor.model.metadata.preparation.replace(**settings)
    steps = focus_steps(seen, predictor, preparation, frames)
    result = run_to_end(steps, progress, cancel)
    for told in result.warnings:
        warnings.warn(told, UserWarning, stacklevel=2)
    return result
