"""The main job in a viewer, without a click: what ``spheroseg demo`` opens."""

from __future__ import annotations

import napari


def open_demo() -> None:
    """Open napari with a sample, the widget, and the result of a run; returns when it closes."""
    viewer = napari.Viewer(title="napari-spheroseg demo")
    viewer.open_sample("napari-spheroseg", "brightfield")
    _, widget = viewer.window.add_plugin_dock_widget("napari-spheroseg", "Segment spheroids")
    widget.run.native.click()
    napari.run()
