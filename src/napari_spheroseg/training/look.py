"""What can be seen of an image and its mask without a network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import SpherosegError
from ..inference.prepare import has_no_number, is_constant
from .alignment import Fit, fit_outlines
from .pairs import Pair

COLUMNS = (
    *("file", "source", "part", "height", "width", "dtype"),
    *("objects", "foreground", "diameter_px", "problem", "usable"),
)
EMPTY = "The mask is empty"
INVERTED = "Is the mask inverted? More than 90 % of it is foreground"
LOOSE = "Is it the mask of another image? Its outlines follow no edges"
SPECKS = "Are the mask's values numbers of objects? Most of its objects are 1 or 2 pixels wide"


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen of a pair.

    Attributes
    ----------
    pair : Pair
    shape : (int, int) or None
        Height and width; None where it could not be read.
    dtype : str
    objects : int
    foreground : float
        Share of the mask, in [0, 1].
    diameter : float
        Median over objects of the diameter of the disc of the same area, px; NaN without objects.
    error : str
        Why the pair cannot be used.
    hints : tuple of str
        What is odd about it.
    fit : Fit or None
        How the mask lies on the edges of the image.
    digest : str
        The same for images of the same pixels.
    """

    pair: Pair
    shape: tuple[int, int] | None = None
    dtype: str = ""
    objects: int = 0
    foreground: float = float("nan")
    diameter: float = float("nan")
    error: str = ""
    hints: tuple[str, ...] = ()
    fit: Fit | None = None
    digest: str = ""

    def row(self) -> dict[str, Any]:
        """Values of `COLUMNS`; None where the pair could not be read."""
        height, width = self.shape or (None, None)
        return {
            "file": str(self.pair.image),
            "source": self.pair.source,
            "part": self.pair.part,
            "height": height,
            "width": width,
            "dtype": self.dtype,
            "objects": self.objects if self.shape else None,
            "foreground": self.foreground,
            "diameter_px": self.diameter,
            "problem": self.error or "; ".join(self.hints),
            "usable": not self.error,
        }


def look_at(pair: Pair) -> Look:
    """Read a pair; whatever is wrong with it is said, not raised."""
    try:
        image, labels = pair.read()
    except (SpherosegError, OSError, MemoryError) as error:
        return Look(pair, error=_naming(pair, error))
    areas = np.bincount(labels.ravel())[1:]
    diameter = float(2 * np.sqrt(np.median(areas) / np.pi)) if len(areas) else float("nan")
    look = Look(
        pair,
        shape=(labels.shape[0], labels.shape[1]),
        dtype=str(image.dtype) + (" RGB" if image.ndim == 3 else ""),
        objects=len(areas),
        foreground=float(np.count_nonzero(labels) / labels.size),
        diameter=diameter,
        digest=hashlib.sha256(f"{image.shape}{image.dtype}".encode() + image.tobytes()).hexdigest(),
    )
    if has_no_number(image) or is_constant(image):
        return replace(look, error=f"{pair.name} is constant: there is nothing to see in it")
    fit = fit_outlines(image, labels)
    odd = {
        EMPTY: not look.objects,
        INVERTED: look.foreground > 0.9,
        SPECKS: look.diameter < 2.5,
        LOOSE: fit is not None and fit.here < 1.2,
    }
    return replace(look, fit=fit, hints=tuple(hint for hint, found in odd.items() if found))


def _naming(pair: Pair, error: Exception) -> str:
    """What an error says, with the name of a file whose error does not say it."""
    text = error.message if isinstance(error, SpherosegError) else str(error)
    text = text or type(error).__name__
    named = pair.image.name in text or pair.mask.name in text
    return text if named else f"{pair.name}: {text}"
