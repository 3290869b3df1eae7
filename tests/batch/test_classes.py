"""Classes of the objects that a batch finds."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile
from safetensors.torch import save_file

from napari_spheroseg import models, networks
from napari_spheroseg.batch.carry import ChangedRecipe
from napari_spheroseg.batch.classes import judge_of
from napari_spheroseg.batch.items import File
from napari_spheroseg.batch.run import run_batch, segment_files
from napari_spheroseg.errors import BadSetting
from napari_spheroseg.models import library
from napari_spheroseg.models.model import sha256_of
from napari_spheroseg.readwrite.tiff import write_image


@pytest.fixture
def done(bright, sizes, image, tmp_path):
    """Results of an image."""
    write_image(tmp_path / "a.tif", image)
    out = tmp_path / "out"
    settings = {"outputs": ("labels", "polygons", "classes"), "min_area": 400}
    (item,) = segment_files([tmp_path / "a.tif"], out, str(bright), classify=str(sizes), **settings)
    assert item.error is None
    return out


def test_classes_and_probabilities_are_columns_of_the_measurements(done):
    table = pd.read_csv(done / "measurements.csv")
    assert set(table["class"]) <= {"small", "large"}
    assert table[["probability_small", "probability_large"]].sum(axis=1).to_numpy() == (
        pytest.approx(1)
    )
    assert len(table) == 2


def test_objects_of_each_class_are_counted_in_the_table_of_images(done):
    row = pd.read_csv(done / "images.csv").iloc[0]
    assert row["objects_small"] + row["objects_large"] == row["objects"] == 2


def test_a_map_of_classes_is_written(done):
    labels = tifffile.imread(done / "a_labels.tif")
    found = tifffile.imread(done / "a_classes.tif")
    table = pd.read_csv(done / "measurements.csv").set_index("label")
    for label, name in table["class"].items():
        assert set(found[labels == label]) == {1 + ["small", "large"].index(name)}
    assert not found[labels == 0].any()


def test_polygons_are_named_by_their_class(done):
    features = json.loads((done / "a_polygons.geojson").read_text())["features"]
    names = {each["properties"]["classification"]["name"] for each in features}
    assert names <= {"small", "large"}
    assert "probability_small" in features[0]["properties"]["measurements"]


def test_the_record_says_what_classified(done, sizes):
    recipe = json.loads((done / "run.json").read_text())["written"]
    assert recipe["classify"] == str(sizes)
    made = json.loads((done / "a_polygons.geojson").read_text())["spheroseg"]["recipe"]["made_with"]
    assert made["classification"]["sha256"] == models.load(sizes).metadata.sha256


def test_classes_of_two_classifiers_of_one_name_are_not_mixed(done, sizes, bright, tmp_path):
    metadata = library.read_metadata(sizes)
    network = networks.create("flexresnet", **metadata.arguments)
    save_file(network.state_dict(), sizes / library.WEIGHTS)
    changed = metadata.replace(sha256=sha256_of(sizes / library.WEIGHTS))
    library.write_metadata(sizes, changed)
    settings = {"outputs": ("labels", "polygons", "classes"), "min_area": 400}
    with pytest.raises(ChangedRecipe, match="classify_weights"):
        list(
            segment_files([tmp_path / "a.tif"], done, str(bright), classify=str(sizes), **settings)
        )


def test_a_batch_with_classes_goes_on_with_its_own_settings(done, bright, tmp_path):
    (item,) = segment_files([tmp_path / "a.tif"], done, str(bright), existing="resume")
    assert item.state == "skipped"


def test_classes_without_a_classifier_are_refused_before_anything_is_done(bright, tmp_path):
    with pytest.raises(BadSetting, match="Name a classifier"):
        list(segment_files([], tmp_path / "out", str(bright), outputs=("classes",)))


def test_a_model_that_is_no_classifier_is_refused(bright, tmp_path):
    with pytest.raises(BadSetting, match="for segmentation"):
        list(segment_files([], tmp_path / "out", str(bright), classify=str(bright)))


SLIDE = {"min_area": 400, "large_above": 0.01, "device": "cpu", "backend": "torch", "tile": 64}


def test_a_large_image_has_the_classes_of_a_small_one(done, bright, sizes, tmp_path):
    small = pd.read_csv(done / "measurements.csv")
    out = tmp_path / "large"
    settings = {**SLIDE, "outputs": ("labels", "polygons", "classes")}
    (item,) = segment_files([tmp_path / "a.tif"], out, str(bright), classify=str(sizes), **settings)
    assert (item.error, item.warnings) == (None, ())
    large = pd.read_csv(out / "measurements.csv")
    assert large["class"].tolist() == small["class"].tolist()
    assert large["probability_small"].to_numpy() == pytest.approx(
        small["probability_small"].to_numpy(), abs=1e-2
    )
    assert (tifffile.imread(out / "a_classes.tif") == tifffile.imread(done / "a_classes.tif")).all()
    features = json.loads((out / "a_polygons.geojson").read_text())["features"]
    named = {each["properties"]["classification"]["name"] for each in features}
    assert named == set(large["class"])
    assert pd.read_csv(out / "images.csv").iloc[0][["objects_small", "objects_large"]].sum() == 2


def test_a_large_image_that_has_to_be_seen_at_once_has_no_classes_and_says_so(
    bright, image, tmp_path
):
    from napari_spheroseg.classification.store import save
    from napari_spheroseg.classification.teach import describe, teach

    write_image(tmp_path / "a.tif", image)
    labels = (image > 1000).astype(np.int32)
    labels[:, 80:] *= 2
    save(teach(describe(labels, image), {1: "one", 2: "other"}), "taught")
    out = tmp_path / "out"
    (item,) = segment_files([tmp_path / "a.tif"], out, str(bright), classify="taught", **SLIDE)
    assert item.error is None
    assert "Without classes: The image is too large for 'taught'" in item.warnings[0]
    assert "class" not in pd.read_csv(out / "measurements.csv")


def test_a_large_image_that_cannot_be_classified_leaves_no_files(
    bright, sizes, image, tmp_path, monkeypatch
):
    from napari_spheroseg.batch import large

    def fail(*_):
        raise OSError("no space left")

    write_image(tmp_path / "a.tif", image)
    monkeypatch.setattr(large, "write_large_labels", fail)
    out = tmp_path / "out"
    settings = {**SLIDE, "outputs": ("labels", "classes"), "classify": str(sizes)}
    (item,) = segment_files([tmp_path / "a.tif"], out, str(bright), **settings)
    assert "no space left" in item.error
    assert not list(out.glob("a_*"))


def test_a_batch_is_cancelled_between_batches_of_objects(bright, sizes, image, tmp_path):
    """Features of many objects take long: they are told of, one step after the other."""
    write_image(tmp_path / "a.tif", image)
    events = run_batch([File(tmp_path / "a.tif")], tmp_path / "out", str(bright))
    without = sum(event.item.state == "running" for event in events)
    settings = {"classify": str(sizes), "existing": "overwrite"}
    events = run_batch([File(tmp_path / "a.tif")], tmp_path / "out", str(bright), **settings)
    assert sum(event.item.state == "running" for event in events) > without + 1


def test_tracks_are_classified_by_their_numbers(bright, sizes, image, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([image, image]), metadata={"axes": "TYX"})
    settings = {"min_area": 400, "classify": str(sizes), "track": "overlap"}
    (item,) = segment_files([tmp_path / "a.tif"], tmp_path / "out", str(bright), **settings)
    assert item.error is None
    table = pd.read_csv(tmp_path / "out" / "measurements.csv")
    assert table["track"].tolist() == [1, 2, 1, 2]
    assert table["class"].notna().all()


def test_an_object_of_a_large_image_without_a_class_keeps_its_name(
    bright, sizes, image, tmp_path, monkeypatch
):
    from napari_spheroseg.classification import large

    monkeypatch.setattr(large, "_LARGEST", 1300)
    monkeypatch.setattr(large.judge_by_window, "__defaults__", (64,))
    write_image(tmp_path / "a.tif", image)
    how = {**SLIDE, "min_area": 100, "outputs": ("labels", "polygons")}
    out = tmp_path / "out"
    (item,) = segment_files([tmp_path / "a.tif"], out, str(bright), classify=str(sizes), **how)
    assert "1 of 3 objects have no class" in item.warnings[0]
    features = json.loads((out / "a_polygons.geojson").read_text())["features"]
    named = [each["properties"]["classification"]["name"] for each in features]
    assert named[0] == "spheroid"
    assert set(named[1:]) <= {"small", "large"}


def test_a_classifier_that_takes_the_name_of_another_meanwhile_is_refused(
    bright, sizes, image, tmp_path
):
    model = tmp_path / "sizes"
    shutil.copytree(sizes, model)
    paths = [tmp_path / f"{number}.tif" for number in range(5)]
    for path in paths:
        write_image(path, image)
    items = segment_files(paths, tmp_path / "out", str(bright), classify=str(model))
    assert next(items).error is None
    metadata = library.read_metadata(model)
    network = networks.create("flexresnet", **metadata.arguments)
    save_file(network.state_dict(), model / library.WEIGHTS)
    changed = metadata.replace(sha256=sha256_of(model / library.WEIGHTS))
    library.write_metadata(model, changed)
    last = list(items)[-1]
    assert last.state == "failed"
    assert "Another classifier" in last.error


def test_a_classifier_in_a_folder_with_a_number_sign_is_opened_anew_when_it_changes(
    sizes, tmp_path
):
    model = tmp_path / "run#2" / "sizes"
    shutil.copytree(sizes, model)
    first = judge_of(str(model), "cpu")
    assert judge_of(str(model), "cpu") is first
    os.utime(model / library.METADATA, (1, 1))
    assert judge_of(str(model), "cpu") is not first
