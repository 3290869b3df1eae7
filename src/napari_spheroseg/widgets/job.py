"""One press of Run, as a generator for the worker's thread."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from napari.layers import Image

from ..inference.frames import Frames, Index
from ..segmentation.result import Segmentation
from .where import Where


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

    def steps(self) -> Generator[Any, None, Segmentation]:
        """Load, predict and analyse."""
        from ..inference.devices import use_threads
        from ..segmentation.run import complete, open_predictor, segment_steps

        use_threads(self.threads)
        predictor = open_predictor(self.model, *self.where)
        settings = dict(self.settings)
        recipe = complete(predictor, self.threshold, settings.pop("pixel_size"), settings)
        result = yield from segment_steps(self.frames, predictor, recipe, self.indices)
        if self.previous is not None and self.previous.continues(result):
            result = self.previous.joined(result)
        return (yield from analyse_steps(result, None))


def analyse_steps(
    result: Segmentation, first: Index | None
) -> Generator[tuple[Index, Any] | None, None, Segmentation]:
    """Compute all that layers show, the frame on screen first; yields it as a preview."""
    for index in sorted(result.maps, key=lambda each: each != first):
        plane = result.plane(index)
        yield (index, plane.labels) if index == first and len(result.maps) > 1 else None
    _ = result.layer_data
    return result
