"""The plot of a benchmark: bars for the cases, lines for growth.

Pillow's font has no sign for times: an x stands for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby

from PIL import Image, ImageDraw, ImageFont

from .results import CaseResult, Growth, Results

Colour = tuple[int, int, int]
Point = tuple[float, float]

_WIDTH, _MARGIN = 1600, 40
_BAR, _THIN, _GAP = 28, 8, 12
_NAMES, _SAYING = 330, 330  # px left of the bars for names, and right of them for numbers
_INK, _FAINT, _PLAIN = (30, 30, 30), (225, 225, 225), (160, 160, 160)
_COLOURS: tuple[Colour, ...] = ((31, 119, 180), (230, 126, 34), (39, 134, 84), (142, 68, 173))
_PANEL = (((_WIDTH - 3 * _MARGIN) // 2), 420)


def draw(results: Results) -> Image.Image:
    """Time of each case beside plain PyTorch in float32; below it growth, where measured."""
    groups = _groups(results.cases)
    panels = _panels(results.growth)
    height = 150 + sum(_height(cases) for cases in groups) + (_PANEL[1] + _MARGIN) * len(panels)
    picture = Image.new("RGB", (_WIDTH, height), "white")
    pen = ImageDraw.Draw(picture)
    _text(pen, (_MARGIN, 28), "Network alone, ms per image (shorter is better)", 30)
    note = "grey: plain PyTorch float32 of the same network, in turn with it"
    _text(pen, (_MARGIN, 72), note, 20)
    top = 120.0
    for cases in groups:
        _bars(pen, top, cases)
        top += _height(cases)
    for pair in panels:
        for number, (title, across, kind, value) in enumerate(pair):
            shown = [each for each in results.growth if each.kind == kind and not each.error]
            lines = _lines(shown, value)
            _panel(pen, (_MARGIN + number * (_PANEL[0] + _MARGIN), top), title, across, lines)
        top += _PANEL[1] + _MARGIN
    return picture


def _groups(cases: Sequence[CaseResult]) -> list[list[CaseResult]]:
    """Cases of one model and size that were measured, next to each other."""
    measured = [case for case in cases if not math.isnan(case.ms)]
    by = groupby(measured, key=lambda case: (case.model, case.size))
    return [list(group) for _, group in by]


def _height(cases: Sequence[CaseResult]) -> int:
    return 48 + len(cases) * (_BAR + _THIN + _GAP) + 24


def _bars(pen: ImageDraw.ImageDraw, top: float, cases: Sequence[CaseResult]) -> None:
    """A bar for each case, and a thin one for the plain network that ran in turn with it."""
    _text(pen, (_MARGIN, top), f"{cases[0].model}, {cases[0].size} x {cases[0].size} px", 24)
    backends = list(dict.fromkeys(case.backend for case in cases))
    longest = max(max(case.ms, case.plain_ms) for case in cases)
    left, room = _MARGIN + _NAMES, _WIDTH - 2 * _MARGIN - _NAMES - _SAYING
    for number, case in enumerate(cases):
        y = top + 44 + number * (_BAR + _THIN + _GAP)
        colour = _COLOURS[backends.index(case.backend) % len(_COLOURS)]
        ends = [left + max(2, room * ms / longest) for ms in (case.ms, case.plain_ms)]
        pen.rectangle((left, y, ends[0], y + _BAR), fill=colour)
        pen.rectangle((left, y + _BAR, ends[1], y + _BAR + _THIN), fill=_PLAIN)
        _text(pen, (left - 14, y + 3), f"{case.name} ({case.device})", 20, "ra")
        said = f"{_short(case.ms)} ms, beside {_short(case.plain_ms)}: {case.speed:.2f} x"
        _text(pen, (max(ends) + 12, y + 5), said, 20)


_Panel = tuple[str, str, str, Callable[[Growth], float]]


def _panels(growth: Sequence[Growth]) -> list[list[_Panel]]:
    """Rows of two panels: time and memory, against megapixels and against frames."""
    across = {"size": "megapixels of one image", "frames": "frames of 512 x 512 px"}
    kinds = dict.fromkeys(each.kind for each in growth if not each.error)
    return [
        [
            ("Time, s", across[kind], kind, lambda each: each.seconds),
            ("Peak memory, GB", across[kind], kind, lambda each: each.memory_gb),
        ]
        for kind in kinds
    ]


def _lines(growth: Sequence[Growth], value: Callable[[Growth], float]) -> dict[str, list[Point]]:
    lines: dict[str, list[Point]] = {}
    for each in growth:
        x = each.megapixels if each.kind == "size" else float(each.amount)
        lines.setdefault(each.model, []).append((x, value(each)))
    return {name: sorted(points) for name, points in lines.items()}


def _panel(
    pen: ImageDraw.ImageDraw,
    corner: Point,
    title: str,
    across: str,
    lines: dict[str, list[Point]],
) -> None:
    """Lines on two logarithmic axes, with a grid at the powers of ten."""
    left, top = corner[0] + 90, corner[1] + 50
    right, bottom = corner[0] + _PANEL[0] - 20, corner[1] + _PANEL[1] - 70
    points = [point for line in lines.values() for point in line]
    (x0, x1), (y0, y1) = (_decades([point[axis] for point in points]) for axis in (0, 1))

    def place(point: Point) -> Point:
        x = (math.log10(point[0]) - x0) / (x1 - x0)
        y = (math.log10(point[1]) - y0) / (y1 - y0)
        return left + x * (right - left), bottom - y * (bottom - top)

    _text(pen, (corner[0], corner[1]), title, 24)
    for power in range(x0, x1 + 1):
        x, _ = place((10.0**power, 10.0**y0))
        pen.line((x, top, x, bottom), fill=_FAINT, width=2)
        _text(pen, (x, bottom + 8), f"{10.0**power:g}", 18, "ma")
    for power in range(y0, y1 + 1):
        _, y = place((10.0**x0, 10.0**power))
        pen.line((left, y, right, y), fill=_FAINT, width=2)
        _text(pen, (left - 10, y), f"{10.0**power:g}", 18, "rm")
    _text(pen, ((left + right) / 2, bottom + 36), across, 20, "ma")
    for number, (name, line) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [place(point) for point in line]
        pen.line(places, fill=colour, width=4, joint="curve")
        for x, y in places:
            pen.ellipse((x - 6, y - 6, x + 6, y + 6), fill=colour)
        _text(pen, (left + 14, top + 8 + 26 * number), name, 20, colour=colour)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Powers of ten around all values, at least one apart."""
    low = math.floor(math.log10(min(values)))
    return low, max(math.ceil(math.log10(max(values))), low + 1)


def _text(
    pen: ImageDraw.ImageDraw,
    place: Point,
    text: str,
    size: int,
    anchor: str = "la",
    colour: Colour = _INK,
) -> None:
    pen.text(place, text, fill=colour, font=ImageFont.load_default(size), anchor=anchor)


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.3f}"
