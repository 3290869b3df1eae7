"""Classifiers from files, and networks that are fine-tuned, in a real viewer."""

from __future__ import annotations

import joblib
import pandas as pd
import pytest
import skops.io
import yaml
from sklearn.linear_model import LogisticRegression

from napari_spheroseg import models
from napari_spheroseg.training.classification import fine_tune
from napari_spheroseg.widgets.classify.choice import OPEN, TEACH


@pytest.fixture
def by_length():
    """Tells rods, which are longer, from discs."""
    table = pd.DataFrame({"major_axis_length": [14.0, 22, 16, 25, 20, 24]})
    return LogisticRegression().fit(table, [0, 1, 0, 1, 0, 1])


@pytest.fixture
def plate(desk, draw):
    image, labels, kinds = draw()
    desk.open(image, labels)
    return kinds


def open_file(desk, path, allow=True):
    opening = desk.widget.choice.opening
    asked = []
    opening.ask_file = lambda: str(path)
    opening.ask_allow = lambda offer: asked.append(offer.unsafe) or allow
    desk.widget.model.value = OPEN
    desk.wait(lambda: not opening.running)
    return asked


def test_a_collection_s_classifier_is_chosen_and_run(desk, plate, by_length, tmp_path):
    skops.io.dump(by_length, tmp_path / "pi.skops")
    path = tmp_path / "lab.yml"
    path.write_text(yaml.safe_dump({"pi_classification": {"model_path": "pi.skops"}}))
    assert not open_file(desk, path)
    assert desk.widget.model.value == f"{path}#pi_classification"
    assert desk.widget.model.get_choice("pi_classification (lab.yml)")
    assert desk.widget.model.choices[-3:] == (f"{path}#pi_classification", TEACH, OPEN)
    shown = desk.widget.model.native
    assert shown.itemText(shown.count() - 1) == OPEN
    desk.run()
    named = {"disc": "piNEG", "rod": "piPOS"}
    assert desk.classes() == {label: named[kind] for label, kind in plate.items()}


def test_a_pickle_is_opened_only_when_allowed(desk, plate, by_length, tmp_path):
    before = desk.widget.model.value
    joblib.dump(by_length, tmp_path / "pi.joblib")
    (asked,) = open_file(desk, tmp_path / "pi.joblib", allow=False)
    assert len(asked) == 64
    assert desk.widget.model.value == before
    assert str(tmp_path / "pi.joblib") not in desk.widget.model.choices
    open_file(desk, tmp_path / "pi.joblib")
    desk.run()
    assert set(desk.classes().values()) == {"piNEG", "piPOS"}


def test_a_pickle_that_was_allowed_and_changed_is_refused(
    desk, plate, by_length, tmp_path, notices
):
    joblib.dump(by_length, tmp_path / "pi.joblib")
    open_file(desk, tmp_path / "pi.joblib")
    joblib.dump(by_length.set_params(C=7), tmp_path / "pi.joblib")
    desk.run()
    assert any("could run code" in text for _, text in notices())


def test_a_file_without_a_classifier_leaves_the_model(desk, plate, checkpoint, notices):
    before = desk.widget.model.value
    open_file(desk, checkpoint)
    assert desk.widget.model.value == before
    assert any("is a model for segmentation" in text for _, text in notices())


def test_no_file_leaves_the_model(desk, plate):
    before = desk.widget.model.value
    open_file(desk, "")
    assert desk.widget.model.value == before


@pytest.fixture
def many(desk, draw, cells, monkeypatch):
    """Twenty examples of each of two classes, and a short training."""
    monkeypatch.setattr(
        fine_tune.fine_tune_steps,
        "__defaults__",
        (fine_tune.LEARNING.replace(steps=6, batch_size=8),),
    )
    monkeypatch.setattr(fine_tune, "_CROPS", 60)
    image, labels, kinds = draw(count=40)
    desk.open(image, labels)
    desk.begin("disc", "rod")
    desk.widget.teaching.embedding.reset_choices()
    session = desk.widget.session()
    for label, kind in kinds.items():
        if label > 2:
            session.give(((), label), kind)
    desk.give(1, "disc")
    desk.settle()
    desk.tuning = desk.widget.teaching.tuning
    return desk


def test_fine_tuning_is_offered_with_twenty_examples_of_each_class(many):
    assert many.tuning.native.isHidden()
    many.give(2, "rod")
    many.settle()
    assert not many.tuning.native.isHidden()
    many.press(many.teaching.undo)
    assert many.tuning.native.isHidden()


def tune(desk):
    desk.give(2, "rod")
    desk.settle()
    desk.teaching._to_tune = lambda: "cells"
    desk.tuning._base = lambda: "cells"
    desk.tuning.button.native.click()
    desk.wait(lambda: not desk.tuning.running)
    desk.settle()


def test_a_fine_tuned_network_is_installed_and_chosen(many, notices):
    many.teaching.model_name.value = "tuned"
    tune(many)
    assert many.widget.model.value == "tuned"
    assert models.info("tuned").outputs == ("disc", "rod")
    assert many.widget.model.get_choice("tuned")
    assert any("Fine-tuned on 30 objects; of 10 others" in text for _, text in notices())
    many.run()
    assert set(many.classes().values()) <= {"disc", "rod"}


def test_a_name_that_is_taken_is_asked_for_before_anything_is_learnt(many):
    asked = []
    many.teaching.ask = lambda title, question: bool(asked.append(question))
    many.teaching.model_name.value = "unet"
    tune(many)
    assert "ships with the package" in asked[0]
    assert many.widget.model.value == TEACH
    assert not many.tuning.progress.value


def test_a_name_that_cannot_be_used_is_said_at_once(many, notices):
    many.teaching.model_name.value = "no/name"
    tune(many)
    assert any(severity == "error" for severity, _ in notices())
    assert many.tuning.button.text == "Fine-tune network"


def test_fine_tuning_is_cancelled(many, monkeypatch):
    steps = fine_tune.LEARNING.replace(steps=5000, batch_size=8)
    monkeypatch.setattr(fine_tune.fine_tune_steps, "__defaults__", (steps,))
    many.teaching.model_name.value = "tuned"
    many.give(2, "rod")
    many.settle()
    many.tuning._base = lambda: "cells"
    many.tuning.button.native.click()
    many.wait(lambda: many.tuning.progress.max == 5000)
    many.tuning.button.native.click()
    many.wait(lambda: not many.tuning.running)
    assert "tuned" not in {each.name for each in models.known()}
    assert many.widget.model.value == TEACH


def test_without_an_image_no_network_is_fine_tuned(many):
    many.give(2, "rod")
    many.widget.image.value = None
    many.settle()
    assert many.tuning.native.isHidden()
