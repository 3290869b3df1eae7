"""What was found, as one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..inference.frames import Frames

if TYPE_CHECKING:
    import pandas as pd


def summary(frames: Frames, pixel_size: tuple[float, float] | None, table: pd.DataFrame) -> str:
    """How many objects there are and how large.

    Parameters
    ----------
    frames : Frames
        What was segmented.
    pixel_size : (float, float) or None
        µm, as the table was made with.
    table : DataFrame
        One row an object.
    """
    where = ""
    if frames.region is not None:
        height, width = frames.plane_shape
        where = f" in a part of {width} × {height} px"
    if not len(table):
        return f"No objects{where}."
    unit = "px" if pixel_size is None else "um"
    diameter = table[f"equivalent_diameter_{unit}"].mean()
    objects = "object" if len(table) == 1 else "objects"
    size = f"mean diameter {diameter:.4g} {unit.replace('um', 'µm')}"
    return f"{len(table)} {objects}{where}, {size}."
