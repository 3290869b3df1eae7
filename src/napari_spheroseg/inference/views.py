"""An image from all sides: the eight views of test-time augmentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


def _views() -> list[tuple[Callable[[Float], Float], Callable[[Float], Float]]]:
    """Quarter turns of an image and of its mirror image, each with its inverse."""

    def turned(quarters: int, mirrored: bool) -> Any:
        def view(image: Float) -> Float:
            return np.rot90(image[..., ::-1] if mirrored else image, quarters, (-2, -1))

        def undo(maps: Float) -> Float:
            back = np.rot90(maps, -quarters, (-2, -1))
            return back[..., ::-1] if mirrored else back

        return view, undo

    return [turned(quarters, mirrored) for mirrored in (False, True) for quarters in range(4)]


VIEWS = _views()
"""Each with its inverse; the first is the image as it is."""
