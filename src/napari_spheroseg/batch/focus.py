"""How well the images of a batch are in focus, beside their segmentation."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from ..inference.predictor import Predictor
from ..restoration.detector import focus_steps, open_detector
from ..segmentation.result import Segmentation
from ..steps import Step, Steps


def with_focus(result: Segmentation, predictor: Predictor) -> Generator[Step, None, Segmentation]:
    """The same segmentation, whose table says of every object how well it is in focus.

    Parameters
    ----------
    result : Segmentation
        Its image is judged as it is, also where it was restored first.
    predictor : Predictor
        What it was made with; the focus detector runs beside it.

    Yields
    ------
    Step
        After every batch of tiles.

    Returns
    -------
    Segmentation
    """
    device, backend, _ = predictor.asked
    detector = open_detector(device=device, backend=backend)
    steps = Steps(focus_steps(result.frames, detector, indices=result.maps))
    yield from steps
    return replace(result, focus=steps.result)
