"""Teach, correct, undo, save and reload, in a real viewer."""

from __future__ import annotations

import numpy as np
import pytest

import napari_spheroseg as ss
from napari_spheroseg import models
from napari_spheroseg.widgets.classify.choice import TEACH


def test_clicks_on_a_few_objects_tell_all_others(taught):
    desk, kinds = taught
    assert desk.classes() == kinds


def test_a_click_makes_an_example_of_the_chosen_class(desk, draw):
    image, labels, _ = draw()
    desk.open(image, labels)
    desk.begin("disc", "rod")
    desk.results.classes.selected = "rod"
    desk.click(2)
    assert desk.widget.session().lesson.examples == {((), 2): "rod"}
    desk.settle()
    assert desk.classes()[2] == "rod"  # at once, before there is anything to learn from


def test_learn_again_waits_for_an_example(desk, draw):
    image, labels, _ = draw()
    desk.open(image, labels)
    desk.begin("disc", "rod")
    assert not desk.widget.run.enabled
    desk.results.classes.selected = "rod"
    desk.click(2)
    desk.settle()
    assert desk.widget.run.enabled


def test_a_key_over_an_object_makes_an_example_of_its_class(desk, draw):
    image, labels, _ = draw()
    layer = desk.open(image, labels)
    desk.begin("disc", "rod")
    desk.viewer.cursor.position = tuple(np.argwhere(labels == 3)[5].astype(float))
    desk.viewer.layers.selection.active = layer
    handler = desk.viewer.window._qt_viewer._key_map_handler
    assert handler.press_key("2")
    assert desk.widget.session().lesson.examples == {((), 3): "rod"}


def test_keys_are_napari_s_again_without_teaching(taught):
    desk, _ = taught
    layer = desk.widget.labels.value
    assert layer.keymap
    desk.widget.teach.bind(None)
    assert not layer.keymap


def test_probabilities_stand_beside_the_class(taught):
    desk, _ = taught
    features = desk.widget.labels.value.features
    likely = features[["probability_disc", "probability_rod"]]
    np.testing.assert_allclose(likely.sum(axis=1), 1)


def test_another_click_corrects(taught):
    desk, kinds = taught
    desk.give(1, "rod")
    desk.settle()
    assert kinds[1] == "disc"
    assert desk.classes()[1] == "rod"


def test_undo_takes_back_the_last_example(taught):
    desk, kinds = taught
    desk.give(1, "rod")
    desk.settle()
    desk.press(desk.teaching.undo)
    assert desk.classes() == kinds
    assert desk.widget.session().lesson.examples[(), 1] == "disc"


def test_undo_of_all_examples_leaves_no_class(desk, draw):
    image, labels, _ = draw()
    layer = desk.open(image, labels)
    desk.begin("disc", "rod")
    desk.give(1, "disc")
    desk.give(2, "rod")
    desk.settle()
    assert layer.features["class"].notna().all()
    desk.press(desk.teaching.undo)
    desk.press(desk.teaching.undo)
    assert layer.features["class"].isna().all()


def test_accuracy_confusion_and_features_are_shown(taught):
    desk, _ = taught
    assert desk.teaching.accuracy.value == "Cross-validated accuracy 100%"
    assert "Features that matter most" in desk.teaching.report.text()
    assert "disc" in desk.teaching.report.text()


def test_too_few_examples_say_what_is_needed(desk, draw):
    image, labels, _ = draw()
    desk.open(image, labels)
    desk.begin("disc", "rod")
    assert "click objects" in desk.teaching.accuracy.value
    desk.give(1, "disc")
    desk.settle()
    assert "not 'disc'" in desk.teaching.accuracy.value
    desk.give(2, "rod")
    desk.settle()
    assert "3 of each are needed" in desk.teaching.accuracy.value


def test_the_next_uncertain_object_is_selected_and_no_example(taught):
    desk, _ = taught
    desk.press(desk.teaching.uncertain)
    first = desk.results.objects.selected
    assert first not in desk.widget.session().lesson.examples
    assert desk.widget.labels.value.selected_label == first[1]
    desk.press(desk.teaching.uncertain)
    assert desk.results.objects.selected != first


def test_a_class_can_be_renamed_in_the_table(taught):
    desk, _ = taught
    table = desk.results.classes
    table.item(0, 0).setText("ball")
    desk.settle()
    assert desk.classes()[1] == "ball"
    assert table.selected == "ball"
    assert "probability_ball" in desk.widget.labels.value.features


def test_two_classes_cannot_have_one_name(taught, notices):
    desk, _ = taught
    desk.results.classes.item(0, 0).setText("rod")
    desk.settle()
    assert any("Two classes have the name 'rod'" in text for _, text in notices())
    assert desk.results.classes.item(0, 0).text() == "disc"


def test_a_removed_class_takes_its_examples_along(taught):
    desk, _ = taught
    desk.press(desk.teaching.add)
    desk.give(3, "class 1")
    desk.settle()
    assert desk.classes()[3] == "class 1"
    desk.results.classes.selected = "class 1"
    desk.press(desk.teaching.remove)
    assert desk.classes()[3] == "disc"
    assert [each.name for each in desk.widget.session().lesson.classes] == ["disc", "rod"]


def test_a_hundred_classes_can_be_taught(desk, draw):
    image, labels, _ = draw(count=102)
    desk.open(image, labels)
    desk.begin(*(f"kind {at}" for at in range(100)))
    session = desk.widget.session()
    for at in range(100):
        session.give(((), at + 1), f"kind {at}")
    desk.give(1, "kind 0")
    desk.widget.teach.learn()
    desk.settle()
    assert desk.classes()[57] == "kind 56"
    assert len(desk.results.classes.counts()) == 100


def test_without_an_image_shapes_are_learnt(desk, draw):
    _, labels, kinds = draw()
    desk.viewer.add_labels(labels)
    assert desk.widget.image.value is None
    desk.begin("disc", "rod")
    desk.teach(kinds)
    assert desk.classes() == kinds


def test_a_saved_model_is_offered_and_tells_another_image(taught, draw, notices):
    desk, _ = taught
    desk.teaching.model_name.value = "shapes"
    desk.press(desk.teaching.save)
    assert "shapes" in desk.widget.model.choices
    image, labels, kinds = draw(count=18, seed=5, first=10, step=7)
    other = desk.open(image, labels, name="other")
    desk.widget.labels.value = other
    assert desk.widget.image.value.name == "other"
    desk.widget.model.value = "shapes"
    desk.run()
    assert desk.classes(other) == kinds
    table = ss.classify(image, labels, "shapes")
    assert dict(zip(table["label"], table["class"], strict=True)) == kinds


def test_a_name_that_is_taken_is_overwritten_only_when_asked(taught):
    desk, _ = taught
    desk.teaching.model_name.value = "shapes"
    desk.press(desk.teaching.save)
    before = models.info("shapes").sha256
    asked = []
    desk.teaching.ask = lambda title, question: bool(asked.append(question))
    desk.give(5, "disc")
    desk.give(6, "disc")
    desk.settle()
    desk.press(desk.teaching.save)
    assert "shapes" in asked[0]
    assert models.info("shapes").sha256 == before
    desk.teaching.ask = lambda title, question: True
    desk.press(desk.teaching.save)
    assert models.info("shapes").sha256 != before


def test_a_name_that_cannot_be_used_is_said(taught, notices):
    desk, _ = taught
    desk.teaching.model_name.value = "no/name"
    desk.press(desk.teaching.save)
    assert any(severity == "error" for severity, _ in notices())
    assert desk.teaching.save.enabled


def test_another_labels_layer_begins_with_the_same_classes(taught, draw):
    desk, _ = taught
    image, labels, _ = draw(seed=3)
    other = desk.open(image, labels, name="other")
    desk.widget.labels.value = other
    lesson = desk.widget.session().lesson
    assert [each.name for each in lesson.classes] == ["disc", "rod"]
    assert not lesson.examples


@pytest.mark.parametrize("method", ["forest", "logistic"])
def test_methods_can_be_changed_while_teaching(taught, method):
    desk, kinds = taught
    desk.teaching.method.value = method
    desk.settle()
    assert desk.widget.session().outcome.taught.settings.method == method
    assert desk.classes() == kinds


def test_frames_of_a_stack_have_examples_of_their_own(desk, draw):
    first, second = draw(seed=0), draw(seed=1)
    image, labels = (np.stack([a, b]) for a, b in zip(first[:2], second[:2], strict=True))
    layer = desk.open(image, labels)
    desk.begin("disc", "rod")
    desk.teach(first[2], frame=(0,))
    found = layer.features
    assert len(found) == 48
    told = dict(zip(zip(found["t"], found["index"], strict=True), found["class"], strict=True))
    assert all(told[t, label] == kind for t in (0, 1) for label, kind in first[2].items())


def test_a_model_s_classes_are_what_teaching_begins_with(taught, draw):
    desk, _ = taught
    desk.teaching.model_name.value = "shapes"
    desk.press(desk.teaching.save)
    image, labels, _ = draw(seed=7)
    other = desk.open(image, labels, name="other")
    desk.widget.labels.value = other
    desk.widget.session().lesson.classes.clear()
    desk.widget.model.value = "shapes"
    desk.run()
    desk.widget.model.value = TEACH
    assert [each.name for each in desk.widget.session().lesson.classes] == ["disc", "rod"]


def test_a_key_after_next_uncertain_is_for_that_object(taught):
    desk, _ = taught
    desk.viewer.cursor.position = (0, 0)  # on the background
    desk.press(desk.teaching.uncertain)
    place = desk.results.objects.selected
    desk.viewer.layers.selection.active = desk.widget.labels.value
    assert desk.viewer.window._qt_viewer._key_map_handler.press_key("1")
    assert desk.widget.session().lesson.examples[place] == "disc"


def test_the_channel_on_screen_is_learnt_from(desk, draw):
    image, labels, kinds = draw()
    two = np.stack([np.zeros_like(image), image])
    desk.viewer.add_image(two, name="plate", axis_labels=("c", "y", "x"))
    layer = desk.viewer.add_labels(labels, name="plate labels")
    assert desk.widget.image.value.name == "plate"
    desk.viewer.dims.set_point(0, 1)
    desk.begin("disc", "rod")
    desk.teach(kinds)
    assert desk.classes(layer) == kinds
    assert desk.widget.session().stock.features["mean_intensity"].min() > 200


def test_a_click_on_the_background_or_a_drag_gives_nothing(desk, draw):
    image, labels, _ = draw()
    layer = desk.open(image, labels)
    desk.begin("disc", "rod")
    desk.results.classes.selected = "rod"
    desk.click_at((0, 0))
    layer.mode = "paint"
    desk.click(2)
    layer.mode = "pan_zoom"
    assert not desk.widget.session().lesson.examples
