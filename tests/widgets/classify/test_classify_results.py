"""Run a model, and what is shown of its result and can be done with it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from napari_spheroseg import models
from napari_spheroseg.classification.examples import TeachSettings, object_classes
from napari_spheroseg.classification.store import save
from napari_spheroseg.classification.teach import describe, teach
from napari_spheroseg.widgets.classify.choice import OPEN, TEACH

COLOURS = {each.name: each.colour for each in object_classes(["disc", "rod"])}


@pytest.fixture
def shapes(models_folder, draw):
    """Name of a model that tells discs and rods, with or without an image."""
    _, labels, kinds = draw(seed=9)
    from napari_spheroseg.classification.features import features

    table = features(labels)
    settings = TeachSettings(method="logistic")
    save(teach(table, kinds, object_classes(["disc", "rod"]), settings), "shapes")
    return "shapes"


@pytest.fixture
def ran(shapes, desk, draw):
    """A desk where the model ran, and the truth."""
    image, labels, kinds = draw()
    desk.open(image, labels)
    desk.widget.model.value = shapes
    desk.run()
    return desk, kinds


def colour_of(layer, label):
    return np.asarray(layer.get_color(label))


def hex_of(colour):
    return "#" + "".join(f"{round(float(each) * 255):02x}" for each in colour[:3])


def delete(desk, name):
    desk.results.classes.selected = name
    desk.press(desk.widget.deeds.delete)


def test_run_writes_class_and_probabilities_beside_what_was_there(shapes, desk, draw):
    image, labels, kinds = draw()
    layer = desk.open(image, labels)
    layer.features = pd.DataFrame({"index": list(kinds), "area": range(len(kinds))})
    desk.widget.model.value = shapes
    desk.run()
    assert desk.classes() == kinds
    assert list(layer.features["area"]) == list(range(len(kinds)))
    assert {"probability_disc", "probability_rod"} <= set(layer.features)
    assert layer.metadata["spheroseg_classes"]["model"] == shapes


def test_the_image_that_the_labels_are_of_is_found(desk, draw):
    image, labels, _ = draw()
    desk.viewer.add_image(image[:64], name="half")
    desk.open(image, labels)
    assert desk.widget.image.value.name == "plate"


@pytest.mark.parametrize("name", ["other", "plate 10"])
def test_other_labels_take_their_own_image_along(desk, draw, name):
    image, labels, _ = draw()
    desk.open(image, labels)
    desk.widget.labels.value = desk.open(image, labels, name=name)
    assert desk.widget.image.value.name == name


def test_labels_of_no_image_s_name_keep_the_one_that_is_chosen(desk, draw):
    image, labels, _ = draw()
    for name in ("first", "second"):
        desk.viewer.add_image(image, name=name)
    desk.widget.image.value = desk.viewer.layers["second"]
    desk.widget.labels.value = desk.viewer.add_labels(labels, name="drawn")
    assert desk.widget.image.value.name == "second"


def test_a_pixel_size_that_was_given_to_the_segment_widget_counts(desk, draw):
    image, labels, _ = draw()
    desk.open(image, labels).metadata["spheroseg"] = {"pixel_size": (0.5, 0.5)}
    assert desk.widget.choice.pair().subject.pixel_size == (0.5, 0.5)


def test_classes_are_colours_and_probability_is_opacity(ran):
    desk, kinds = ran
    layer = desk.widget.labels.value
    assert all(hex_of(colour_of(layer, label)) == COLOURS[kinds[label]] for label in (1, 2, 3))
    desk.results.colours.value = False
    assert hex_of(colour_of(layer, 1)) != hex_of(colour_of(layer, 3))


def test_counts_and_summary_say_how_many_of_each(ran):
    desk, _ = ran
    assert desk.results.classes.counts() == {"disc": 12, "rod": 12}
    assert desk.widget.summary.value == "24 objects: 12 disc, 12 rod"


def test_counts_of_a_stack_are_those_of_the_slice_too(shapes, desk, draw):
    first, second = draw(), draw(count=6)
    labels = np.stack([first[1], np.zeros_like(first[1])])
    labels[1, : second[1].shape[0]] = second[1]
    desk.open(np.stack([first[0], first[0]]), labels)
    desk.widget.model.value = shapes
    desk.run()
    table = desk.results.classes
    desk.viewer.dims.set_point(0, 0)
    assert (table.item(0, 3).text(), table.item(0, 4).text()) == ("12", "15")
    desk.viewer.dims.set_point(0, 1)
    assert (table.item(0, 3).text(), table.item(0, 4).text()) == ("3", "15")


def test_slices_have_colours_of_their_own(shapes, desk, draw):
    image, labels, _ = draw()
    swapped = np.where(labels > 0, np.where(labels % 2, labels + 1, labels - 1), 0)
    layer = desk.open(np.stack([image, image]), np.stack([labels, swapped]))
    desk.widget.model.value = shapes
    desk.run()
    for at, name in ((0, "disc"), (1, "rod")):
        desk.viewer.dims.set_point(0, at)
        assert hex_of(colour_of(layer, 1)) == COLOURS[name]


def test_only_the_chosen_class_is_shown(ran):
    desk, _ = ran
    layer = desk.widget.labels.value
    desk.results.classes.selected = "rod"
    desk.results.only.value = True
    assert colour_of(layer, 1)[3] == 0
    assert colour_of(layer, 2)[3] > 0
    assert desk.results.objects.model().rowCount() == 12
    desk.results.only.value = False
    assert desk.results.objects.model().rowCount() == 24


def test_deleted_objects_leave_labels_and_features_and_undo_brings_both_back(ran):
    desk, kinds = ran
    layer = desk.widget.labels.value
    delete(desk, "rod")
    assert set(np.unique(layer.data)) == {0, *range(1, 25, 2)}
    assert desk.classes() == {n: kind for n, kind in kinds.items() if kind == "disc"}
    layer.undo()
    desk.settle()
    assert desk.classes() == kinds


def test_objects_of_all_slices_are_deleted(shapes, desk, draw):
    image, labels, _ = draw()
    layer = desk.open(np.stack([image, image]), np.stack([labels, labels]))
    desk.widget.model.value = shapes
    desk.run()
    delete(desk, "disc")
    assert all(set(np.unique(plane)) == {0, *range(2, 25, 2)} for plane in layer.data)
    assert len(layer.features) == 24


def test_a_row_shows_its_object(ran):
    desk, _ = ran
    layer = desk.widget.labels.value
    row = desk.results.objects.objects.row_of(((), 20))
    desk.results.objects.selectRow(row)
    assert layer.selected_label == 20
    middle = np.argwhere(layer.data == 20).mean(axis=0)
    np.testing.assert_allclose(desk.viewer.scene.camera.center[-2:], middle, atol=1.5)


def test_a_row_of_another_slice_moves_there(shapes, desk, draw):
    image, labels, _ = draw()
    desk.open(np.stack([image, image]), np.stack([labels, labels]), scale=(2, 0.5, 0.5))
    desk.widget.model.value = shapes
    desk.run()
    for at in (1, 0):
        desk.results.objects.selectRow(desk.results.objects.objects.row_of(((at,), 4)))
        assert desk.viewer.dims.current_step[0] == at


def test_a_click_on_an_object_selects_its_row(ran):
    desk, _ = ran
    desk.click(15)
    assert desk.results.objects.selected == ((), 15)
    assert desk.widget.labels.value.selected_label == 15


def test_rows_can_be_sorted_by_probability(ran):
    desk, _ = ran
    model = desk.results.objects.objects
    model.sort(2)
    shown = [float(model.data(model.index(row, 2))) for row in range(model.rowCount())]
    assert shown == sorted(shown)


def test_classes_become_a_layer(ran):
    desk, kinds = ran
    desk.press(desk.widget.deeds.as_layer)
    found = desk.viewer.layers["plate labels classes"]
    labels = desk.widget.labels.value
    assert labels.name == "plate labels"
    for label, kind in kinds.items():
        assert set(found.data[labels.data == label]) == {["disc", "rod"].index(kind) + 1}
    desk.press(desk.widget.deeds.as_layer)
    assert len(desk.viewer.layers) == 3


def test_the_table_can_be_saved(ran, tmp_path):
    desk, kinds = ran
    desk.widget.deeds.save_to(tmp_path / "objects.csv")
    desk.settle()
    table = pd.read_csv(tmp_path / "objects.csv")
    assert dict(zip(table["label"], table["class"], strict=True)) == kinds


def test_run_becomes_cancel(shapes, desk, draw):
    image, labels, _ = draw()
    layer = desk.open(np.stack([image] * 30), np.stack([labels] * 30))
    desk.widget.model.value = shapes
    desk.widget.run.native.click()
    assert desk.widget.run.text == "Cancel"
    desk.widget.run.native.click()
    desk.settle()
    assert desk.widget.run.text == "Run"
    assert "class" not in layer.features


# --- labels that change -----------------------------------------------------------------------


def test_an_object_that_is_painted_away_loses_its_row(ran):
    desk, kinds = ran
    layer = desk.widget.labels.value
    layer.data_setitem(np.nonzero(layer.data == 5), 0)
    desk.settle()
    assert 5 not in desk.classes()
    assert len(layer.features) == len(kinds) - 1


def test_a_new_object_has_no_class_until_run(ran):
    desk, _ = ran
    layer = desk.widget.labels.value
    rows, columns = np.nonzero(layer.data == 1)
    layer.data_setitem((rows, columns), 0)
    desk.settle()
    layer.data_setitem((rows, columns + 3 * 32), 77)
    desk.settle()
    assert pd.isna(desk.classes()[77])
    assert "1 without a class" in desk.widget.summary.value
    desk.run()
    assert desk.classes()[77] == "disc"


def test_the_number_of_a_removed_object_does_not_give_its_class_to_another(ran):
    desk, _ = ran
    layer = desk.widget.labels.value
    places = np.nonzero(layer.data == 1)
    layer.data_setitem(places, 0)
    desk.settle()
    layer.data_setitem(np.nonzero(layer.data == 24), 1)
    desk.settle()
    assert pd.isna(desk.classes()[1])


def test_merged_objects_are_one_row(ran):
    desk, _ = ran
    layer = desk.widget.labels.value
    layer.data_setitem(np.nonzero(layer.data == 3), 1)
    desk.settle()
    assert desk.classes()[1] == "disc"
    assert 3 not in desk.classes()


def test_features_that_others_replace_get_their_classes_back(ran):
    desk, kinds = ran
    layer = desk.widget.labels.value
    layer.features = pd.DataFrame({"index": list(kinds), "area": 7.0})
    desk.settle()
    assert desk.classes() == kinds
    assert set(layer.features["area"]) == {7.0}


def test_taught_classes_follow_an_edit(taught):
    desk, kinds = taught
    layer = desk.widget.labels.value
    layer.data_setitem(np.nonzero(layer.data == 1), 0)  # an example
    layer.data_setitem(np.nonzero(layer.data == 23), 99)
    desk.settle()
    assert 1 not in desk.classes()
    assert desk.classes()[99] == kinds[23]
    layer.undo()
    layer.undo()
    desk.settle()
    assert desk.classes() == kinds


# --- labels and images that do not fit ---------------------------------------------------------


def test_labels_of_another_shape_are_refused_with_both_shapes(ran, notices):
    desk, _ = ran
    small = desk.viewer.add_labels(np.ones((40, 40), int), name="small")
    desk.widget.labels.value = small
    desk.run()
    assert any("(40, 40)" in text and "(128, 192)" in text for _, text in notices())
    assert "(40, 40)" in desk.widget.summary.value
    assert "class" not in small.features


def test_labels_without_objects_give_an_empty_table(shapes, desk, draw):
    image, labels, _ = draw()
    layer = desk.open(image, np.zeros_like(labels))
    desk.widget.model.value = shapes
    desk.run()
    assert desk.widget.summary.value == "0 objects"
    assert "class" in layer.features
    assert desk.results.objects.model().rowCount() == 0


def test_numbers_need_not_be_consecutive(shapes, desk, draw):
    image, labels, kinds = draw(first=1000, step=37)
    desk.open(image, labels)
    desk.widget.model.value = shapes
    desk.run()
    assert desk.classes() == kinds


def test_a_model_of_shapes_needs_no_image(shapes, desk, draw):
    _, labels, kinds = draw()
    desk.viewer.add_labels(labels)
    desk.widget.model.value = shapes
    desk.run()
    assert desk.classes() == kinds


def test_a_model_of_grey_values_says_which_are_missing(desk, draw, notices, models_folder):
    image, labels, kinds = draw()
    save(teach(describe(labels, image), kinds), "seen")
    desk.viewer.add_labels(labels)
    desk.widget.model.reset_choices()
    desk.widget.model.value = "seen"
    desk.run()
    assert any("which is not there" in text for _, text in notices())


def test_a_network_needs_an_image(cells, desk, draw, notices):
    _, labels, _ = draw()
    desk.viewer.add_labels(labels)
    desk.widget.model.value = cells
    desk.run()
    assert any("needs the image of the objects" in text for _, text in notices())


def test_a_network_tells_probabilities_of_its_classes(cells, desk, draw):
    image, labels, kinds = draw()
    layer = desk.open(image, labels)
    desk.widget.model.value = cells
    desk.run()
    assert set(layer.features["class"]) <= {"single", "clump"}
    assert len(layer.features) == len(kinds)


def test_layers_that_are_removed_meanwhile_do_no_harm(ran, notices):
    desk, _ = ran
    desk.widget.run.native.click()
    desk.viewer.layers.clear()
    desk.settle()
    assert not [each for each in notices() if each[0] == "error"]
    assert desk.widget.labels.value is None
    assert desk.results.classes.counts() == {}


def test_without_labels_run_says_so(desk, notices, shapes):
    desk.widget.model.reset_choices()
    desk.widget.model.value = shapes
    desk.run()
    assert any("There are no labels" in text for _, text in notices())


def test_one_class_is_enough_to_run(cells_of_one, desk, draw):
    image, labels, _ = draw()
    desk.open(image, labels)
    desk.widget.model.value = cells_of_one
    desk.run()
    assert set(desk.classes().values()) == {"cell"}
    assert desk.widget.summary.value == "24 objects: 24 cell"


def test_a_closed_widget_leaves_layers_and_canvas_as_they_were(ran, draw):
    desk, _ = ran
    viewer, layer = desk.viewer, desk.widget.labels.value
    desk.begin("disc", "rod")
    told = hex_of(colour_of(layer, 1))
    desk.settle()
    desk.closed = True
    viewer.window.remove_dock_widget(desk.widget.native)
    desk.widget.native.deleteLater()
    desk.wait(lambda: not layer.keymap)
    assert hex_of(colour_of(layer, 1)) != told
    assert not viewer.mouse_move_callbacks
    viewer.add_labels(draw()[1])
    layer.data_setitem(np.nonzero(layer.data == 1), 0)


def test_lazy_labels_are_not_deleted_from(shapes, desk, draw, notices):
    import dask.array as da

    image, labels, kinds = draw()
    desk.viewer.add_image(image, name="plate")
    layer = desk.viewer.add_labels(da.from_array(labels), name="plate labels")
    desk.widget.model.value = shapes
    desk.run()
    assert desk.classes() == kinds
    delete(desk, "rod")
    assert any("cannot be changed" in text for _, text in notices())
    assert (np.asarray(layer.data) == labels).all()


def test_the_widget_opens_without_torch_and_scikit_learn():
    code = (
        "import sys, napari, numpy; v = napari.Viewer(show=False);"
        "v.add_labels(numpy.eye(4, dtype=int));"
        "v.window.add_plugin_dock_widget('napari-spheroseg', 'Classify objects');"
        "assert not {'torch', 'sklearn', 'skops'} & set(sys.modules); v.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_models_of_other_tasks_are_not_offered(desk, shapes):
    desk.widget.model.reset_choices()
    tasks = {
        models.info(name).task for name in desk.widget.model.choices if name not in (TEACH, OPEN)
    }
    assert tasks == {"classification"}
