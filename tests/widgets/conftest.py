"""A real viewer with the widget docked, as the Plugins menu does it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_spheroseg.inference import predictor as predictors


class Session:
    """A viewer, its widget, and what a person does with them."""

    def __init__(self, viewer, widget, qtbot):
        self.viewer, self.widget, self._qtbot = viewer, widget, qtbot

    def wait(self, condition, seconds=30):
        self._qtbot.waitUntil(condition, timeout=int(seconds * 1000))

    def idle(self):
        return not (self.widget._run.running or self.widget._update.running)

    def press(self):
        self.widget.run.native.click()

    def run(self):
        self.press()
        self.wait(self.idle)

    def settle(self):
        """Until a moved setting has reached the layers."""
        self.wait(self.idle)

    def look_at(self, layer, pixel, height):
        """Bring a pixel to the middle, and so many of the layer's rows on screen."""
        world = layer.data_to_world((0,) * (layer.ndim - 2) + tuple(pixel))
        self.viewer.scene.camera.center = (0, *world[-2:])
        self.viewer.scene.camera.zoom = self.viewer.canvas.size[0] / (
            height * float(layer.scale[-2])
        )

    def layer(self, name):
        return self.viewer.layers[name]

    @property
    def names(self):
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def session(make_napari_viewer, qtbot, bright, models_folder):
    """A viewer with the segment widget; the model finds what is bright."""
    shutil.copytree(bright, models_folder / "bright")
    viewer = make_napari_viewer()
    _, widget = viewer.window.add_plugin_dock_widget("napari-spheroseg", "Segment spheroids")
    widget.model.reset_choices()
    widget.model.value = "bright"
    opened = Session(viewer, widget, qtbot)
    yield opened
    widget._run.cancel()
    opened.wait(opened.idle)


@pytest.fixture
def slow(monkeypatch):
    """Every plane takes long enough to do something meanwhile."""
    import time

    original = predictors.Predictor.predict

    def slowly(self, plane, preparation=None):
        time.sleep(0.2)
        return (yield from original(self, plane, preparation))

    monkeypatch.setattr(predictors.Predictor, "predict", slowly)


@pytest.fixture
def notices(monkeypatch):
    """What the user was told: (severity, message)."""
    from napari.utils.notifications import notification_manager

    notification_manager.records.clear()

    def told():
        return [(str(r.severity), r.message) for r in notification_manager.records]

    return told


@pytest.fixture
def stack(image) -> np.ndarray:
    """Three frames in which the discs grow brighter noise-free; the last lacks one."""
    last = image.copy()
    last[15:46, 100:140] = 100
    return np.stack([image, image, last])
