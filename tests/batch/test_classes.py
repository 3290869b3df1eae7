"""Classes of the objects that a batch finds."""

import json

import pandas as pd
import pytest
import tifffile
import torch
from safetensors.torch import save_file

from napari_spheroseg import models, networks
from napari_spheroseg.batch.run import segment_files
from napari_spheroseg.errors import BadSetting
from napari_spheroseg.models import ModelMetadata, library
from napari_spheroseg.models.metadata import Crop
from napari_spheroseg.models.model import sha256_of
from napari_spheroseg.readwrite.tiff import write_image


@pytest.fixture
def sizes(tmp_path):
    """Folder of a classifier of random weights."""
    folder = tmp_path / "sizes"
    folder.mkdir()
    torch.manual_seed(0)
    arguments = {"num_classes": 2, "min_size": 16, "initial_filters": 4}
    save_file(networks.create("flexresnet", **arguments).state_dict(), folder / library.WEIGHTS)
    metadata = ModelMetadata(
        name="sizes",
        title="Sizes",
        task="classification",
        network="flexresnet",
        arguments=arguments,
        outputs=("small", "large"),
        crop=Crop(size=16),
        sha256=sha256_of(folder / library.WEIGHTS),
    )
    library.write_metadata(folder, metadata)
    return folder


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


def test_classes_without_a_classifier_are_refused_before_anything_is_done(bright, tmp_path):
    with pytest.raises(BadSetting, match="Name a classifier"):
        list(segment_files([], tmp_path / "out", str(bright), outputs=("classes",)))


def test_a_model_that_is_no_classifier_is_refused(bright, tmp_path):
    with pytest.raises(BadSetting, match="for segmentation"):
        list(segment_files([], tmp_path / "out", str(bright), classify=str(bright)))
