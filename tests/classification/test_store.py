"""Taught classifiers as models."""

import json
import shutil
import zipfile

import numpy as np
import pytest

from napari_spheroseg import models
from napari_spheroseg.classification.examples import TeachSettings, object_classes
from napari_spheroseg.classification.run import classify
from napari_spheroseg.classification.store import open_taught, save
from napari_spheroseg.classification.teach import describe, teach
from napari_spheroseg.errors import BadSetting, NameTaken, UnsafeFile, WrongWeights
from napari_spheroseg.models.collections.packing import pack


@pytest.fixture(scope="module")
def lesson(draw_kinds):
    """Image, labels and examples."""
    return draw_kinds(6, seed=1)


@pytest.fixture(params=["forest", "logistic"])
def taught(lesson, request):
    image, labels, kinds = lesson
    settings = TeachSettings(method=request.param, trees=10)
    classes = object_classes(sorted(set(kinds.values())))
    return teach(describe(labels, image), kinds, classes, settings)


def test_a_saved_classifier_runs_by_its_name_as_it_did(lesson, taught):
    image, labels, _ = lesson
    save(taught, "kinds")
    expected = taught.predict(describe(labels, image))
    assert classify(image, labels, "kinds").equals(expected)


def test_classes_keep_their_colours_and_keys(taught):
    save(taught, "kinds", title="Four kinds")
    opened = open_taught(models.load("kinds"))
    assert opened.objects == taught.objects
    assert opened.examples == taught.examples
    assert opened.check.accuracy == taught.check.accuracy


def test_it_is_listed_verified_renamed_and_removed_like_any_model(taught):
    save(taught, "kinds", title="Four kinds")
    assert ("kinds", "classification") in {(each.name, each.task) for each in models.available()}
    assert [each.is_good for each in models.verify("kinds")] == [True]
    models.rename("kinds", "sorts")
    models.remove("sorts")
    assert "sorts" not in {each.name for each in models.available()}


def test_a_folder_of_it_can_be_installed_elsewhere(lesson, taught, tmp_path, models_folder):
    save(taught, "kinds")
    shutil.move(models_folder / "kinds", tmp_path / "kinds")
    models.install(tmp_path / "kinds", "again")
    assert len(classify(*lesson[:2], "again")) == len(lesson[2])


def test_it_can_be_packed_into_a_collection(lesson, taught, tmp_path):
    save(taught, "kinds")
    expected = classify(*lesson[:2], "kinds")
    collection = pack(["kinds"], tmp_path / "lab.zip")
    assert "kinds/classifier.skops" in zipfile.ZipFile(collection).namelist()
    assert classify(*lesson[:2], f"{collection}#kinds").equals(expected)
    models.remove("kinds")
    models.install(collection)
    assert classify(*lesson[:2], "kinds").equals(expected)


def test_a_name_that_is_taken_is_refused_unless_asked(taught):
    save(taught, "kinds")
    with pytest.raises(BadSetting, match="installed already"):
        save(taught, "kinds")
    save(taught, "kinds", replace=True)


def test_a_model_that_ships_is_covered_only_when_asked(lesson, taught):
    with pytest.raises(NameTaken, match="ships with the package"):
        save(taught, "unet")
    save(taught, "unet", replace=True)
    save(taught, "unet", replace=True)
    assert models.info("unet").is_taught
    with pytest.raises(NameTaken, match="installed already"):
        save(taught, "unet")


def test_a_shared_model_is_covered_only_when_asked(taught, tmp_path, monkeypatch, models_folder):
    save(taught, "kinds")
    shutil.move(models_folder / "kinds", tmp_path / "lab" / "kinds")
    monkeypatch.setenv("SPHEROSEG_SHARED_MODELS", str(tmp_path / "lab"))
    with pytest.raises(NameTaken, match="shared"):
        save(taught, "kinds")


def test_a_name_that_leaves_the_folder_is_refused(taught):
    with pytest.raises(BadSetting, match="name"):
        save(taught, "../kinds")


def test_a_changed_file_is_not_opened(lesson, taught, models_folder):
    save(taught, "kinds")
    with (models_folder / "kinds" / "classifier.skops").open("ab") as file:
        file.write(b"0")
    with pytest.raises(WrongWeights, match="not those that its model"):
        classify(*lesson[:2], "kinds")


def test_types_that_could_run_code_are_not_made(lesson, taught, models_folder):
    import hashlib

    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    save(taught, "kinds")
    content = skops.io.dumps(FunctionTransformer(json.loads))
    folder = models_folder / "kinds"
    (folder / "classifier.skops").write_bytes(content)
    described = json.loads((folder / "model.json").read_text())
    described["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(described))
    with pytest.raises(UnsafeFile, match=r"json\..*loads"):
        classify(*lesson[:2], "kinds")


def test_a_file_of_another_classifier_is_refused(lesson, taught, models_folder):
    image, labels, _ = lesson
    save(taught, "kinds")
    path = models_folder / "kinds" / "model.json"
    described = json.loads(path.read_text())
    described["arguments"]["features"].pop()
    path.write_text(json.dumps(described))
    with pytest.raises(WrongWeights, match="not the classifier"):
        classify(image, labels, "kinds")


def test_one_that_was_taught_in_micrometres_needs_the_pixel_size(lesson):
    image, labels, kinds = lesson
    taught = teach(describe(labels, image, pixel_size=0.5), kinds)
    save(taught, "in_um")
    with pytest.raises(BadSetting, match="taught in µm"):
        classify(image, labels, "in_um")
    assert len(classify(image, labels, "in_um", pixel_size=0.5)) == len(kinds)


def test_one_that_learnt_from_a_network_is_not_run_with_other_weights(
    lesson, classifier_folder, tmp_path
):
    image, labels, kinds = lesson
    folder = shutil.copytree(classifier_folder, tmp_path / "eye")
    settings = TeachSettings(embedding=str(folder), trees=10)
    save(teach(describe(labels, image, settings), kinds, settings=settings), "seen")
    assert len(classify(image, labels, "seen")) == len(kinds)
    described = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(described | {"sha256": "0" * 64}))
    with pytest.raises(BadSetting, match="No model here has the weights"):
        classify(image, labels, "seen")


def test_the_network_that_it_learnt_from_may_have_another_name_now(
    lesson, classifier_folder, tmp_path, models_folder
):
    image, labels, kinds = lesson
    models.install(classifier_folder, "eye")
    settings = TeachSettings(embedding="eye", trees=10)
    save(teach(describe(labels, image, settings), kinds, settings=settings), "seen")
    expected = classify(image, labels, "seen")
    models.rename("eye", "sight")
    assert classify(image, labels, "seen").equals(expected)


def test_the_name_of_the_network_that_it_learnt_from_may_be_that_of_another_kind_now(
    lesson, classifier_folder, bright, models_folder
):
    image, labels, kinds = lesson
    models.install(classifier_folder, "eye")
    settings = TeachSettings(embedding="eye", trees=10)
    save(teach(describe(labels, image, settings), kinds, settings=settings), "seen")
    expected = classify(image, labels, "seen")
    models.rename("eye", "sight")
    models.install(bright, "eye")
    assert classify(image, labels, "seen").equals(expected)


def test_it_is_no_network(taught):
    save(taught, "kinds")
    with pytest.raises(WrongWeights, match="taught by examples"):
        _ = models.load("kinds").network


def test_it_is_not_offered_for_segmentation(lesson, taught):
    from napari_spheroseg import segment

    save(taught, "kinds")
    with pytest.raises((BadSetting, WrongWeights)):
        segment(np.zeros((32, 32)), "kinds")
