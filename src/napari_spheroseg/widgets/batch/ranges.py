"""Which slices of a stack: a first and a last position along each leading axis."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from magicgui.widgets import Container, SpinBox

from ...inference.frames import Frames, Index

_LEAST_WIDTH = 60  # px; magicgui's own is for wider numbers


class Ranges(Container):
    """A row an axis, by its letter, with ``first`` and ``last`` that scripts can set."""

    def __init__(self) -> None:
        super().__init__(name="ranges", label="Slices", widgets=[], labels=True)
        self.margins = (0, 0, 0, 0)
        self.visible = False

    def show_lengths(self, lengths: dict[str, int]) -> None:
        """Offer axes of these lengths; where they are as before, what was set stays."""
        if lengths != {each.name: each.last.max + 1 for each in self}:
            self.clear()
            self.extend(_Range(axis, length) for axis, length in lengths.items())
        self.visible = bool(lengths)

    def indices(self, stack: Frames) -> Iterator[Index]:
        """Frames of a stack within the ranges."""
        chosen = {each.name: range(each.first.value, each.last.value + 1) for each in self}
        axes = zip(stack.leading_axes, stack.leading_shape, strict=True)
        return product(
            *([i for i in chosen.get(axis, range(length)) if i < length] for axis, length in axes)
        )


class _Range(Container):
    """As the viewer's sliders count."""

    def __init__(self, axis: str, length: int) -> None:
        most = length - 1
        self.first = SpinBox(name="first", value=0, min=0, max=most, tooltip="First")
        self.last = SpinBox(name="last", value=most, min=0, max=most, tooltip="Last")
        super().__init__(
            name=axis,
            label=axis,
            widgets=[self.first, self.last],
            layout="horizontal",
            labels=False,
        )
        self.margins = (0, 0, 0, 0)
        for each in self:
            each.native.setMinimumWidth(_LEAST_WIDTH)
