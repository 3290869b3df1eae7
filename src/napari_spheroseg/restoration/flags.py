"""Places that a detector of a collection flags, such as those that are out of focus."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..inference.devices import choose
from ..inference.frames import Frames, Index, as_grey
from ..inference.predictor import TileDone
from ..inference.walk import walk
from ..models.collections.detectors import Boxes, Detector
from ..steps import Progress, Step, run_to_end
from .grid import Grid

if TYPE_CHECKING:
    import pandas as pd

_TOGETHER = 4  # tiles, as HiTMicTools hands them over
_NOTHING = Boxes.of([], [], [])


@dataclass(frozen=True, eq=False)
class Flags:
    """Places of an image that a detector flagged.

    Attributes
    ----------
    frames : Frames
        The image.
    boxes : mapping of tuple to Boxes
        Of every frame that was looked at; in pixels of the frame.
    detector : Detector
    warnings : tuple of str
        What the user should know.
    """

    frames: Frames
    boxes: Mapping[Index, Boxes]
    detector: Detector
    warnings: tuple[str, ...] = ()

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a box: its frame, its sides in pixels of the image, class and score."""
        import pandas as pd

        axes = self.frames.leading_axes.lower()
        corner = _moved_by(*self.frames.corner)
        rows = [
            {
                **dict(zip(axes, index, strict=True)),
                **dict(zip(_SIDES, sides + corner, strict=True)),
                "class": self.detector.name_of(int(number)),
                "score": score,
            }
            for index, found in self.boxes.items()
            for sides, number, score in zip(*found, strict=True)
        ]
        return pd.DataFrame(rows, columns=[*axes, *_SIDES, "class", "score"])

    def mask(self, index: Index = (), classes: Collection[str] | None = None) -> NDArray[np.bool_]:
        """Where a frame is flagged, (Y, X).

        Parameters
        ----------
        index : tuple of int
            The frame.
        classes : collection of str, optional
            Those that count; by default all.
        """
        flagged = np.zeros(self.frames.plane_shape, bool)
        found = self.boxes[index]
        for (left, top, right, bottom), number in zip(found.sides, found.classes, strict=True):
            if classes is None or self.detector.name_of(int(number)) in classes:
                rows = slice(int(np.floor(top)), int(np.ceil(bottom)))
                flagged[rows, int(np.floor(left)) : int(np.ceil(right))] = True
        return flagged


_SIDES = ("left_px", "top_px", "right_px", "bottom_px")


def _moved_by(y: int, x: int) -> NDArray[np.float64]:
    """What is added to the sides of boxes in a part of a plane that begins there."""
    return np.array((x, y, x, y), np.float64)


def flag_plane(
    detector: Detector, plane: NDArray[Any], device: str = "cpu"
) -> Generator[TileDone, None, Boxes]:
    """Flag places of one plane, tile by tile.

    Parameters
    ----------
    detector : Detector
        From a collection's `detector`.
    plane : ndarray, (Y, X) or (Y, X, 3)
        Grey values of any real type; from the least to the greatest, the detector sees 0 to 1.
    device : str
        As torch names it.

    Yields
    ------
    TileDone
        After every few tiles; whoever stops iterating cancels.

    Returns
    -------
    Boxes
        Each place once; in pixels of the plane.
    """
    settings, (height, width) = detector.settings, plane.shape[:2]
    step = max(1, int(settings.tile * (1 - settings.overlap)))
    corners = list(product(*Grid((height, width), settings.tile, step).starts))
    unit = _unit(as_grey(plane))
    more = [(0, max(0, settings.tile - length)) for length in unit.shape]
    colours = np.repeat(np.pad(unit, more)[..., None], 3, axis=-1)
    parts = [_NOTHING]
    for first in range(0, len(corners), _TOGETHER):
        together = corners[first : first + _TOGETHER]
        tiles = [colours[y : y + settings.tile, x : x + settings.tile] for y, x in together]
        for (y, x), found in zip(together, detector.find(tiles, device), strict=True):
            parts.append(found._replace(sides=found.sides + _moved_by(y, x)))
        yield TileDone(first + len(together), len(corners))
    boxes = Boxes(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    boxes = boxes._replace(sides=np.clip(boxes.sides, 0, (width, height, width, height)))
    return _once(boxes, settings.most_overlap)


def _unit(grey: NDArray[Any]) -> NDArray[np.float32]:
    """From 0 to 1; what is no number is 0."""
    values = grey.astype(np.float64)
    finite = np.isfinite(values)
    low, high = values[finite].min(), values[finite].max()
    values[~finite] = low
    unit = (values - low) / max(high - low, np.finfo(float).tiny)
    return np.asarray(unit, np.float32)


def _once(boxes: Boxes, most_overlap: float) -> Boxes:
    """Of boxes of a class that overlap by more than this part of their union, the best."""
    order = list(np.argsort(-boxes.scores, kind="stable"))
    area = np.prod(boxes.sides[:, 2:] - boxes.sides[:, :2], axis=1)
    kept = []
    while order:
        best, rest = order[0], np.array(order[1:], int)
        kept.append(best)
        low = np.maximum(boxes.sides[best, :2], boxes.sides[rest, :2])
        high = np.minimum(boxes.sides[best, 2:], boxes.sides[rest, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        other = boxes.classes[rest] != boxes.classes[best]
        order = list(rest[other | (shared <= most_overlap * (area[rest] + area[best] - shared))])
    return Boxes(*(each[np.array(kept, int)] for each in boxes))


def flag_steps(
    frames: Frames,
    detector: Detector,
    device: str = "cpu",
    indices: Iterable[Index] | None = None,
) -> Generator[Step, None, Flags]:
    """Flag places of frames, one after the other.

    Parameters
    ----------
    frames, indices
        As in `walk`.
    detector, device
        As in `flag_plane`.

    Yields
    ------
    Step
        After every few tiles; whoever stops iterating cancels.

    Returns
    -------
    Flags
    """
    see = partial(flag_plane, detector, device=device)
    walked = yield from walk(frames, indices, see, lambda _: _NOTHING)
    return Flags(frames, walked.results, detector, walked.warnings("see", []))


def flag_places(
    image: Any,
    detector: Detector,
    *,
    axes: str | None = None,
    channel: int | None = None,
    region: tuple[int, int, int, int] | None = None,
    frames: Iterable[Index] | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Flags:
    """Find the places of an image that a detector of a collection flags.

    Parameters
    ----------
    image : array
        As in `focus_score`.
    detector : Detector
        From a collection's `detector`.
    axes, channel, region, frames, progress, cancel
        As in `focus_score`.
    device : str
        "auto", "cuda", "cuda:1" or "cpu". It does not run on MPS: the CPU takes its place.

    Returns
    -------
    Flags
        With a table of boxes and a mask of each frame.

    Raises
    ------
    SpherosegError
        The image, the detector, a setting or the device cannot be used, or `Cancelled`.

    Warns
    -----
    UserWarning
        There was nothing to see in frames.

    Examples
    --------
    >>> import napari_spheroseg as ss
    >>> from napari_spheroseg.restoration.flags import flag_places
    >>> detector = ss.models.open_collection("c.zip").detector("oof_detector")  # doctest: +SKIP
    >>> flag_places(image, detector).table  # doctest: +SKIP
    """
    chosen = choose(device)
    steps = flag_steps(
        Frames.of(image, axes, channel, region),
        detector,
        "cpu" if chosen == "mps" else chosen,
        frames,
    )
    flags = run_to_end(steps, progress, cancel)
    for told in flags.warnings:
        warnings.warn(told, UserWarning, stacklevel=2)
    return flags
