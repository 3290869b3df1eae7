"""The measurements that HiTMicTools offers its classifiers, under its names."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSetting
from .crops import Objects
from .grey import background_of, countable
from .judge import Judged

Array = NDArray[np.float64]
_GROUND = 0.1  # quantile of the pixels without objects that is the background
_VALUES = 10  # of fewer grey values there is no skewness
_RELATIVE = "rel_"
_AT_ONCE = 500
"""Objects that are measured between two looks at whether to go on."""


def skewness(values: Array) -> float:
    """Bias-corrected skewness; 0 where there are fewer than ten different values."""
    from scipy.stats import skew

    return float(skew(values, bias=False)) if len(np.unique(values)) >= _VALUES else 0.0


def _own(name: str) -> Callable[[Any], float]:
    return lambda region: float(getattr(region, name))


def _values(region: Any) -> Array:
    return np.asarray(region.image_intensity[region.image], np.float64)


MEASURES: dict[str, Callable[[Any], float]] = {
    "centroid_0": lambda region: float(region.centroid[0]),
    "centroid_1": lambda region: float(region.centroid[1]),
    "max_intensity": _own("intensity_max"),
    "min_intensity": _own("intensity_min"),
    "mean_intensity": _own("intensity_mean"),
    "area": _own("area"),
    "major_axis_length": _own("axis_major_length"),
    "minor_axis_length": _own("axis_minor_length"),
    "solidity": _own("solidity"),
    "orientation": _own("orientation"),
    "roi_skewness": lambda region: skewness(_values(region)),
    "roi_std_dev": lambda region: float(_values(region).std()),
}
"""Name to measure of a region of scikit-image; lengths and areas in px, angles in rad."""
RELATIVE = tuple(f"{_RELATIVE}{name}_intensity" for name in ("max", "min", "mean"))
"""Intensities divided by the background."""
NAMES = ("label", *MEASURES, "background", *RELATIVE)


def check_names(names: Iterable[str]) -> None:
    """Refuse a classifier that asks for what there is not.

    Raises
    ------
    BadSetting
        A feature is not among `NAMES`.
    """
    for name in names:
        if name not in NAMES:
            raise BadSetting(
                f"The classifier needs the feature '{name}', which cannot be measured here",
                hint=f"There are: {', '.join(NAMES)}.",
            )


def measurements(
    plane: NDArray[Any], objects: Objects, names: Iterable[str]
) -> Generator[Judged, None, dict[str, Array]]:
    """Measurements of a frame's objects; it can be stopped after some objects.

    Parameters
    ----------
    plane : ndarray, (Y, X)
        Grey values.
    objects : Objects
    names : iterable of str
        Of `NAMES`; nothing else is computed.

    Returns
    -------
    dict of str to ndarray of float64, (N,)
        Relative intensities are NaN where the background is 0 or not seen.

    Raises
    ------
    BadSetting
        There is no such feature.
    """
    from skimage.measure import regionprops

    names = list(names)
    check_names(names)
    plane = countable(plane)
    background = background_of(plane, objects.numbered, _GROUND)
    found = {"label": objects.names.astype(float), "background": np.full(len(objects), background)}
    found = {name: np.array(found.get(name, np.zeros(len(objects)))) for name in names}
    measures = {
        name: MEASURES[name.removeprefix(_RELATIVE)]
        for name in names
        if name.removeprefix(_RELATIVE) in MEASURES
    }
    for number, region in enumerate(regionprops(objects.numbered, intensity_image=plane)):
        for name, measure in measures.items():
            found[name][number] = measure(region)
        if number % _AT_ONCE == _AT_ONCE - 1:
            yield Judged(number + 1, len(objects))
    for name in set(RELATIVE) & set(found):
        found[name] /= background if background != 0 else np.nan
    return found
