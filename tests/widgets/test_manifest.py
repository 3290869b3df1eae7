"""What napari is told about us."""

from __future__ import annotations

import numpy as np
import pytest
from npe2 import PluginManifest

import napari_spheroseg as ss

NAME = "napari-spheroseg"


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_distribution(NAME)


def test_the_manifest_is_valid_and_every_command_can_be_imported(manifest):
    manifest.validate_imports()


def test_the_widgets_stand_under_layers_segment(manifest):
    commands = [item.command for item in manifest.contributions.menus["napari/layers/segment"]]
    widgets = {widget.command: widget.display_name for widget in manifest.contributions.widgets}
    assert [widgets[command] for command in commands] == [
        "Segment spheroids",
        "Batch segmentation",
        "Restore focus",
        "Classify objects",
        "Train model",
        "Model manager",
    ]


@pytest.mark.parametrize("key", ["brightfield", "fluorescence", "movie"])
def test_samples_open_with_truth_in_micrometres(make_napari_viewer, key):
    viewer = make_napari_viewer()
    image, truth = viewer.open_sample(NAME, key)
    assert truth.data.max() >= 3
    assert image.data.shape == truth.data.shape
    assert [str(unit) for unit in image.units[-2:]] == ["micrometer", "micrometer"]


@pytest.mark.parametrize(
    "name",
    [
        "Segment spheroids",
        "Batch segmentation",
        "Restore focus",
        "Classify objects",
        "Train model",
        "Model manager",
    ],
)
def test_the_menus_offer_the_widget(make_napari_viewer, name):
    viewer = make_napari_viewer()
    found = [
        action.text()
        for menu in (viewer.window.plugins_menu, viewer.window.layers_menu)
        for action in _all_actions(menu)
    ]
    assert sum(name in text for text in found) >= 1


def _all_actions(menu):
    menu.aboutToShow.emit()
    for action in menu.actions():
        yield action
        if action.menu():
            yield from _all_actions(action.menu())


def test_layers_survive_saving_and_opening(make_napari_viewer, tmp_path, bright, image):
    viewer = make_napari_viewer()
    result = ss.segment(image, bright, pixel_size=0.65, fill_holes=True)
    for layer_tuple in result.to_layers("plate"):
        viewer.add_layer(__import__("napari").layers.Layer.create(*layer_tuple))
    labels, polygons = viewer.layers
    viewer.layers["plate labels"].save(str(tmp_path / "plate_labels.tif"), plugin=NAME)
    viewer.layers["plate polygons"].save(str(tmp_path / "plate.geojson"), plugin=NAME)
    (labels_again,) = viewer.open(tmp_path / "plate_labels.tif", plugin=NAME)
    (polygons_again,) = viewer.open(tmp_path / "plate.geojson", plugin=NAME)
    np.testing.assert_array_equal(labels_again.data, labels.data)
    np.testing.assert_allclose(labels_again.scale, (0.65, 0.65))
    assert list(polygons_again.features["label"]) == [1, 2, 3]
    for ours, theirs in zip(polygons.data, polygons_again.data, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
    np.testing.assert_allclose(polygons_again.scale, (0.65, 0.65))


def test_shapes_drawn_by_hand_can_be_written(make_napari_viewer, tmp_path):
    viewer = make_napari_viewer()
    layer = viewer.add_shapes(
        [[[10, 10], [10, 30], [30, 30], [30, 10]]], shape_type="ellipse", name="mine"
    )
    layer.add_rectangles([[40, 40], [60, 80]])
    layer.save(str(tmp_path / "mine.geojson"), plugin=NAME)
    (again,) = viewer.open(tmp_path / "mine.geojson", plugin=NAME)
    assert list(again.features["label"]) == [1, 2]
    disc = again.data[0]
    np.testing.assert_allclose(np.hypot(*(disc - 20).T), 10, atol=0.01)


def test_preferences_begin_the_widget(make_napari_viewer):
    from napari_spheroseg.widgets.preferences import preferences

    make_napari_viewer()
    found = preferences()
    assert (found.model, found.device, found.threads) == ("unet", "auto", 0)
