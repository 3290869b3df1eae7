"""Plots of a batch beside its tables: sizes, growth, and plates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..readwrite.atomic import write_text
from .growth import measure_column, time_column, time_unit, well_growth
from .plates import guess_layout, read_well, row_name, well_name
from .svg import BLUE, INK, QUIET, Axes, Drawing, Point, round_ticks, say, shade

if TYPE_CHECKING:
    import pandas as pd

_MOST_PANELS = 96  # more are too small to read: one panel for all then
_SIGNS = {"um": "µm", "px": "px"}


def write_plots(objects: pd.DataFrame, images: pd.DataFrame, folder: Path) -> list[Path]:
    """Write the plots for which there is data.

    Parameters
    ----------
    objects : DataFrame
        One row an object, as in ``measurements.csv``.
    images : DataFrame
        One row an image, as in ``images.csv``: wells whose images hold no object count 0.
    folder : Path
        Gets ``sizes.svg`` where there are objects; ``growth.svg`` where there are times; and
        ``plate_count.svg``, ``plate_diameter.svg`` and ``plate_area.svg`` where there are wells.

    Returns
    -------
    list of Path

    Raises
    ------
    UnreadableFile
        They cannot be written.
    BadSetting
        The table has no measures, or times in hours and in frames.
    """
    if objects.empty:
        return []
    drawings: dict[str, Drawing | None] = {
        "sizes": draw_sizes(objects),
        "growth": draw_growth(objects, images),
        **{f"plate_{name}": draw_plate(objects, images, name) for name in PLATES},
    }
    written = []
    for name, drawing in drawings.items():
        if drawing is not None:
            written.append(folder / f"{name}.svg")
            write_text(written[-1], str(drawing))
    return written


def draw_sizes(objects: pd.DataFrame) -> Drawing | None:
    """Histogram of the equivalent diameter, a panel a well; of a series at its last time."""
    column = measure_column(objects, "equivalent_diameter")
    shown, when = _last(objects)
    shown = shown[np.isfinite(shown[column].astype(float))]
    if shown.empty:
        return None
    panels = {name: table[column].to_numpy(float) for name, table in _panels(shown).items()}
    every = np.concatenate(list(panels.values()))
    x_ticks = round_ticks(float(every.min()), float(every.max()), 20 if len(panels) == 1 else 12)
    counts = {name: np.histogram(each, x_ticks)[0] for name, each in panels.items()}
    y_ticks = round_ticks(0, float(max(each.max() for each in counts.values())), 4, whole=True)

    def bars(drawing: Drawing, axes: Axes, name: str) -> None:
        for (low, high), count in zip(pairwise(x_ticks), counts[name], strict=True):
            (left, top), (right, bottom) = axes.place(low, count), axes.place(high, 0)
            if count:
                size = (right - left - 1, bottom - top)
                note = f"{say(low)} to {say(high)}: {count}"
                drawing.box((left + 0.5, top), size, BLUE, note)

    titles = {name: f"{name}  n = {len(panels[name])}".strip() for name in panels}
    title = f"Size of {len(every)} objects{when}"
    labels = (f"equivalent diameter ({_unit(column)})", "objects")
    coarse = round_ticks(x_ticks[0], x_ticks[-1], 4)
    x_ticks_shown = [tick for tick in coarse if x_ticks[0] <= tick <= x_ticks[-1]]
    return _grid(title, labels, titles, (x_ticks[0], x_ticks[-1]), x_ticks_shown, y_ticks, bars)


def draw_growth(objects: pd.DataFrame, images: pd.DataFrame | None = None) -> Drawing | None:
    """Median diameter over time with a band between the quartiles, a panel a well."""
    time = time_column(objects)
    if time is None or objects[time].nunique() < 2:
        return None
    if "well" in objects.columns and objects["well"].nunique() > _MOST_PANELS:
        objects, images = objects.drop(columns="well"), None
    summary = well_growth(objects, images)
    name = next(str(each) for each in summary.columns if str(each).startswith("median_"))
    unit = name.removeprefix("median_")
    summary = summary[summary[name].notna() & summary[time].notna()]
    if summary.empty:
        return None
    panels = _panels(summary)
    highest = float(summary[f"upper_{unit}"].max())
    y_ticks = round_ticks(0, highest, 4)
    unit_of_time = time_unit(objects)
    x_ticks = _time_ticks(float(summary[time].min()), float(summary[time].max()), unit_of_time)

    def band(drawing: Drawing, axes: Axes, panel: str) -> None:
        table = panels[panel].sort_values(time)
        x = table[time].to_list()
        low, middle, high = (
            [axes.place(*pair) for pair in zip(x, table[f"{part}_{unit}"], strict=True)]
            for part in ("lower", "median", "upper")
        )
        drawing.area([*low, *high[::-1]], BLUE, 0.25)
        drawing.line(middle, BLUE, 2)
        for point in middle:
            drawing.disc(point, 2.5, BLUE)

    labels = (
        f"time ({'h' if unit_of_time == 'h' else 'frames'})",
        f"diameter ({_unit(unit)})",
    )
    title = "Growth: median diameter, and quartiles as a band"
    span = (x_ticks[0], x_ticks[-1])
    return _grid(title, labels, {each: each for each in panels}, span, x_ticks, y_ticks, band)


PLATES = {
    "count": ("n", "Objects by well"),
    "diameter": ("mean_diameter", "Mean diameter by well"),
    "area": ("total_area", "Area covered by well"),
}
"""Maps of a plate: the beginning of the column in `well_growth`, and the title."""


def draw_plate(
    objects: pd.DataFrame, images: pd.DataFrame | None, value: str = "count"
) -> Drawing | None:
    """A plate with its wells in the colour of a value; of a series at its last time.

    Parameters
    ----------
    value : {"count", "diameter", "area"}

    Returns
    -------
    Drawing or None
        None where no well has a name on a plate. Wells without an image or value are empty.
    """
    if "well" not in objects.columns:
        return None
    shown, when = _last(well_growth(objects, images))
    start, title = PLATES[value]
    column = next(str(each) for each in shown.columns if str(each).startswith(start))
    numbers = dict(zip(_wells(shown), shown[column], strict=True))
    places = {well: read_well(well) for well in numbers}
    wells = {
        well_name(*place) or "": float(numbers[well])
        for well, place in places.items()
        if place and math.isfinite(numbers[well])
    }
    if not wells:
        return None
    unit = "objects" if value == "count" else _unit(column)
    if value == "area" and unit == "µm²" and max(wells.values()) >= 1e5:
        wells, unit = {name: number / 1e6 for name, number in wells.items()}, "mm²"
    elif value == "area" and max(wells.values()) >= 1e5:
        wells, unit = {name: number / 1e3 for name, number in wells.items()}, "1000 px²"
    return _plate(f"{title}{when}", unit, wells, guess_layout(numbers))


def _plate(title: str, unit: str, wells: dict[str, float], layout: tuple[int, int]) -> Drawing:
    rows, columns = layout
    side = max(14.0, min(64.0, 760 / columns))
    left, top = 44.0, 78.0
    right = left + columns * side
    drawing = Drawing(max(right + 110, 360), top + max(rows * side, 150) + 24, title)
    drawing.text((20, 28), title, 17, "start")
    # a scale from 0: twice the colour is twice the value
    ticks = round_ticks(0, max(wells.values()), 5, whole=unit == "objects")
    size = min(13.0, side * 0.5)
    for row in range(1, rows + 1):
        y = top + (row - 0.5) * side
        drawing.text((left - 12, y + size / 3), row_name(row), size, colour=QUIET)
        for column in range(1, columns + 1):
            x = left + (column - 0.5) * side
            if row == 1:
                drawing.text((x, top - 10), str(column), size, colour=QUIET)
            name = well_name(row, column) or ""
            number = wells.get(name)
            if number is None:
                drawing.disc((x, y), side * 0.43, "none", "#cccccc", f"{name}: no value")
                continue
            share = number / ticks[-1]
            drawing.disc((x, y), side * 0.43, shade(share), note=f"{name}: {say(number)} {unit}")
            if side >= 40:
                colour = INK if share > 0.55 else "#ffffff"
                drawing.text((x, y + side * 0.09), say(number), side * 0.24, colour=colour)
    _bar(drawing, (right + 26, top), max(rows * side, 150), ticks, unit)
    return drawing


def _bar(drawing: Drawing, at: Point, height: float, ticks: Sequence[float], unit: str) -> None:
    steps = 64
    for step in range(steps):
        y = at[1] + height * (1 - (step + 1) / steps)
        drawing.box((at[0], y), (16, height / steps + 0.6), shade((step + 0.5) / steps))
    for tick in ticks:
        y = at[1] + height * (1 - tick / ticks[-1])
        drawing.line([(at[0] + 16, y), (at[0] + 20, y)], QUIET)
        drawing.text((at[0] + 24, y + 4), say(tick), 12, "start", QUIET)
    drawing.text((at[0], at[1] - 10), unit, 12, "start", QUIET)


def _grid(
    title: str,
    labels: tuple[str, str],
    panels: dict[str, str],
    x: Point,
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
    draw: Callable[[Drawing, Axes, str], None],
) -> Drawing:
    """Panels with the same axes: numbers stand at the left and below alone."""
    columns = min(round(math.sqrt(1.5 * len(panels))), 12)
    rows = math.ceil(len(panels) / columns)
    size = (560.0, 320.0) if columns == 1 else (max(110.0, 840 / columns), max(80.0, 480 / columns))
    across, down, left, top = 26.0, 34.0, 72.0, 72.0
    if size[0] < 170:  # two numbers below have room, not more
        x_ticks = [x_ticks[0], x_ticks[-1]]
    width = left + columns * (size[0] + across) + 8
    drawing = Drawing(width, top + rows * (size[1] + down) + 30, title)
    drawing.text((20, 28), title, 17, "start")
    for number, (name, heading) in enumerate(panels.items()):
        row, column = divmod(number, columns)
        corner = (left + column * (size[0] + across), top + row * (size[1] + down))
        axes = Axes(*corner, *size, x, (y_ticks[0], y_ticks[-1]))
        below = number + columns >= len(panels)
        axes.draw(drawing, x_ticks, y_ticks, x_numbers=below, y_numbers=column == 0)
        draw(drawing, axes, name)
        drawing.text((corner[0] + 2, corner[1] - 6), heading, 12, "start")
    middle = (left + width - across) / 2, top + (rows * (size[1] + down) - down) / 2
    drawing.text((middle[0], drawing.height - 14), labels[0], 13)
    drawing.text((20, middle[1]), labels[1], 13, upwards=True)
    return drawing


def _time_ticks(low: float, high: float, unit: str) -> list[float]:
    """Days and their parts for hours, else round numbers; frames are whole."""
    if unit != "h" or high - low < 24:
        return round_ticks(low, high, 5, whole=unit != "h")
    step = next((each for each in (6, 12, 24, 48, 72, 168) if high - low <= 6 * each), 336)
    return [float(step * n) for n in range(math.floor(low / step), math.ceil(high / step) + 1)]


def _panels(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Tables by well; one of all where there are no wells, or too many."""
    if "well" not in table.columns or not 1 <= table["well"].nunique() <= _MOST_PANELS:
        return {"": table}
    return {str(well): each for well, each in table.groupby(_wells(table), sort=True)}


def _last(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Rows of the last time of each well, and how to say so."""
    time = time_column(table)
    if time is None or table[time].nunique() < 2:
        return table, ""
    last = table[time].groupby(_wells(table)).transform("max")
    return table[table[time] == last], ", at the last time"


def _wells(table: pd.DataFrame) -> pd.Series:
    """Of each row; images that a pattern did not fit have none."""
    import pandas as pd

    if "well" not in table.columns:
        return pd.Series("", table.index)
    return table["well"].astype(object).where(table["well"].notna(), "no well").astype(str)


def _unit(column: str) -> str:
    """``µm²`` of a column such as ``area_um2``."""
    unit = column.rsplit("_", 1)[-1]
    return _SIGNS.get(unit[:2], unit) + {"2": "²", "3": "³"}.get(unit[2:], "")
