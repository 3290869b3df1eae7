"""Drawings as SVG text: shapes, and axes with round ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

Point = tuple[float, float]

INK, QUIET, FAINT = "#222222", "#666666", "#dddddd"
BLUE = "#0072b2"  # of Okabe and Ito
_VIRIDIS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")  # by lightness alone, too


@dataclass
class Drawing:
    """A white sheet; lengths are in its own pixels.

    Attributes
    ----------
    width, height : float
    title : str
        Read aloud by screen readers, not drawn.
    """

    width: float
    height: float
    title: str
    parts: list[str] = field(default_factory=list)

    def text(
        self,
        at: Point,
        text: str,
        size: float = 13,
        anchor: str = "middle",
        colour: str = INK,
        *,
        upwards: bool = False,
    ) -> None:
        """Write text on a line through a point: its ``start``, ``middle`` or ``end``."""
        x, y = at
        turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if upwards else ""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" '
            f'fill="{colour}"{turned}>{escape(text)}</text>'
        )

    def line(self, points: Iterable[Point], colour: str = INK, width: float = 1) -> None:
        """Draw a line through points."""
        self.parts.append(
            f'<polyline points="{_points(points)}" fill="none" stroke="{colour}" '
            f'stroke-width="{width:g}" stroke-linejoin="round"/>'
        )

    def area(self, points: Iterable[Point], colour: str, opacity: float = 1) -> None:
        """Fill what a line encloses."""
        self.parts.append(
            f'<polygon points="{_points(points)}" fill="{colour}" fill-opacity="{opacity:g}"/>'
        )

    def box(self, corner: Point, size: Point, colour: str, note: str = "") -> None:
        """Fill a rectangle; browsers show its note under the mouse."""
        self.parts.append(
            f'<rect x="{corner[0]:.1f}" y="{corner[1]:.1f}" width="{max(size[0], 0):.1f}" '
            f'height="{max(size[1], 0):.1f}" fill="{colour}">{_note(note)}</rect>'
        )

    def disc(
        self, centre: Point, radius: float, colour: str, edge: str = "none", note: str = ""
    ) -> None:
        """Draw a disc; browsers show its note under the mouse."""
        self.parts.append(
            f'<circle cx="{centre[0]:.1f}" cy="{centre[1]:.1f}" r="{radius:.1f}" '
            f'fill="{colour}" stroke="{edge}">{_note(note)}</circle>'
        )

    def __str__(self) -> str:
        size = f"{self.width:.0f} {self.height:.0f}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img" '
            f'width="{self.width:.0f}" height="{self.height:.0f}" '
            'font-family="Helvetica, Arial, DejaVu Sans, sans-serif">\n'
            f"<title>{escape(self.title)}</title>\n"
            '<rect width="100%" height="100%" fill="white"/>\n'
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )


@dataclass(frozen=True)
class Axes:
    """A frame within a drawing, and the numbers along it.

    Attributes
    ----------
    left, top, width, height : float
        Of the frame.
    x, y : (float, float)
        Lowest and highest number.
    """

    left: float
    top: float
    width: float
    height: float
    x: Point
    y: Point

    def place(self, x: float, y: float) -> Point:
        """Where a pair of numbers is drawn."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + across * self.width, self.top + (1 - up) * self.height

    def draw(
        self,
        drawing: Drawing,
        x_ticks: Sequence[float],
        y_ticks: Sequence[float],
        *,
        x_numbers: bool = True,
        y_numbers: bool = True,
    ) -> None:
        """Draw grid lines and the numbers beside them."""
        bottom = self.top + self.height
        for tick in y_ticks:
            _, y = self.place(self.x[0], tick)
            drawing.line([(self.left, y), (self.left + self.width, y)], FAINT)
            if y_numbers:
                drawing.text((self.left - 6, y + 4), say(tick), 12, "end", QUIET)
        for tick in x_ticks:
            x, _ = self.place(tick, self.y[0])
            drawing.line([(x, bottom), (x, bottom + 4)], QUIET)
            if x_numbers:
                drawing.text((x, bottom + 17), say(tick), 12, colour=QUIET)
        drawing.line([(self.left, bottom), (self.left + self.width, bottom)], QUIET)


def round_ticks(low: float, high: float, count: int = 5, *, whole: bool = False) -> list[float]:
    """Round numbers that enclose a range, about `count` steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        low, high = (0.0, 2 * low) if low > 0 else (low, low + 1)
    least = (high - low) / count
    power = 10.0 ** math.floor(math.log10(least))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= least * 0.999)
    step = max(step, 1.0) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def shade(share: float) -> str:
    """Colour of a share in [0, 1]: viridis, from dark to light."""
    place = min(max(share, 0.0), 1.0) * (len(_VIRIDIS) - 1)
    first = min(int(place), len(_VIRIDIS) - 2)
    pair = [[int(colour[n : n + 2], 16) for n in (1, 3, 5)] for colour in _VIRIDIS[first:][:2]]
    mixed = (round(a + (b - a) * (place - first)) for a, b in zip(*pair, strict=True))
    return "#" + "".join(f"{each:02x}" for each in mixed)


def say(number: float) -> str:
    """A number of three digits or so."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _points(points: Iterable[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _note(note: str) -> str:
    return f"<title>{escape(note)}</title>" if note else ""
