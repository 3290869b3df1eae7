"""``spheroseg classify``."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_spheroseg import models
from napari_spheroseg.classification.run import classify
from napari_spheroseg.readwrite.tiff import write_image, write_labels


@pytest.fixture
def images(image, tmp_path):
    """Two images, and labels of them in another folder."""
    labels = np.where(image > 1000, 1, 0)
    labels[80:, 90:] *= 7
    for name in "ab":
        write_image(tmp_path / "images" / f"{name}.tif", image)
        write_labels(tmp_path / "labels" / f"{name}_labels.tif", labels)
    return tmp_path / "images", tmp_path / "labels"


def test_classes_go_into_a_map_and_a_table(spheroseg, images, sizes, image, tmp_path):
    out = tmp_path / "out"
    status, said, _ = spheroseg(
        "classify", images[0], "-o", out, "--labels", images[1], "--model", sizes
    )
    assert status == 0
    assert "a.tif: 2 objects" in said
    table = pd.read_csv(out / "classes.csv")
    assert list(table) == ["file", "label", "class", "probability_small", "probability_large"]
    assert table["file"].tolist() == ["a.tif", "a.tif", "b.tif", "b.tif"]
    labels = tifffile.imread(images[1] / "a_labels.tif")
    expected = classify(image, labels, sizes)
    assert table["class"].tolist()[:2] == expected["class"].tolist()
    found = tifffile.imread(out / "a_classes.tif")
    first = expected["class"].iloc[0]
    assert set(found[labels == 1]) == {1 + ["small", "large"].index(first)}
    row = pd.read_csv(out / "images.csv").iloc[0]
    assert row["objects_small"] + row["objects_large"] == row["objects"] == 2
    assert json.loads((out / "run.json").read_text())["task"] == "classification"


def test_a_pattern_says_where_labels_are(spheroseg, images, sizes, tmp_path):
    pattern = f"{images[1]}/{{stem}}_labels.tif"
    status, _, _ = spheroseg(
        "classify", images[0], "-o", tmp_path / "out", "--labels", pattern, "--model", sizes
    )
    assert status == 0


def test_an_image_without_labels_fails_alone(spheroseg, images, sizes, tmp_path):
    (images[1] / "a_labels.tif").unlink()
    status, said, complaints = spheroseg(
        "classify", images[0], "-o", tmp_path / "out", "--labels", images[1], "--model", sizes
    )
    assert status == 1
    assert "There are no labels of a.tif" in complaints[0]
    assert "b.tif: 2 objects" in said


def test_labels_of_no_image_cost_no_earlier_result(spheroseg, images, sizes, tmp_path):
    call = ("classify", images[0], "-o", tmp_path / "out", "--model", sizes, "--labels")
    spheroseg(*call, images[1])
    status, _, complaints = spheroseg(*call, images[0])
    assert status == 1
    assert "There are no labels of a.tif" in complaints[0]
    assert (tmp_path / "out" / "a_classes.tif").exists()


def test_what_was_done_is_not_done_again_unless_labels_changed(spheroseg, images, sizes, tmp_path):
    call = ("classify", images[0], "-o", tmp_path / "out", "--labels", images[1], "--model", sizes)
    spheroseg(*call)
    assert "All 2 images were done before" in spheroseg(*call)[1]
    write_labels(images[1] / "b_labels.tif", np.ones((128, 160), int))
    _, said, _ = spheroseg(*call)
    assert "1 of 2 images were done before" in said
    assert "b.tif: 1 object," in said


def test_another_model_is_not_mixed_in(spheroseg, images, sizes, bright, tmp_path):
    call = ("classify", images[0], "-o", tmp_path / "out", "--labels", images[1])
    spheroseg(*call, "--model", sizes)
    status, _, complaints = spheroseg(*call, "--model", sizes, "--size", 24)
    assert status == 2
    assert "size None (now 24)" in complaints[0]
    status, _, complaints = spheroseg(*call, "--model", bright)
    assert status == 2
    assert "for segmentation" in complaints[0]


def test_without_a_model_it_is_the_librarys_default(
    spheroseg, images, sizes, models_folder, tmp_path
):
    shutil.copytree(sizes, models_folder / "sizes")
    models.set_default("sizes")
    out = tmp_path / "out"
    status, _, _ = spheroseg("classify", images[0], "-o", out, "--labels", images[1])
    assert status == 0
    assert json.loads((out / "run.json").read_text())["recipe"]["model"] == "sizes"


def test_several_workers_find_what_one_process_finds(
    spheroseg, images, sizes, tmp_path, monkeypatch
):
    monkeypatch.chdir(images[1].parent)
    how = ("classify", images[0], "--labels", images[1].name, "--model", sizes, "--device", "cpu")
    status, said, complaints = spheroseg(*how, "-o", tmp_path / "two", "--workers", 1)
    assert (status, complaints) == (0, [])
    assert "Watch the workers at http" in said
    spheroseg(*how, "-o", tmp_path / "one")
    one, two = (pd.read_csv(tmp_path / out / "classes.csv") for out in ("one", "two"))
    pd.testing.assert_frame_equal(one, two)


def test_labels_in_files_of_large_images_are_classified_by_window(
    images, sizes, tmp_path, monkeypatch
):
    from napari_spheroseg.batch import classify as batch

    whole, large = tmp_path / "whole", tmp_path / "large"
    how = {"device": "cpu", "backend": "torch"}
    paths = sorted(images[0].iterdir())
    assert not any(
        i.error for i in batch.classify_files(paths, whole, str(images[1]), sizes, **how)
    )
    settings = batch.BatchSettings(large_above=0.001)
    monkeypatch.setattr(batch, "BatchSettings", lambda **_: settings)
    assert not any(
        i.error for i in batch.classify_files(paths, large, str(images[1]), sizes, **how)
    )
    for name in ("a", "b"):
        maps = [tifffile.imread(out / f"{name}_classes.tif") for out in (whole, large)]
        assert np.array_equal(*maps)
    tables = [pd.read_csv(out / "classes.csv") for out in (whole, large)]
    assert tables[0]["class"].equals(tables[1]["class"])
