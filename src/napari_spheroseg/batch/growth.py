"""Growth of objects over time, from the table of a batch.

Tables are those of ``measurements.csv``. An object is followed by its ``track`` within its series:
its well, position and channel, and its file where that holds several times. Without tracks it can
be followed only where a series has one object at a time, as in plates with one spheroid a well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadSetting

if TYPE_CHECKING:
    import pandas as pd

_SERIES = ("well", "position", "channel")
_AXES = ("p", "z", "c")  # of stacks: never the same object, but for z, which is planes of one


def measure_column(table: pd.DataFrame, name: str) -> str:
    """Column of a measure with its unit: of ``area`` it is ``area_um2`` or ``area_px2``.

    µm are preferred where a batch has images with and without a pixel size.

    Raises
    ------
    BadSetting
        There is none.
    """
    found = [each for each in table.columns if re.fullmatch(rf"{name}_(um|px)\d?", str(each))]
    filled = [each for each in sorted(found, reverse=True) if table[each].notna().any()]
    if not found:
        raise BadSetting(f"The table has no {name}", hint="Give the table of measurements.csv.")
    return str((filled or found)[0])


def time_column(table: pd.DataFrame) -> str | None:
    """``time`` of file names, else ``t`` of stacks; None where there is none."""
    # a "frame" may as well be a plane of depth, unless objects were followed along it
    for name in ("time", "t", *(["frame"] if "track" in table.columns else [])):
        if name in table.columns and table[name].notna().any():
            return name
    return None


def time_unit(table: pd.DataFrame) -> str:
    """``h`` or ``frame``: what ``time_unit`` says of ``time``.

    Raises
    ------
    BadSetting
        Some times are hours and some are frames: they have no common axis.
    """
    if time_column(table) != "time" or "time_unit" not in table.columns:
        return "frame"
    units = sorted(set(table["time_unit"].dropna().astype(str)) - {""})
    if len(units) > 1:
        raise BadSetting(
            f"The times are in {' and '.join(units)}", hint="Use one pattern for all file names."
        )
    return units[0] if units else "frame"


def series_columns(table: pd.DataFrame) -> list[str]:
    """Columns that tell apart what cannot hold the same object."""
    time = time_column(table)
    columns = [name for name in (*_SERIES, *_AXES) if name in table.columns]
    if "file" not in table.columns:
        return columns
    # a file a time: the file is no series; a stack a file: it is one
    stacks = time is not None and bool((table.groupby("file")[time].nunique() > 1).any())
    return ["file", *columns] if stacks or not columns else columns


def relative_growth(objects: pd.DataFrame) -> pd.DataFrame:
    """Each object beside itself at its first time.

    Parameters
    ----------
    objects : DataFrame
        One row an object and time.

    Returns
    -------
    DataFrame
        The same rows with ``track``, where it was missing; ``relative_area``, area / first area;
        and ``relative_volume``, (d / first d)³ of the equivalent diameter d: the volume of the
        sphere with the same projected area, as in Piccinini et al., Comput. Methods Programs
        Biomed. 118 (2015) 95. NaN for objects that cannot be followed.
    """
    table = objects.reset_index(drop=True)
    time = time_column(table)
    table["track"] = _tracks(table, time)
    values = {
        "relative_area": table[measure_column(table, "area")].astype(float),
        "relative_volume": table[measure_column(table, "equivalent_diameter")].astype(float) ** 3,
    }
    for name, value in values.items():
        table[name] = math.nan
        if time is not None and len(table):
            order = table[time].astype(float).sort_values(kind="stable").index
            keys = [table.loc[order, key] for key in [*series_columns(table), "track"]]
            first = value[order].groupby(keys, dropna=False).transform("first")
            followed = table["track"].notna() & table[time].notna() & (first > 0)
            table[name] = (value / first).where(followed)
    return table


def object_growth(objects: pd.DataFrame) -> pd.DataFrame:
    """One row an object that can be followed: how much and how fast it grew.

    Parameters
    ----------
    objects : DataFrame
        One row an object and time.

    Returns
    -------
    DataFrame
        The columns of its series, ``track``, ``times`` (how many), ``first_<unit>`` and
        ``last_<unit>``; ``relative_area`` and ``relative_volume``, last over first;
        ``doubling_time_<unit>`` of the volume, and why it is NaN in ``reason``. The unit is ``h``
        or ``frame``.
    """
    import pandas as pd

    table = relative_growth(objects)
    time, unit, keys = time_column(table), time_unit(table), [*series_columns(table), "track"]
    rows: list[dict[str, Any]] = []
    followed = table[table["track"].notna()]
    if time is not None:
        followed = followed[followed[time].notna()].sort_values(time, kind="stable")
        for names, each in followed.groupby(keys, dropna=False, sort=True):
            doubling, reason = doubling_time(
                each[time].to_list(), each["relative_volume"].to_list()
            )
            rows.append(
                dict(zip(keys, names, strict=True))
                | {"times": each[time].nunique()}
                | {f"first_{unit}": each[time].iloc[0], f"last_{unit}": each[time].iloc[-1]}
                | {name: each[name].iloc[-1] for name in ("relative_area", "relative_volume")}
                | {f"doubling_time_{unit}": doubling, "reason": reason}
            )
    columns = ["times", f"first_{unit}", f"last_{unit}", "relative_area", "relative_volume"]
    return pd.DataFrame(rows, columns=[*keys, *columns, f"doubling_time_{unit}", "reason"])


def doubling_time(time: Sequence[float], volume: Sequence[float]) -> tuple[float, str]:
    """Time in which a volume that grows exponentially doubles.

    Parameters
    ----------
    time : sequence of float
    volume : sequence of float
        In any unit.

    Returns
    -------
    (float, str)
        ``ln 2 / b`` in the unit of time, where b is the slope of the least-squares line through
        ln(volume) over time (Schwartz, Cancer 14 (1961) 1272); NaN and the reason where fewer than
        3 times are known or the volume does not grow.
    """
    t, v = np.asarray(time, float), np.asarray(volume, float)
    known = np.isfinite(t) & np.isfinite(v) & (v > 0)
    t, logarithm = t[known], np.log(v[known])
    if len(np.unique(t)) < 3:
        return math.nan, "fewer than 3 times"
    centred = t - t.mean()
    slope = float((centred * logarithm).sum() / (centred**2).sum())
    # what a constant volume leaves of a slope is rounding: it would double in ages
    if slope * float(np.ptp(t)) <= 1e-9:
        return math.nan, "no growth"
    return math.log(2) / slope, ""


def well_growth(objects: pd.DataFrame, images: pd.DataFrame | None = None) -> pd.DataFrame:
    """Each well at each time.

    Parameters
    ----------
    objects : DataFrame
        One row an object and time.
    images : DataFrame, optional
        One row an image, as in ``images.csv``: with it, a well whose images hold no object is
        there with 0. Images that failed count for none.

    Returns
    -------
    DataFrame
        ``well`` and the time, where there are; ``n`` objects; ``mean_diameter_<unit>``, its
        ``median_``, ``lower_`` and ``upper_`` quartile, and ``total_area_<unit>2``: what all
        objects cover in all positions.
    """
    import pandas as pd

    diameter, area = (measure_column(objects, name) for name in ("equivalent_diameter", "area"))
    time = time_column(objects)
    keys = [name for name in ("well", time) if name and name in objects.columns]
    table = objects if keys else objects.assign(well="")
    groups = table.groupby(keys or ["well"], dropna=False, sort=True)
    unit = diameter.removeprefix("equivalent_")
    summary = pd.DataFrame(
        {
            "n": groups.size(),
            f"mean_{unit}": groups[diameter].mean(),
            f"median_{unit}": groups[diameter].median(),
            f"lower_{unit}": groups[diameter].quantile(0.25),
            f"upper_{unit}": groups[diameter].quantile(0.75),
            f"total_{area}": groups[area].sum(min_count=1),
        }
    )
    summary = summary.reset_index()
    if images is not None and keys and set(keys) <= set(images.columns):
        seen = images if "state" not in images.columns else images[images["state"] != "failed"]
        places = seen[keys].dropna().drop_duplicates()
        summary = places.merge(summary, on=keys, how="outer", sort=True)
        summary = summary.fillna({"n": 0, f"total_{area}": 0.0}).astype({"n": int})
    return summary if keys else summary.drop(columns="well")


def _tracks(table: pd.DataFrame, time: str | None) -> pd.Series:
    """The track, or 1 where a series never has two objects at a time; else NaN."""
    import pandas as pd

    if "track" in table.columns:
        return table["track"]
    if time is None or table.empty:
        return pd.Series(math.nan, table.index)
    series = [table[name] for name in series_columns(table)] or [pd.Series(0, table.index)]
    together = table.groupby([*series, table[time]], dropna=False)[time].transform("size")
    most = together.groupby(series, dropna=False).transform("max")
    return pd.Series(1.0, table.index).where(most == 1)
