"""Layers that only show something of an image are offered by no widget."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_spheroseg.widgets.image_layers import images_of, only_shows

WIDGETS = {
    "Segment spheroids": lambda widget: widget.image.choices,
    "Restore focus": lambda widget: widget.image.choices,
    "Classify objects": lambda widget: widget.image.choices,
    "Batch segmentation": lambda widget: [layer for _, layer in widget.images._choices()],
}


@pytest.fixture
def marked(image):
    layer = Image(image.astype(np.float32), name="plate focus map")
    only_shows(layer, "focus map")
    return layer


def test_labels_and_marked_layers_are_no_images(image, marked):
    plate = Image(image)
    assert images_of([plate, Labels(image), marked]) == [plate]


def test_a_copy_of_a_marked_layer_is_marked_too(marked):
    assert images_of([Image(*marked.as_layer_data_tuple()[:1], **_told(marked))]) == []


def _told(layer):
    return {"metadata": layer.as_layer_data_tuple()[1]["metadata"]}


@pytest.mark.parametrize("name", WIDGETS)
def test_no_widget_offers_them(make_napari_viewer, image, marked, name):
    viewer = make_napari_viewer()
    plate = viewer.add_image(image, name="plate")
    viewer.add_layer(marked)
    assert viewer.layers.selection.active is marked  # what widgets begin with where they can
    _, widget = viewer.window.add_plugin_dock_widget("napari-spheroseg", name)
    assert [each for each in WIDGETS[name](widget) if each is not None] == [plate]


def test_the_restore_widgets_own_layers_are_marked(make_napari_viewer, image):
    from napari_spheroseg.restoration.detector import focus_score
    from napari_spheroseg.widgets.restore.focus_map import FocusMaps

    viewer = make_napari_viewer()
    plate = viewer.add_image(image, name="plate")
    list(FocusMaps(viewer).show(plate, focus_score(image)))
    assert viewer.layers[-1].name == "plate focus map"
    assert images_of(viewer.layers) == [plate]
