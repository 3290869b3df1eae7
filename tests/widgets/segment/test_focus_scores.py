"""The segment widget says which objects are out of focus, after it has shown them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import napari_spheroseg as ss
from napari_spheroseg.segmentation import focus as focus_of_objects


@pytest.fixture
def sharp(image):
    """The three discs with texture."""
    rough = gaussian_filter(np.random.default_rng(0).random(image.shape), 1)
    return np.where(image > 1000, 2000 + 4000 * rough, 100 + 10 * rough).astype(np.uint16)


@pytest.fixture
def blurred(sharp):
    return gaussian_filter(sharp, 4)


def judged(session):
    session.wait(lambda: not session.widget._update.judging)
    session.wait(lambda: not session.widget._update._to_measure)
    session.settle()


def test_objects_get_a_focus_score_after_they_are_shown(session, blurred):
    session.viewer.add_image(blurred, name="plate")
    session.run()
    labels = session.layer("plate labels")
    assert "focus_score" not in labels.features
    judged(session)
    assert labels.features["focus_score"].between(0, 1).all()
    assert "objects are out of focus: see focus_score" in session.widget.summary.value


def test_the_scores_are_those_of_the_library(session, sharp):
    session.viewer.add_image(sharp, name="plate")
    session.run()
    judged(session)
    labels = session.layer("plate labels")
    again = ss.segment(sharp, **labels.metadata["spheroseg"], focus=True)
    np.testing.assert_allclose(labels.features["focus_score"], again.table["focus_score"])


def test_scores_stay_when_the_threshold_moves(session, blurred):
    session.viewer.add_image(blurred, name="plate")
    session.run()
    judged(session)
    session.widget.threshold.value = 0.7
    session.settle()
    assert "focus_score" in session.layer("plate labels").features
    assert "out of focus" in session.widget.summary.value


def test_a_threshold_that_moves_meanwhile_gets_its_scores(session, blurred, monkeypatch):
    import time

    original = focus_of_objects.focus_steps

    def slowly(*arguments, **more):
        time.sleep(0.5)
        return (yield from original(*arguments, **more))

    monkeypatch.setattr(focus_of_objects, "focus_steps", slowly)
    session.viewer.add_image(blurred, name="plate")
    session.run()
    session.widget.threshold.value = 0.7
    session.settle()
    labels = session.layer("plate labels")
    assert labels.metadata["spheroseg"]["threshold"] == 0.7
    assert "focus_score" not in labels.features
    judged(session)
    assert "focus_score" in labels.features
    assert labels.metadata["spheroseg"]["threshold"] == 0.7


def test_it_can_be_switched_off_and_on_again(session, blurred):
    session.viewer.add_image(blurred, name="plate")
    session.widget.focus.value = False
    session.run()
    assert not session.widget._update.judging
    assert "out of focus" not in session.widget.summary.value
    session.widget.focus.value = True
    judged(session)
    assert "focus_score" in session.layer("plate labels").features
    session.widget.focus.value = False
    judged(session)
    assert "focus_score" not in session.layer("plate labels").features
    assert "out of focus" not in session.widget.summary.value


def test_corrections_are_not_touched_and_get_scores_too(session, sharp):
    session.viewer.add_image(sharp, name="plate")
    session.run()
    labels = session.layer("plate labels")
    labels.selected_label, labels.brush_size = 9, 12
    labels.paint((100, 20), 9)
    judged(session)
    assert labels.data[100, 20] == 9
    assert session.names == ["plate", "plate labels", "plate polygons"]
    scores = labels.features.set_index("index")["focus_score"]
    assert set(scores.index) == {1, 2, 3, 9}


def test_slices_that_come_one_by_one_are_judged_once_each(session, sharp, blurred):
    session.viewer.add_image(np.stack([sharp, blurred]), name="stack")
    session.widget.frames.value = "Current slice"
    for position in (0, 1):
        session.viewer.dims.set_point(0, position)
        session.run()
        judged(session)
    shown = session.widget._current()
    assert sorted(shown.focus.fields) == [(0,), (1,)]
    assert session.layer("stack labels").features["focus_score"].notna().all()


def test_another_run_makes_the_focus_be_judged_anew(session, sharp, blurred):
    layer = session.viewer.add_image(sharp.copy(), name="plate")
    session.run()
    judged(session)
    before = session.widget._current().focus.score
    layer.data[:] = blurred
    session.run()
    judged(session)
    assert session.widget._current().focus.score < before


def test_a_run_of_another_image_lets_the_first_be_judged_after_it(session, sharp, blurred):
    session.viewer.add_image(sharp, name="first")
    session.run()
    session.widget.image.value = session.viewer.add_image(blurred, name="second")
    session.run()
    judged(session)
    for name in ("first labels", "second labels"):
        assert "focus_score" in session.layer(name).features


def test_saved_tables_and_copied_code_have_them(session, sharp, tmp_path):
    from qtpy.QtWidgets import QApplication

    session.viewer.add_image(sharp, name="plate")
    session.run()
    judged(session)
    session.widget.actions.save_to(tmp_path)
    assert "focus_score" in (tmp_path / "plate_measurements.csv").read_text()
    session.widget.actions.copy_python.native.click()
    assert "focus=True" in QApplication.clipboard().text()
    session.widget.actions.copy_command.native.click()
    assert QApplication.clipboard().text().endswith(" --focus")


def test_without_a_detector_it_is_greyed_and_says_why(make_napari_viewer, monkeypatch):
    monkeypatch.setattr("napari_spheroseg.widgets.segment.focus_box.DETECTOR", "no_such_detector")
    _, widget = make_napari_viewer().window.add_plugin_dock_widget(
        "napari-spheroseg", "Segment spheroids"
    )
    assert not widget.focus.enabled
    assert not widget.focus.value
    assert "no_such_detector" in widget.focus.tooltip


def test_a_detector_that_fails_leaves_the_result_and_is_told(session, sharp, notices, monkeypatch):
    from napari_spheroseg.errors import OutOfMemory

    def fails(*_, **__):
        raise OutOfMemory("There is no memory left")
        yield

    monkeypatch.setattr(focus_of_objects, "focus_steps", fails)
    session.viewer.add_image(sharp, name="plate")
    session.run()
    judged(session)
    assert any("no memory left" in message for _, message in notices())
    assert session.layer("plate labels").data.max() == 3
