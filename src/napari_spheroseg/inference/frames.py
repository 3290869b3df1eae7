"""An image of any axes, seen as frames: planes that a network can take one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage, BadSetting

Index = tuple[int, ...]
Region = tuple[int, int, int, int]
"""First row, row after the last, first column, column after the last."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Planes of an image, read one at a time.

    Attributes
    ----------
    data : array
        numpy, dask, zarr, or anything with ``shape``, ``dtype`` and slicing.
    axes : str
        One letter an axis: Y and X; S for the samples of RGB or RGBA, last; C for channels;
        any other letter leads from frame to frame (T, Z, P, ...).
    channel : int or None
        The channel, or RGB sample, that frames show; None shows all samples.
    region : tuple of int or None
        The part that frames show and that alone is read: first row, row after the last, first
        column, column after the last; None shows all of the image.
    """

    data: Any
    axes: str
    channel: int | None = None
    region: Region | None = None

    @classmethod
    def of(
        cls,
        image: Any,
        axes: str | None = None,
        channel: int | None = None,
        region: Region | None = None,
    ) -> Self:
        """Check an image and name its axes.

        Parameters
        ----------
        image : array
            At least 2-D, real, not empty.
        axes : str, optional
            As in the attribute. By default (Y, X); a last axis of 3 or 4 is RGB or RGBA;
            a given `channel` makes the axis before Y, X that of channels; others lead.
        channel : int, optional
            Channel to take.
        region : tuple of int, optional
            Part to take, as in the attribute.

        Raises
        ------
        BadImage
            It cannot be segmented: empty, complex, no plane.
        BadSetting
            Axes that do not fit, a channel that is not there or must be chosen, or a region that
            does not lie in the image.
        """
        if not isinstance(getattr(image, "dtype", None), np.dtype):
            image = np.asarray(image)  # a list, a torch tensor
        shape = tuple(int(n) for n in image.shape)
        if len(shape) < 2:
            raise BadImage(
                f"An image of shape {shape} has no plane", hint="Give an array of 2 axes or more."
            )
        if 0 in shape:
            raise BadImage(f"The image is empty: its shape is {shape}")
        kind = np.dtype(image.dtype).kind
        if kind == "c":
            raise BadImage(
                "The image is complex", hint="Take its magnitude first, for instance numpy.abs."
            )
        if kind not in "buif":
            raise BadImage(f"Values of type {image.dtype} are no grey values")
        _check_types(axes, channel, region)
        axes = _guess_axes(shape, channel) if axes is None else axes.upper()
        if len(axes) != len(shape) or len(set(axes)) != len(axes) or not {"Y", "X"} <= set(axes):
            raise BadSetting(
                f"Axes '{axes}' do not fit an image of shape {shape}",
                hint="Name each axis by one letter, Y and X among them, like TYX or CYX.",
            )
        if "".join(a for a in axes if a in "YXS") not in ("YX", "YXS") or axes[-1] not in "XS":
            raise BadSetting(
                f"Axes '{axes}' do not end in YX or YXS", hint="Transpose the image first."
            )
        return cls(image, axes, channel)._with_channel()._with_region(region)

    def _with_channel(self) -> Self:
        letter = "C" if "C" in self.axes else "S"
        if letter not in self.axes:
            if self.channel:
                raise BadSetting(f"There is no channel {self.channel}: the image has only one")
            return replace(self, channel=None)
        count = self.data.shape[self.axes.index(letter)]
        if self.channel is None and letter == "C":
            if count > 1:
                raise BadSetting(
                    f"The image has {count} channels",
                    hint=f"Choose one, from 0 to {count - 1}, as channel.",
                )
            return replace(self, channel=0)
        if self.channel is not None and not 0 <= self.channel < count:
            raise BadSetting(
                f"There is no channel {self.channel}", hint=f"There are 0 to {count - 1}."
            )
        return self

    def _with_region(self, region: Region | None) -> Self:
        if region is None:
            return self
        height, width = self.plane_shape
        y0, y1, x0, x1 = region
        if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
            raise BadSetting(
                f"The region {tuple(region)} does not lie in an image of {height} × {width} px",
                hint="Give the first row, the row after the last, and the columns likewise.",
            )
        return self if tuple(region) == (0, height, 0, width) else replace(self, region=region)

    @property
    def leading_axes(self) -> str:
        """Letters of the axes that lead from frame to frame."""
        return "".join(a for a in self.axes if a not in "YXSC")

    @property
    def leading_shape(self) -> Index:
        """Lengths of the leading axes; () for a single plane."""
        return tuple(int(self.data.shape[self.axes.index(a)]) for a in self.leading_axes)

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Height and width in pixels, of the region where there is one."""
        if self.region is not None:
            y0, y1, x0, x1 = self.region
            return y1 - y0, x1 - x0
        y, x = (int(self.data.shape[self.axes.index(a)]) for a in "YX")
        return y, x

    @property
    def corner(self) -> tuple[int, int]:
        """Row and column of the image that a frame's first pixel is."""
        return (0, 0) if self.region is None else (self.region[0], self.region[2])

    @property
    def shape(self) -> Index:
        """Leading lengths, height and width: the shape of a result."""
        return self.leading_shape + self.plane_shape

    def indices(self) -> Iterator[Index]:
        """All frames, last leading axis fastest."""
        return product(*(range(n) for n in self.leading_shape))

    def chosen(self, indices: Iterable[Index] | None) -> list[Index]:
        """Frames that are asked for, each once; all where None are named.

        Raises
        ------
        BadSetting
            There is no such frame, or none is asked for.
        """
        if indices is None:
            return list(self.indices())
        try:
            wanted = list(dict.fromkeys(tuple(map(int, each)) for each in indices))
        except (TypeError, ValueError) as error:
            raise BadSetting(
                f"Frames cannot be {indices!r}",
                hint="Name each by its places along the leading axes, like [(0,), (5,)].",
            ) from error
        if not wanted:
            raise BadSetting("No frame is asked for", hint="Leave frames out for all of them.")
        if outside := set(wanted) - set(self.indices()):
            raise BadSetting(
                f"There is no frame {min(outside)}",
                hint=f"Frames have shape {self.leading_shape}.",
            )
        return wanted

    def __getitem__(self, index: Index) -> NDArray[Any]:
        """One frame: (Y, X), or (Y, X, 3) where all samples of an RGB image are shown.

        Of fewer samples than three the first is grey; a second is alpha.
        """
        return self.window(index, (slice(None), slice(None)))

    def window(self, index: Index, box: tuple[slice, slice]) -> NDArray[Any]:
        """Part of a frame, rows and columns; nothing else is read."""
        steps = iter(index)
        rgb = "S" in self.axes and self.data.shape[self.axes.index("S")] >= 3
        key: list[Any] = []
        corner = zip("YX", box, self.plane_shape, self.corner, strict=True)
        sides = {axis: _within(part, length, at) for axis, part, length, at in corner}
        for axis in self.axes:
            if axis == "C" or (axis == "S" and self.channel is not None and "C" not in self.axes):
                key.append(self.channel)
            elif axis == "S":
                key.append(slice(0, 3) if rgb else 0)
            else:
                key.append(sides[axis] if axis in sides else next(steps))
        return np.asarray(self.data[tuple(key)])

    def grey(self, index: Index) -> NDArray[Any]:
        """One frame as (Y, X): the mean of its samples where it is RGB."""
        return as_grey(self[index])


def _check_types(axes: Any, channel: Any, region: Any) -> None:
    """Refuse what is of no type that `Frames.of` takes.

    Raises
    ------
    BadSetting
        With what it should be.
    """
    if axes is not None and not isinstance(axes, str):
        raise BadSetting(f"Axes cannot be {axes!r}", hint="Name each by one letter, like 'TYX'.")
    if channel is not None and not isinstance(channel, int | np.integer):
        raise BadSetting(f"A channel cannot be {channel!r}", hint="Give its number, from 0.")
    if region is None:
        return
    whole = (isinstance(side, int | np.integer) for side in np.atleast_1d(region).tolist())
    if np.shape(region) != (4,) or not all(whole):
        raise BadSetting(
            f"A region cannot be {region!r}",
            hint="Give the first row, the row after the last, and the columns likewise.",
        )


def _within(part: slice, length: int, at: int) -> slice:
    """A slice of a side that begins at `at` and is so long, as one of the whole image."""
    start, stop, _ = part.indices(length)
    return slice(at + start, at + stop)


def as_grey(plane: NDArray[Any]) -> NDArray[Any]:
    """The mean of the samples of RGB; grey values as they are."""
    return plane if plane.ndim == 2 else plane.mean(axis=-1, dtype=np.float32)


def _guess_axes(shape: Index, channel: int | None) -> str:
    rgb = len(shape) > 2 and shape[-1] in (3, 4)
    leading = len(shape) - (3 if rgb else 2)
    letters = "PTZ"[-leading:] if 0 < leading <= 3 else "ABDEFGHIJKLMNOPQRTUVWZ"[:leading]
    if leading == 1:
        letters = "T"
    if channel is not None and leading and not rgb:
        letters = letters[:-1] + "C" if leading > 1 else "C"
    return letters + ("YXS" if rgb else "YX")
