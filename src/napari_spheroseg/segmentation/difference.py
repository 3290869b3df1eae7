"""How two segmentations of one field differ: number of objects, and their area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from .result import Segmentation

_SAME = 0.0005  # of the area: less is shown as 0.0 %


@dataclass(frozen=True)
class Difference:
    """Objects and their area before and after something was done to the image.

    Attributes
    ----------
    objects : (int, int)
    area : (float, float)
        Of all objects, in `unit`.
    unit : str
        "px²" or "µm²".
    """

    objects: tuple[int, int]
    area: tuple[float, float]
    unit: str

    @classmethod
    def of(cls, before: Segmentation, after: Segmentation) -> Self:
        """Compare two segmentations that have the same pixel size."""
        known = before.settings.pixel_size is not None
        column, unit = ("area_um2", "µm²") if known else ("area_px2", "px²")
        tables = before.table, after.table
        objects = len(tables[0]), len(tables[1])
        return cls(objects, (float(tables[0][column].sum()), float(tables[1][column].sum())), unit)

    @property
    def change(self) -> float:
        """Area after, less that before, as part of that before; NaN where there was none."""
        before, after = self.area
        return (after - before) / before if before else float("nan")

    @property
    def sentence(self) -> str:
        """What to tell, without judging it."""
        before, after = self.objects
        counts = f"objects {before} → {after}"
        if not before and not after:
            return "No objects, before or after."
        if not before:
            area = f"area {self.area[1]:.0f} {self.unit}"
            return f"Restoring changes the segmentation: {counts}, {area}."
        if before == after and abs(self.change) < _SAME:
            return f"Restoring leaves the segmentation as it was: area ±0.0 %, {counts}."
        change = f"area {100 * self.change:+.1f} %".replace("-", "−")
        return f"Restoring changes the segmentation: {change}, {counts}."
