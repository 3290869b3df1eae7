"""What a package's description asks for, said as a preparation of ours; or that it does not fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import BadSetting, SpherosegError
from ..metadata import Preparation

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class UnfitPackage(SpherosegError, ValueError):
    """A package whose description asks for what we do not do; the message says what."""


def preparation_of(described: Any) -> Preparation:
    """How an image becomes what a package takes.

    Parameters
    ----------
    described : bioimageio.spec.model.v0_5.ModelDescr

    Raises
    ------
    UnfitPackage
        A `Preparation` cannot say it.
    """
    needs = [each for each in described.inputs if not each.optional]
    if len(needs) != 1:
        raise UnfitPackage(f"It takes {len(needs)} images, not one")
    image = needs[0]
    _check_axes(image.axes, "image")
    channels = len(image.axes[1].channel_names)
    if channels not in (1, 3):
        raise UnfitPackage(f"It takes {channels} channels, not grey or RGB")
    multiple, tile = _sides(image.axes[2:])
    try:
        return Preparation(
            channels=channels, multiple=multiple, tile=tile, **_intensity(image, channels)
        )
    except BadSetting as error:
        raise UnfitPackage(f"Its images cannot be prepared: {error.message}") from error


def result_of(described: Any) -> tuple[int, bool, float]:
    """Channel of the foreground, whether the graph gives probabilities, and the threshold."""
    if len(described.outputs) != 1:
        raise UnfitPackage(f"It gives {len(described.outputs)} results, not one")
    maps = described.outputs[0]
    _check_axes(maps.axes, "result")
    names = [str(name) for name in maps.axes[1].channel_names]
    if "foreground" not in names and len(names) > 1:
        raise UnfitPackage(f"None of its channels ({', '.join(names)}) is called foreground")
    channel = names.index("foreground") if "foreground" in names else 0
    steps = [each for each in maps.postprocessing if each.id != "ensure_dtype"]
    is_probability = not (steps and steps[0].id == "sigmoid")
    steps = steps[0 if is_probability else 1 :]
    if is_probability and tuple(getattr(maps.data, "range", ())) != (0, 1):
        raise UnfitPackage("Its result is neither said to be within 0 and 1 nor made so")
    threshold = 0.5
    if steps and steps[0].id == "binarize" and np.ndim(steps[0].kwargs.threshold) == 0:
        threshold = float(steps.pop(0).kwargs.threshold)
    if steps:
        raise UnfitPackage(f"Its result is processed by a step that we do not have: {steps[0].id}")
    return channel, is_probability, threshold


def _check_axes(axes: Any, what: str) -> None:
    found = "".join(str(each.id)[0] for each in axes)
    if found != "bcyx":
        raise UnfitPackage(
            f"Its {what} has the axes {', '.join(str(each.id) for each in axes)}",
            hint="Only 2-D packages with batch, channel, y, x can be run.",
        )


def _sides(axes: Any) -> tuple[int, int | None]:
    """What sides must be a multiple of, and the tile; a fixed size is both."""
    multiples, fixed = [], []
    for axis in axes:
        if isinstance(axis.size, int):
            fixed.append(axis.size)
        elif hasattr(axis.size, "step"):
            step = max(1, axis.size.step)
            if axis.size.min % step:
                raise UnfitPackage(f"Sides are {axis.size.min} plus multiples of {step}")
            # planes are padded to two multiples at least
            multiples.append(step * math.ceil(axis.size.min / step / 2))
        else:
            raise UnfitPackage("The size of its image hangs on that of another tensor")
    if not fixed:
        return math.lcm(*multiples), 1024
    if len(set(fixed)) > 1 or multiples or fixed[0] < 64:
        raise UnfitPackage(f"Its image has a fixed size of {fixed} that no tile has")
    return fixed[0], fixed[0]


def _intensity(image: Any, channels: int) -> dict[str, Any]:
    """Settings that say a tensor's preprocessing; every step must be accounted for."""
    steps = [each for each in image.preprocessing if each.id != "ensure_dtype"]
    said: dict[str, Any] = {}
    if steps and (read := _RANGES.get(steps[0].id)) is not None:
        said, within = read(steps.pop(0).kwargs, image, channels)
        if steps and steps[0].id == "clip" and _is_unit(steps[0].kwargs):
            steps.pop(0)
        elif not within:
            raise UnfitPackage("It does not clip grey values to 0 and 1, as we do")
        if channels == 3 and steps and _is_imagenet(steps[0]):
            steps.pop(0)
            said["normalise"] = "imagenet"
    if not said or steps:
        step = f"'{steps[0].id}'" if steps else "none"
        raise UnfitPackage(
            f"Its preprocessing has a step that we do not have here: {step}",
            hint="We do: scale_range or scale_linear, clip to 0 and 1, ImageNet's mean and std.",
        )
    return said


def _scale_range(kwargs: Any, image: Any, channels: int) -> tuple[dict[str, Any], bool]:
    every = {"channel", "y", "x"} if channels > 1 else {"y", "x"}
    axes = set(map(str, kwargs.axes)) if kwargs.axes else every | {"batch"}
    if not every <= axes or kwargs.reference_tensor not in (None, image.id):
        raise UnfitPackage("Its grey values are scaled for each channel or row by itself")
    low, high = kwargs.min_percentile, kwargs.max_percentile
    said = {"intensity": "percentile", "low": low, "high": high}
    return said, (low, high) == (0, 100)


def _scale_linear(kwargs: Any, image: Any, channels: int) -> tuple[dict[str, Any], bool]:
    gain, offset = (np.unique(each) for each in (kwargs.gain, kwargs.offset))
    if len(gain) != 1 or len(offset) != 1 or gain[0] <= 0:
        raise UnfitPackage("Its grey values are scaled otherwise in each channel, or inverted")
    low, high = -offset[0] / gain[0], (1 - offset[0]) / gain[0]
    is_byte = getattr(image.data, "type", "") == "uint8"
    if is_byte and abs(low) < 0.01 and abs(high - 255) < 0.1:
        return {"intensity": "8-bit"}, True
    said = {"intensity": "fixed", "low": float(low), "high": float(high)}
    return said, is_byte and low <= 0 and high >= 255


_RANGES: dict[str, Callable[[Any, Any, int], tuple[dict[str, Any], bool]]] = {
    "scale_range": _scale_range,
    "scale_linear": _scale_linear,
}


def _is_unit(kwargs: Any) -> bool:
    return bool(kwargs.min == 0 and kwargs.max == 1)


def _is_imagenet(step: Any) -> bool:
    if step.id != "fixed_zero_mean_unit_variance":
        return False
    found = [np.atleast_1d(each) for each in (step.kwargs.mean, step.kwargs.std)]
    pairs = zip(found, _IMAGENET, strict=True)
    return all(
        each.shape == (3,) and np.allclose(each, wanted, atol=1e-3) for each, wanted in pairs
    )
