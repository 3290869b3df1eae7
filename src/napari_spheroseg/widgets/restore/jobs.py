"""What the buttons do, as generators for the worker's thread."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from napari.layers import Image
from numpy.typing import NDArray

from ... import models
from ...errors import BadImage
from ...inference.frames import Frames, Index
from ...restoration.before_after import BeforeAfter, compare_planes
from ...restoration.depth import Depth
from ...restoration.focus import FocusScore
from ...restoration.join import continues, joined
from ...restoration.result import Restoration
from ...restoration.stack import extended_depth_of_field, sharpest_plane
from ...segmentation.difference import Difference
from ..where import Where
from .stepped import stepped

Steps = Generator[Any, None, Any]
Plane = NDArray[Any]
SHARPEST, FUSED = "sharpest plane", "extended depth of field"


@dataclass(frozen=True, eq=False)
class RestoreJob:
    """Everything that a run needs, so that nothing on screen is read in the thread.

    Attributes
    ----------
    image, frames, indices, model, where, threads
        As of the segment widget's `Job`.
    settings : dict
        Fields of `RestorationRecipe`.
    previous : Restoration or None
        Result that this one joins, if they are made in the same way.
    """

    image: Image
    frames: Frames
    indices: list[Index] | None
    model: str
    where: Where
    threads: int
    settings: dict[str, Any]
    previous: Restoration | None = None

    def steps(self) -> Generator[Any, None, Restoration]:
        """Load and restore."""
        from ...inference.devices import use_threads
        from ...restoration.run import complete, open_restorer, restore_steps

        use_threads(self.threads)
        predictor = open_restorer(self.model, *self.where)
        recipe = complete(predictor, self.settings)
        result = yield from restore_steps(self.frames, predictor, recipe, self.indices)
        if self.previous is not None and continues(self.previous, result):
            result = joined(self.previous, result)
        _ = result.image  # the layer's array is put together here, not in the GUI thread
        return result


@dataclass(frozen=True, eq=False)
class RealPlane:
    """A plane that comes of a z-stack.

    Attributes
    ----------
    image : napari.layers.Image
    what : str
        "sharpest plane" or "extended depth of field".
    plane : ndarray
    axis : str
        Letter of the axis that was gone through.
    at : tuple of int
        Position along all leading axes; of the sharpest plane, its own.
    frames : Frames
    """

    image: Image
    what: str
    plane: Plane
    axis: str
    at: Index
    frames: Frames

    @property
    def number(self) -> int:
        """Of the plane, from 0."""
        return self.at[self.frames.leading_axes.index(self.axis)]

    @property
    def recipe(self) -> dict[str, Any]:
        """Where it comes from."""
        frames = self.frames
        how = {"made_by": self.what, "axes": frames.axes, "channel": frames.channel}
        return {**how, "through": self.axis, "at": list(self.at)}


def sharpest_steps(image: Image, depth: Depth) -> Steps:
    """The sharpest plane of a stack."""
    found = yield from stepped(lambda told: sharpest_plane(depth, progress=told))
    at = depth.index(found.index)
    return RealPlane(image, SHARPEST, depth[found.index], depth.axis, at, depth.frames)


def fused_steps(image: Image, depth: Depth) -> Steps:
    """One plane with the sharp parts of all."""
    fused = yield from stepped(lambda told: extended_depth_of_field(depth, progress=told))
    return RealPlane(image, FUSED, fused.image, depth.axis, depth.at, depth.frames)


def focus_steps(
    frames: Frames, indices: list[Index] | None, device: str, threads: int
) -> Generator[Any, None, FocusScore]:
    """How well the frames are in focus, tile by tile, says the default model for that."""
    from ...inference.devices import use_threads
    from ...restoration import detector

    use_threads(threads)
    predictor = detector.open_detector(models.default("focus"), device)
    result: FocusScore = yield from detector.focus_steps(frames, predictor, None, indices)
    _ = result.map
    return result


@dataclass(frozen=True)
class Measures:
    """What was measured of a slice, and what could not be.

    Attributes
    ----------
    rows : tuple of BeforeAfter
    note : str
        Why something is missing.
    """

    rows: tuple[BeforeAfter, ...] = ()
    note: str = ""


def measure_steps(
    restoration: Restoration, index: Index, reference: Callable[[], Plane | None]
) -> Generator[None, None, Measures]:
    """Sharpness of a frame before and after, and how near it is to a reference."""
    yield
    planes = restoration.frames[index], restoration.planes[index]
    yield
    try:
        rows = compare_planes(*planes, reference(), same_units=restoration.settings.rescale)
    except BadImage as error:  # the reference does not fit
        return Measures(tuple(compare_planes(*planes)), str(error))
    reasons = dict.fromkeys(each.reason for each in rows if each.reason)
    return Measures(tuple(rows), "; ".join(reasons))


def difference_steps(
    restoration: Restoration, index: Index, model: str, device: str, threads: int
) -> Generator[Any, None, Difference]:
    """Segment a frame before and after, as the segment widget does by default."""
    from ...inference.devices import use_threads
    from ...segmentation.run import complete, open_predictor, segment_steps

    use_threads(threads)
    predictor = open_predictor(model, device)
    size = restoration.settings.pixel_size
    recipe = complete(predictor, predictor.model.metadata.threshold, size, {})
    results = []
    for plane in (restoration.frames[index], restoration.planes[index]):
        frames = Frames.of(plane, "YXS" if plane.ndim == 3 else "YX")
        results.append((yield from segment_steps(frames, predictor, recipe)))
    return Difference.of(*results)
