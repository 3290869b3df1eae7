"""The planes of an image along one of its axes, as a z-stack of a single place in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSetting
from ..inference.frames import Frames, Index


@dataclass(frozen=True, eq=False)
class Depth:
    """A stack, read one plane at a time, for `stack.sharpest_plane` and its like.

    Attributes
    ----------
    frames : Frames
        The image.
    axis : str
        Letter of the leading axis that goes through depth.
    at : tuple of int
        Position along all leading axes; that along `axis` does not matter.

    Raises
    ------
    BadSetting
        The image has no such axis.
    """

    frames: Frames
    axis: str
    at: Index

    def __post_init__(self) -> None:
        if not self.axis or self.axis not in self.frames.leading_axes:
            raise BadSetting(
                f"The image has no axis '{self.axis}' to go through",
                hint=f"Its leading axes are '{self.frames.leading_axes}'.",
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Planes, height, width and the samples of RGB."""
        return (len(self), *self[0].shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the image."""
        dtype: np.dtype[Any] = np.dtype(self.frames.data.dtype)
        return dtype

    def __len__(self) -> int:
        return self.frames.leading_shape[self._number]

    def __getitem__(self, z: int) -> NDArray[Any]:
        return self.frames[self.index(z)]

    def index(self, z: int) -> Index:
        """Position of a plane along all leading axes."""
        return (*self.at[: self._number], z, *self.at[self._number + 1 :])

    @property
    def _number(self) -> int:
        return self.frames.leading_axes.index(self.axis)
