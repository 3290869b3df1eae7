"""The measurements that HiTMicTools offers its classifiers, under its names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSetting
from .crops import Objects
from .grey import background_of, countable

Array = NDArray[np.float64]
_GROUND = 0.1  # quantile of the pixels without objects that is the background
_VALUES = 10  # of fewer grey values there is no skewness
_RELATIVE = "rel_"


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


def measurements(plane: NDArray[Any], objects: Objects, names: Iterable[str]) -> dict[str, Array]:
    """Measurements of a frame's objects.

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
    regions = regionprops(objects.numbered, intensity_image=plane)
    found: dict[str, Array] = {}
    for name in names:
        if name == "label":
            found[name] = objects.names.astype(np.float64)
        elif name == "background":
            found[name] = np.full(len(objects), background)
        else:
            measure = MEASURES[name.removeprefix(_RELATIVE)]
            values = np.array([measure(region) for region in regions], np.float64)
            if name in RELATIVE:
                values = values / (background if background != 0 else np.nan)
            found[name] = values
    return found
