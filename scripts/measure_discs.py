"""How well discs of known size are measured: the table in docs/measures.md.

python scripts/measure_discs.py
"""

from __future__ import annotations

import numpy as np

import napari_spheroseg as ss

RADII = (5, 10, 20, 50)
REPEATS = 200
COLUMNS = ("area", "perimeter", "circularity", "feret_max", "feret_min", "length", "width")


def disc(radius: float, centre: np.ndarray) -> np.ndarray:
    """A disc as labels; pixels belong to it by their centre."""
    side = np.arange(2 * radius + 8)
    y, x = side[:, None] - side.mean() - centre[0], side[None] - side.mean() - centre[1]
    return (np.hypot(y, x) <= radius).astype(np.int32)


def measured(radius: float, rng: np.random.Generator) -> np.ndarray:
    """One row a disc: circularity, and of the other columns the deviation in percent."""
    truth = {"area": np.pi * radius**2, "perimeter": 2 * np.pi * radius}
    rows = []
    for _ in range(REPEATS):
        table = ss.measure(disc(radius, rng.uniform(-0.5, 0.5, 2))).iloc[0]
        table.index = table.index.str.replace(r"_px2?$", "", regex=True)
        rows.append(
            [
                table[name]
                if name == "circularity"
                else 100 * (table[name] / truth.get(name, 2 * radius) - 1)
                for name in COLUMNS
            ]
        )
    return np.array(rows)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    print("| radius (px) |", " | ".join(COLUMNS), "|")
    print("| --- " * (len(COLUMNS) + 1) + "|")
    for radius in RADII:
        values = measured(radius, rng)
        cells = []
        for name, low, high in zip(COLUMNS, values.min(0), values.max(0), strict=True):
            plain = name == "circularity"
            cells.append(f"{low:.3f} … {high:.3f}" if plain else f"{low:+.1f} … {high:+.1f} %")
        print(f"| {radius} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
