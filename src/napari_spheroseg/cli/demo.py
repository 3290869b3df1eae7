"""``spheroseg demo``: the main job on a shipped sample."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder for the picture where there is no screen.")
    ] = Path("demo-output"),
    picture: Annotated[
        bool, typer.Option("--picture", help="Write the picture even where there is a screen.")
    ] = False,
) -> None:
    """Segment a synthetic sample; open it in napari, or write a picture without a screen."""
    if _has_screen() and find_spec("napari") and not picture:
        from ..widgets.demo import open_demo

        open_demo()
        return
    from ..readwrite.pictures import write_overlay
    from ..segmentation.run import segment
    from ..synthetic import spheroids

    sample = spheroids(seed=1)
    result = segment(sample.image, "unet", pixel_size=sample.pixel_size)
    path = out / "demo.png"
    write_overlay(path, sample.image, result.polygons)
    result.table.to_csv(out / "measurements.csv", index=False)
    diameter = result.table["equivalent_diameter_um"].mean()
    print(f"Found {len(result.table)} spheroids of {diameter:.0f} µm mean diameter.")
    print(f"The picture is {path.resolve()}, the table {(out / 'measurements.csv').resolve()}.")


def _has_screen() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
