"""Restored slices of one image, collected one run after the other."""

from __future__ import annotations

import math
from dataclasses import replace

from .result import Restoration


def continues(earlier: Restoration, later: Restoration) -> bool:
    """Whether both are of the same image, and made in the same way."""
    same = earlier.settings.replace(frames=None) == later.settings.replace(frames=None)
    return same and earlier.frames.data is later.frames.data


def joined(earlier: Restoration, later: Restoration) -> Restoration:
    """Planes of both; where both have one, the later's.

    Parameters
    ----------
    earlier, later : Restoration
        Of the same image, and made in the same way: see `continues`.
    """
    planes = dict(sorted({**earlier.planes, **later.planes}.items()))
    shares = {**earlier.shares, **later.shares}
    is_whole = len(planes) == math.prod(later.frames.leading_shape)
    settings = later.settings.replace(frames=None if is_whole else tuple(planes))
    return replace(later, planes=planes, settings=settings, shares=shares)
