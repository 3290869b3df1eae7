"""A real viewer with the docked widget, and objects of two kinds whose class is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("napari")

from napari_spheroseg import networks
from napari_spheroseg.models import ModelMetadata, Preparation, library
from napari_spheroseg.models.metadata import Crop
from napari_spheroseg.models.model import sha256_of
from napari_spheroseg.widgets.classify.choice import TEACH
from napari_spheroseg.widgets.classify.widget import ClassifyWidget

SIDE, ACROSS = 32, 6
NAME = "napari-spheroseg"


def draw_objects(count=24, seed=0, first=1, step=1):
    """An image, labels, and the kind of each label: discs and rods in turn."""
    rng = np.random.default_rng(seed)
    image = np.full((SIDE * -(-count // ACROSS), SIDE * ACROSS), 100, np.float32)
    labels = np.zeros(image.shape, np.int32)
    kinds = {}
    for number in range(count):
        row, column = divmod(number, ACROSS)
        centre = (int(SIDE * (column + 0.5)), int(SIDE * (row + 0.5)))
        canvas = np.zeros(image.shape, np.uint8)
        kind = ("disc", "rod")[number % 2]
        if kind == "disc":
            cv2.circle(canvas, centre, int(rng.integers(7, 11)), 1, -1)
        else:
            cv2.ellipse(canvas, centre, (12, 3), float(rng.uniform(0, 180)), 0, 360, 1, -1)
        label = first + step * number
        labels[canvas > 0] = label
        image[canvas > 0] = rng.uniform(300, 600)
        kinds[label] = kind
    return image + rng.normal(0, 5, image.shape).astype(np.float32), labels, kinds


@pytest.fixture(scope="session")
def draw():
    """The function that draws discs and rods."""
    return draw_objects


class Desk:
    """A viewer with the widget, and what a person does with them."""

    def __init__(self, viewer, qtbot):
        self.viewer, self._qtbot = viewer, qtbot
        self.closed = False
        _, self.widget = viewer.window.add_plugin_dock_widget(NAME, "Classify objects")
        assert isinstance(self.widget, ClassifyWidget)
        self.teaching, self.results = self.widget.teaching, self.widget.results

    def open(self, image, labels, name="plate", **placed):
        self.viewer.add_image(image, name=name, **placed)
        return self.viewer.add_labels(labels.copy(), name=f"{name} labels", **placed)

    def wait(self, condition, seconds=60):
        self._qtbot.waitUntil(condition, timeout=int(seconds * 1000))

    def idle(self):
        widget = self.widget
        works = (
            widget._run,
            widget.teach.work,
            widget.deeds._work,
            self.teaching._check,
            self.teaching._save,
        )
        timers = (widget.teach._timer, self.teaching._timer)
        return not any(each.running for each in works) and not any(t.isActive() for t in timers)

    def settle(self):
        self.wait(self.idle)

    def run(self):
        self.widget.run.native.click()
        self.settle()

    def press(self, button):
        assert button.enabled
        button.native.click()
        self.settle()

    def begin(self, *names):
        """Teach classes of these names."""
        self.widget.model.value = TEACH
        self.teaching.method.value = "logistic"  # as good here, and many times faster
        lesson = self.widget.session().lesson
        for each in list(lesson.classes):
            lesson.remove(each.name)
        for name in names:
            lesson.add(name)
        self.widget.show_all()

    def give(self, place, name):
        place = place if isinstance(place, tuple) else ((), place)
        self.widget.teach.give(place, name)

    def teach(self, kinds, each=4, frame=()):
        """So many examples of each kind."""
        for name in sorted(set(kinds.values())):
            for label in [n for n, kind in kinds.items() if kind == name][:each]:
                self.give((frame, label), name)
        self.settle()

    def classes(self, labels=None):
        """Class by label, as the features of the layer say."""
        features = (labels or self.widget.labels.value).features
        return dict(zip(features["index"], features["class"], strict=True))

    def click(self, label, frame=()):
        """A click on the middle of an object."""
        layer = self.widget.labels.value
        plane = np.asarray(layer.data)[frame]
        at = np.argwhere(plane == label)
        middle = at[np.abs(at - at.mean(axis=0)).sum(axis=1).argmin()]
        self.click_at(layer.data_to_world((*frame, *middle)))

    def click_at(self, world):
        from napari.utils.interactions import mouse_press_callbacks, mouse_release_callbacks

        event = Press(world)
        mouse_press_callbacks(self.viewer, event)
        event.type = "mouse_release"
        mouse_release_callbacks(self.viewer, event)


class Press:
    """A mouse event, as napari hands it on."""

    def __init__(self, world):
        self.type, self.button, self.modifiers = "mouse_press", 1, ()
        self.pos, self.position = (50, 50), tuple(world)
        self.handled = False


def install_network(folder, name, *classes):
    """A tiny network of random weights, as a model."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    arguments = {"num_classes": len(classes), "min_size": 16, "initial_filters": 4}
    network = networks.create("flexresnet", **arguments)
    target = folder / name
    target.mkdir(parents=True)
    save_file(network.state_dict(), target / library.WEIGHTS)
    metadata = ModelMetadata(
        name=name,
        title=name,
        task="classification",
        network="flexresnet",
        arguments=arguments,
        outputs=classes,
        preparation=Preparation(tile=None, multiple=1),
        crop=Crop(size=16, batch=8),
        sha256=sha256_of(target / library.WEIGHTS),
    )
    library.write_metadata(target, metadata)
    return name


@pytest.fixture
def cells(models_folder):
    """Name of a network for two classes."""
    return install_network(models_folder, "cells", "single", "clump")


@pytest.fixture
def cells_of_one(models_folder):
    """Name of a network that knows one class only."""
    return install_network(models_folder, "cells_of_one", "cell")


@pytest.fixture
def desk(make_napari_viewer, qtbot):
    opened = Desk(make_napari_viewer(), qtbot)
    yield opened
    if not opened.closed:
        opened.widget._run.cancel()
        opened.settle()


@pytest.fixture
def taught(desk, draw):
    """A desk where discs and rods were taught on 'plate', and the truth."""
    image, labels, kinds = draw()
    desk.open(image, labels)
    desk.begin("disc", "rod")
    desk.teach(kinds)
    return desk, kinds
