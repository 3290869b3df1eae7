"""A real viewer with the widget ``Restore focus``, and models whose results are known."""

from __future__ import annotations

import shutil

import pytest

NAME, RESTORE = "napari-spheroseg", "Restore focus"
LIFT = 0.25


class FocusSession:
    """A viewer, its widget, and what a person does with them."""

    def __init__(self, viewer, widget, qtbot):
        self.viewer, self.widget, self._qtbot = viewer, widget, qtbot
        self.is_closed = False

    def wait(self, condition, seconds=30):
        self._qtbot.waitUntil(condition, timeout=int(seconds * 1000))

    def idle(self):
        return not (self.widget.runner.running or self.widget.comparison.busy)

    def close(self):
        self.viewer.close()
        self.is_closed = True

    def press(self, button="run"):
        assert getattr(self.widget, button).enabled
        getattr(self.widget, button).native.click()

    def run(self, button="run"):
        self.press(button)
        self.settle()

    def settle(self):
        """Until everything is on screen, measures included."""
        self.wait(self.idle)

    def layer(self, name):
        return self.viewer.layers[name]

    @property
    def names(self):
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def focus(make_napari_viewer, qtbot, restorer, bright, detector, models_folder):
    """The widget; the model adds a quarter of the image's range to every pixel."""
    shutil.copytree(restorer(LIFT), models_folder / "sharpen")
    shutil.copytree(bright, models_folder / "bright")
    shutil.copytree(detector, models_folder / "focus_detector")
    viewer = make_napari_viewer()
    _, widget = viewer.window.add_plugin_dock_widget(NAME, RESTORE)
    widget.model.value, widget.segmenter.value = "sharpen", "bright"
    opened = FocusSession(viewer, widget, qtbot)
    yield opened
    if not opened.is_closed:
        if widget.runner.running:
            widget.runner.cancel()
        opened.settle()
