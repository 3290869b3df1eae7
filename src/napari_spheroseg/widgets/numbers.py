"""Fields for numbers that show as few digits as the number needs."""

from __future__ import annotations

from typing import Any

from magicgui import use_app
from magicgui.widgets.bases import RangedWidget
from qtpy.QtWidgets import QDoubleSpinBox

_DECIMALS = 3
_Magicgui = use_app("qt").get_obj("FloatSpinBox")


class _FewDigits(QDoubleSpinBox):
    """Qt fills up with zeros: 50 as 50.000."""

    def textFromValue(self, value: float) -> str:  # noqa: N802
        """What is shown, in the language of the machine."""
        text, point = super().textFromValue(value), self.locale().decimalPoint()
        return text.rstrip(self.locale().zeroDigit()).removesuffix(point) if point in text else text


class _Backend(_Magicgui):
    def __init__(self, **arguments: Any) -> None:
        super(_Magicgui, self).__init__(_FewDigits, **arguments)


class NumberField(RangedWidget[float]):
    """A number that is not whole; half-typed it is no number yet.

    Parameters
    ----------
    decimals : int
        Most digits behind the point.
    **arguments
        Of `RangedWidget`: ``name``, ``label``, ``value``, ``min``, ``max``, ``step``, ...
    """

    def __init__(self, *, decimals: int = _DECIMALS, **arguments: Any) -> None:
        value = arguments.pop("value", 0)
        super().__init__(widget_type=_Backend, **arguments)
        self.native.setDecimals(decimals)
        self.native.setKeyboardTracking(False)
        self.value = value  # once it is known how exact it may be
