"""Make the pictures of the documentation: python scripts/docs_pictures.py (needs a screen)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtWidgets import QApplication

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"


def wait(condition: Callable[[], bool], seconds: float) -> None:
    """Let the event loop turn until the condition holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        QApplication.processEvents()
        time.sleep(0.005)


def picture(name: str, sample: str, *, theme: str = "dark", more: bool = False) -> None:
    """A viewer of 1280 x 800 with a sample and its result."""
    viewer = napari.Viewer()
    viewer.theme = theme
    viewer.window.resize(1280, 800)
    viewer.open_sample("napari-spheroseg", sample)
    _, widget = viewer.window.add_plugin_dock_widget("napari-spheroseg", "Segment spheroids")
    if more:
        widget.more.collapsible.expand(animate=False)
    widget.run.native.click()
    wait(lambda: widget.run.text == "Run", 120)
    viewer.reset_view()
    wait(lambda: False, 1)
    PICTURES.mkdir(parents=True, exist_ok=True)
    viewer.screenshot(str(PICTURES / name), canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    picture("segment.png", "brightfield")
    picture("more-settings.png", "fluorescence", theme="light", more=True)
    picture("movie.png", "movie")
