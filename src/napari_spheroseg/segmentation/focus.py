"""How well objects, and the frames that they are in, are in focus, beside their segmentation."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from ..inference.predictor import Predictor
from ..restoration.detector import focus_steps, open_detector
from ..restoration.focus import FocusScore, warn_out_of_focus
from ..steps import Step, Steps
from .measure import equivalent_diameter
from .result import Segmentation

_NAMED = 5  # frames; of more it is said how many
_WIDTH = 48  # px that objects have at most, about, where they are judged


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
    steps = Steps(judge_steps(result, device, backend))
    yield from steps
    return result.with_focus(steps.result)


def judge_steps(
    result: Segmentation, device: str, backend: str, known: FocusScore | None = None
) -> Generator[Step, None, FocusScore]:
    """Say how well the frames of a segmentation are in focus.

    Parameters
    ----------
    result : Segmentation
    device, backend : str
        As in `segment`.
    known : FocusScore, optional
        What was found before; frames of the same image are not judged again.

    Yields
    ------
    Step
        After every batch of tiles.

    Returns
    -------
    FocusScore
        Of all frames of the segmentation.
    """
    scale = scale_for(result)
    before = dict(known.fields) if known is not None and _same(known, result, scale) else {}
    missing = [index for index in result.maps if index not in before]
    if known is not None and not missing:
        return replace(known, fields={index: before[index] for index in result.maps})
    detector = open_detector(device=device, backend=backend)
    preparation = detector.model.metadata.preparation.replace(scale=scale)
    found = yield from focus_steps(result.frames, detector, preparation, missing)
    fields = before | dict(found.fields)
    return replace(found, fields={index: fields[index] for index in result.maps})


def scale_for(result: Segmentation) -> float:
    """Scale at which objects are judged: 1, or 1/2, 1/4... where they are large.

    How much blur does harm depends on the size of what is measured: an edge three pixels wide is
    nothing to a spheroid of 300. It changes by halves, so that a threshold that moves a little
    does not make all scores anew.
    """
    areas = [np.bincount(plane.labels.ravel())[1:] for plane in result.planes.values()]
    areas = [each[each > 0] for each in areas]
    if not sum(map(len, areas)):
        return 1.0
    width = equivalent_diameter(np.median(np.concatenate(areas)))
    return float(min(1.0, 0.5 ** np.round(np.log2(width / _WIDTH))))


def _same(known: FocusScore, result: Segmentation, scale: float) -> bool:
    """Whether they are of the same image, seen at the same scale."""
    a, b = known.frames, result.frames
    same = (a.axes, a.channel, a.region) == (b.axes, b.channel, b.region)
    return a.data is b.data and same and known.recipe.get("scale", 1.0) == scale


def focus_warnings(result: Segmentation) -> tuple[str, ...]:
    """What to tell of objects and frames that are too blurred to measure; empty if none is.

    Parameters
    ----------
    result : Segmentation
        With its `focus`, or nothing is told.
    """
    if result.focus is None:
        return ()
    focus, told = result.focus, []
    objects = result.table["focus_score"] if len(result.table) else None
    if objects is not None and (said := warn_out_of_focus(objects, focus.threshold)):
        told.append(said)
    blurred = sorted(i for i, each in focus.fields.items() if each.score < focus.threshold)
    if blurred and () not in blurred:
        told.append(f"Out of focus on the whole: {_named(blurred, result.frames.leading_axes)}")
    elif blurred and objects is None:
        told.append("The image is out of focus")
    return tuple(told)


def focus_warning(result: Segmentation) -> str:
    """`focus_warnings` as sentences, one after the other."""
    return " ".join(f"{told}." for told in focus_warnings(result))


def _named(frames: list[tuple[int, ...]], axes: str) -> str:
    """Frames by their place, like "t 3, t 7 and 12 more"."""
    names = [
        " ".join(f"{axis} {i}" for axis, i in zip(axes.lower(), index, strict=True))
        for index in frames[:_NAMED]
    ]
    more = f" and {len(frames) - _NAMED} more" if len(frames) > _NAMED else ""
    return ", ".join(names) + more
