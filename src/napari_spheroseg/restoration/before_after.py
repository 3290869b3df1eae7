"""What restoring a plane did to it: its sharpness, and how near it is to a reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from .compare import psnr, ssim, why_undefined
from .sharpness import SHARPNESS, sharpness, why_unknown

Plane = NDArray[Any]
_TITLES = {
    "tenengrad": "Sharpness (Tenengrad)",
    "brenner": "Sharpness (Brenner)",
    "laplacian": "Sharpness (Laplacian)",
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
}


@dataclass(frozen=True)
class BeforeAfter:
    """One measure of a plane, before and after it was restored.

    Attributes
    ----------
    name : str
        "tenengrad", "brenner", "laplacian", "psnr" (dB) or "ssim".
    before, after : float
        Higher is sharper, or nearer to the reference. NaN where it cannot be said.
    reason : str
        Why it cannot be said.
    """

    name: str
    before: float
    after: float
    reason: str = ""

    @property
    def title(self) -> str:
        """What to call it on screen."""
        return _TITLES.get(self.name, self.name)


def compare_planes(
    before: Plane, after: Plane, reference: Plane | None = None, *, same_units: bool = True
) -> list[BeforeAfter]:
    """Measures of a plane and of what it was restored to.

    Parameters
    ----------
    before, after : ndarray, (Y, X) or (Y, X, 3)
        The plane as it was, and restored.
    reference : ndarray, optional
        A plane of the same field that is in focus; PSNR and SSIM are against it.
    same_units : bool
        Whether the restored plane is in grey values of the image; otherwise it has no PSNR and
        SSIM.

    Returns
    -------
    list of BeforeAfter
        One for each measure of `sharpness.SHARPNESS`, then PSNR and SSIM where there is a
        reference.

    Raises
    ------
    BadImage
        The reference has another shape.
    """
    unknown = why_unknown(before) or why_unknown(after) or ""
    measured = [
        BeforeAfter(name, sharpness(before, name), sharpness(after, name), unknown)
        for name in SHARPNESS
    ]
    if reference is None:
        return measured
    reason = why_undefined(reference, before) or ""
    if not reason and not same_units:
        reason = "the restored image is not in grey values of the image"
    for name, nearness in (("psnr", psnr), ("ssim", ssim)):
        after_value = nearness(reference, after) if same_units else math.nan
        measured.append(BeforeAfter(name, nearness(reference, before), after_value, reason))
    return measured
