"""Curves of loss and Dice over the epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

# of like contrast on dark and on light; told apart by the colour blind, too
_BLUE, _ORANGE, _GREEN = QColor(70, 150, 235), QColor(235, 130, 50), QColor(40, 170, 130)
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 22, 20  # px around a plot


class _Curve(NamedTuple):
    key: str
    title: str
    colour: QColor


_PLOTS = (
    (_Curve("loss", "Loss", _BLUE), _Curve("val_loss", "validation loss", _ORANGE)),
    (_Curve("val_dice", "Dice of validation", _GREEN),),
)


class TrainingCurves(QWidget):
    """Loss above, Dice of validation below; grows with every epoch.

    Attributes
    ----------
    entries : list of dict
        As ``Run.metrics`` gives them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[dict[str, Any]] = []
        self._epochs = 1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMinimumHeight(200)

    def sizeHint(self) -> QSize:  # noqa: N802
        """High enough for both plots."""
        return QSize(320, 230)

    def show_metrics(self, entries: list[dict[str, Any]], epochs: int) -> None:
        """Draw one entry an epoch, on an axis of as many epochs as there will be."""
        if (entries, epochs) != (self.entries, self._epochs):
            self.entries, self._epochs = entries, epochs
            self.update()

    def points(self, key: str) -> list[tuple[int, float]]:
        """Epoch and value of a curve, where there is a finite one."""
        return [
            (each["epoch"], float(each[key]))
            for each in self.entries
            if math.isfinite(each.get(key, math.nan))
        ]

    def paintEvent(self, _: QPaintEvent | None) -> None:  # noqa: N802
        """Draw axes, legends and curves."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        height = self.height() / len(_PLOTS)
        for number, curves in enumerate(_PLOTS):
            whole = QRectF(0, number * height, self.width(), height)
            self._draw(painter, whole.adjusted(_LEFT, _TOP, -_RIGHT, -_BOTTOM), curves)
        painter.end()

    def _draw(self, painter: QPainter, plot: QRectF, curves: Sequence[_Curve]) -> None:
        values = [value for curve in curves for _, value in self.points(curve.key)]
        low, high = _span(values, at_most_one=curves[0].key == "val_dice")
        last = max(self._epochs, 2)
        self._draw_axes(painter, plot, low, high, last)
        x = plot.left()
        for curve in curves:
            painter.setPen(QPen(curve.colour, 2))
            line = QPolygonF(
                [
                    QPointF(
                        plot.left() + (epoch - 1) / (last - 1) * plot.width(),
                        plot.bottom() - (value - low) / (high - low) * plot.height(),
                    )
                    for epoch, value in self.points(curve.key)
                ]
            )
            painter.drawPolyline(line)
            for point in line:
                painter.setBrush(curve.colour)
                painter.drawEllipse(point, 2, 2)
            x = self._draw_legend(painter, x, plot.top() - 7, curve)

    def _draw_legend(self, painter: QPainter, x: float, y: float, curve: _Curve) -> float:
        """A stroke of its colour, its name and its last value; gives where the next begins."""
        painter.drawLine(QPointF(x, y - 4), QPointF(x + 12, y - 4))
        painter.setPen(self._ink())
        points = self.points(curve.key)
        text = curve.title + (f" {points[-1][1]:.3f}" if points else "")
        painter.drawText(QPointF(x + 17, y), text)
        return x + 17 + painter.fontMetrics().horizontalAdvance(text) + 14

    def _draw_axes(
        self, painter: QPainter, plot: QRectF, low: float, high: float, last: int
    ) -> None:
        faint, ink = self._ink(70), self._ink(190)
        for value in (low, (low + high) / 2, high):
            y = plot.bottom() - (value - low) / (high - low) * plot.height()
            painter.setPen(QPen(faint, 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(ink)
            place = QRectF(0, y - 8, _LEFT - 6, 16)
            painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                             f"{value:.3g}")  # fmt: skip
        painter.setPen(QPen(ink, 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        below = QRectF(plot.left(), plot.bottom() + 2, plot.width(), 16)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "1")
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, "epoch")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, str(last))

    def _ink(self, alpha: int = 255) -> QColor:
        colour = QColor(self.palette().windowText().color())
        colour.setAlpha(alpha)
        return colour


def _span(values: list[float], *, at_most_one: bool) -> tuple[float, float]:
    """Ends of an axis: around the values, at hundredths."""
    if not values:
        return 0.0, 1.0
    low = math.floor(min(values) * 20) / 20
    high = math.ceil(max(values) * 20) / 20
    if at_most_one:
        high = min(high, 1.0)
        low = min(low, 0.95)
    return low, max(high, low + 0.05)
