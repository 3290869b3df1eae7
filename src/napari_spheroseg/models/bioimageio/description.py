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
    """Channel of the foreground, whether the graph gives probabilities, and the threshold.

    Raises
    ------
    UnfitPackage
        It does not give one map of probabilities of the size of the image.
    """
    if len(described.outputs) != 1:
        raise UnfitPackage(f"It gives {len(described.outputs)} results, not one")
    maps = described.outputs[0]
    _check_axes(maps.axes, "result")
    _check_covers(maps.axes[2:], described.inputs)
    names = [str(name) for name in maps.axes[1].channel_names]
    if "foreground" not in names and len(names) > 1:
        raise UnfitPackage(f"None of its channels ({', '.join(names)}) is called foreground")
    channel = names.index("foreground") if "foreground" in names else 0
    steps = _without_dtype(maps.postprocessing)
    is_probability = not (steps and steps[0].id == "sigmoid")
    steps = steps[0 if is_probability else 1 :]
    within = not is_probability or tuple(getattr(maps.data, "range", ())) == (0, 1)
    if steps and _is_unit_clip(steps[0]):
        within, steps = True, steps[1:]
    if not within:
        raise UnfitPackage("Its result is neither said to be within 0 and 1 nor made so")
    threshold = 0.5
    if steps and steps[0].id == "binarize" and np.ndim(steps[0].kwargs.threshold) == 0:
        threshold = float(steps.pop(0).kwargs.threshold)
    if steps:
        raise UnfitPackage(f"Its result is processed by a step that we do not have: {steps[0].id}")
    return channel, is_probability, threshold


def _check_covers(axes: Any, inputs: Any) -> None:
    """Refuse maps that lack the border of the image: they would be stretched over it."""
    sizes = {(str(each.id), str(axis.id)): axis.size for each in inputs for axis in each.axes[2:]}
    for axis in axes:
        if isinstance(axis.size, int):
            covers = axis.size in sizes.values()
        else:
            source = (str(getattr(axis.size, "tensor_id", "")), str(axis.id))
            covers = source in sizes and axis.size.offset == 0
        if not covers:
            raise UnfitPackage("Its result is not as large as the image")


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
    steps = _without_dtype(image.preprocessing)
    said: dict[str, Any] = {"intensity": "fixed", "low": 0, "high": 1, "clip": False}
    if steps and (read := _RANGES.get(steps[0].id)) is not None:
        said |= read(steps.pop(0).kwargs, image, channels)
    elif tuple(getattr(image.data, "range", ())) == (0, 1):
        raise UnfitPackage("Its images are to be within 0 and 1, and it does not say how")
    if steps and _is_unit_clip(steps[0]):
        steps.pop(0)
        said["clip"] = True
    if steps and (read := _NORMS.get(steps[0].id)) is not None:
        said |= read(steps.pop(0).kwargs, image, channels)
    if steps:
        raise UnfitPackage(
            f"Its preprocessing has a step that we do not have here: '{steps[0].id}'",
            hint="We do: scale_range, scale_linear or fixed_zero_mean_unit_variance, clip to 0 "
            "and 1, zero_mean_unit_variance or ImageNet's mean and std; in this order.",
        )
    return said


def _scale_range(kwargs: Any, image: Any, channels: int) -> dict[str, Any]:
    every = {"channel", "y", "x"} if channels > 1 else {"y", "x"}
    if not every <= _axes(kwargs) or kwargs.reference_tensor not in (None, image.id):
        raise UnfitPackage("Its grey values are scaled for each channel or row by itself")
    return {"intensity": "percentile", "low": kwargs.min_percentile, "high": kwargs.max_percentile}


def _scale_linear(kwargs: Any, image: Any, channels: int) -> dict[str, Any]:
    gain, offset = (np.unique(each) for each in (kwargs.gain, kwargs.offset))
    if len(gain) != 1 or len(offset) != 1 or gain[0] <= 0:
        raise UnfitPackage("Its grey values are scaled otherwise in each channel, or inverted")
    low, high = -offset[0] / gain[0], (1 - offset[0]) / gain[0]
    if getattr(image.data, "type", "") == "uint8" and abs(low) < 0.01 and abs(high - 255) < 0.1:
        return {"intensity": "8-bit", "low": 0.5, "high": 99.5}
    return {"low": float(low), "high": float(high)}


def _fixed_mean(kwargs: Any, image: Any, channels: int) -> dict[str, Any]:
    """Grey values minus a mean, by a deviation; ImageNet's are told in 8 bits."""
    if _is_imagenet(kwargs, 255):
        return {"low": 0, "high": 255, "normalise": "imagenet"}
    mean, deviation = (np.unique(each) for each in (kwargs.mean, kwargs.std))
    if len(mean) != 1 or len(deviation) != 1:
        raise UnfitPackage("Its grey values are scaled otherwise in each channel")
    return {"low": float(mean[0]), "high": float(mean[0] + deviation[0])}


def _own_mean(kwargs: Any, image: Any, channels: int) -> dict[str, Any]:
    """The image's mean and deviation, of each channel by itself."""
    axes = _axes(kwargs)
    if not {"y", "x"} <= axes or (channels > 1 and "channel" in axes) or kwargs.eps > _EPS:
        raise UnfitPackage("Its mean is not taken of each channel of the image by itself")
    return {"normalise": "standard"}


def _imagenet(kwargs: Any, image: Any, channels: int) -> dict[str, Any]:
    if channels != 3 or not _is_imagenet(kwargs):
        raise UnfitPackage("Its mean and deviation after scaling are not those of ImageNet")
    return {"normalise": "imagenet"}


_EPS = 1e-5
_Read = Callable[[Any, Any, int], dict[str, Any]]
_RANGES: dict[str, _Read] = {
    "scale_range": _scale_range,
    "scale_linear": _scale_linear,
    "fixed_zero_mean_unit_variance": _fixed_mean,
}
_NORMS: dict[str, _Read] = {
    "zero_mean_unit_variance": _own_mean,
    "fixed_zero_mean_unit_variance": _imagenet,
}


def _without_dtype(steps: Any) -> list[Any]:
    return [each for each in steps if each.id != "ensure_dtype"]


def _axes(kwargs: Any) -> set[str]:
    return set(map(str, kwargs.axes)) if kwargs.axes else {"batch", "channel", "y", "x"}


def _is_unit_clip(step: Any) -> bool:
    return bool(step.id == "clip" and step.kwargs.min == 0 and step.kwargs.max == 1)


def _is_imagenet(kwargs: Any, full: float = 1) -> bool:
    found = [np.atleast_1d(each) / full for each in (kwargs.mean, kwargs.std)]
    pairs = zip(found, _IMAGENET, strict=True)
    return all(
        each.shape == (3,) and np.allclose(each, wanted, atol=1e-3) for each, wanted in pairs
    )
