"""Classes of the objects that a batch finds."""

import json

import pandas as pd
import pytest
import tifffile
from safetensors.torch import save_file

from napari_spheroseg import models, networks
from napari_spheroseg.batch.carry import ChangedRecipe
from napari_spheroseg.batch.run import segment_files
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
