"""One press of Run, as a generator for the worker's thread."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from ...inference.frames import Frames, Index
from ...readwrite.images import LARGE
from ...restoration.focus import FocusScore
from ...segmentation.large.result import LargeSegmentation
from ...segmentation.result import Segmentation
from ..where import Where

if TYPE_CHECKING:
    from ...inference.predictor import Predictor
    from ...segmentation.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Job:
    """Everything that a run needs, so that nothing on screen is read in the thread.

    Attributes
    ----------
    image : napari.layers.Image
    frames : Frames
        Its pixels when Run was pressed.
    indices : list of tuple or None
        Frames to segment; None for all.
    model : str
    where : (str, str, str)
        Device, backend and precision.
    threads : int
    threshold : float
    settings : dict
        As in `complete`, with ``pixel_size``.
    previous : Segmentation or None
        Result that this one joins, if they are made in the same way.
    """

    image: Image
    frames: Frames
    indices: list[Index] | None
    model: str
    where: Where
    threads: int
    threshold: float
    settings: dict[str, Any]
    previous: Segmentation | None = None

    def steps(self) -> Generator[Any, None, Segmentation | LargeSegmentation]:
        """Load, predict and analyse; a plane too large for memory window by window."""
        from ...inference.devices import use_threads
        from ...segmentation.run import complete, open_predictor, segment_steps

        use_threads(self.threads)
        predictor = open_predictor(self.model, *self.where)
        settings = dict(self.settings)
        recipe = complete(predictor, self.threshold, settings.pop("pixel_size"), settings)
        if is_large(self.frames):
            return (yield from self._large_steps(predictor, recipe))
        result = yield from segment_steps(self.frames, predictor, recipe, self.indices)
        if self.previous is not None and self.previous.continues(result):
            result = self.previous.joined(result)
        return (yield from analyse_steps(result, None))

    def _large_steps(
        self, predictor: Predictor, recipe: Recipe
    ) -> Generator[Any, None, LargeSegmentation]:
        """Labels go to a temporary folder, which stays while somebody reads from it."""
        from ...segmentation.large.output import Output
        from ...segmentation.large.run import segment_large_steps
        from ...segmentation.large.temporary import Temporary

        frames = None if self.indices is None else tuple(self.indices)
        folder = Temporary()
        try:
            recipe, output = recipe.replace(frames=frames), Output(folder.path)
            result = yield from segment_large_steps(self.frames, predictor, recipe, output)
        except BaseException:  # cancelled, too
            folder.delete()
            raise
        folder.keep_for(result.levels)
        return result


def is_large(frames: Frames) -> bool:
    """Whether planes are segmented window by window, as the command line has it."""
    return math.prod(frames.plane_shape) > LARGE


def focus_steps(
    result: Segmentation, where: Where, known: FocusScore | None
) -> Generator[Any, None, FocusScore]:
    """Say how well the frames of a result are in focus, but for those that are known."""
    from ...segmentation.focus import judge_steps

    device, backend, _ = where
    return (yield from judge_steps(result, device, backend, known))


def analyse_steps(
    result: Segmentation, first: Index | None
) -> Generator[tuple[Index, Any] | None, None, Segmentation]:
    """Compute all that layers show, the frame on screen first; yields it as a preview."""
    for index in sorted(result.maps, key=lambda each: each != first):
        plane = result.plane(index)
        yield (index, plane.labels) if index == first and len(result.maps) > 1 else None
    _ = result.layer_data
    return result
