import json
import zipfile

import numpy as np
import pytest
import torch
import yaml

import napari_spheroseg as ss
from napari_spheroseg import models, networks
from napari_spheroseg.errors import (
    BadSetting,
    NoWeights,
    SpherosegError,
    UnknownName,
    UnreadableFile,
    WrongWeights,
)
from napari_spheroseg.models.collections.reproduce import compare


@pytest.fixture
def packed(bright, tmp_path):
    """A collection of two models."""
    models.install(bright, "one")
    models.install(bright, "two")
    return models.pack(["one", "two"], tmp_path / "both.zip", licence="MIT")


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """The models folder of another machine, empty."""
    monkeypatch.setenv("SPHEROSEG_MODELS", str(tmp_path / "elsewhere"))
    return tmp_path / "elsewhere"


def names():
    return [each.name for each in models.available()]


def rewrite(path, change):
    """Change the files of a zip, by name."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


# ---------------------------------------------------------------- round trip


def test_a_collection_gives_the_same_labels_in_another_library(packed, elsewhere, bright, image):
    models.install(packed)
    assert {"one", "two"} <= set(names())
    before = ss.segment(image, bright, device="cpu", backend="torch", precision="float32")
    after = ss.segment(image, "two", device="cpu", backend="torch", precision="float32")
    assert np.array_equal(before.labels, after.labels)
    assert after.labels.max() == 3


def test_installing_says_that_this_machine_finds_the_same(packed, elsewhere):
    installed = models.install_collection(packed)
    assert [each.metadata.name for each in installed] == ["one", "two"]
    assert all(each.reproduction.is_identical for each in installed)
    assert str(installed[0].reproduction) == "reproduced bit for bit"


def test_a_model_that_finds_something_else_is_told_with_dice(packed, elsewhere):
    def move(files):
        import hashlib
        import io

        labels = np.load(io.BytesIO(files["one/sample_labels.npy"]))
        buffer = io.BytesIO()
        np.save(buffer, np.roll(labels, 3, axis=0))
        files["one/sample_labels.npy"] = buffer.getvalue()
        content = json.loads(files["collection.json"])
        checksum = hashlib.sha256(buffer.getvalue()).hexdigest()
        content["models"]["one"]["files"]["sample_labels.npy"] = checksum
        files["collection.json"] = json.dumps(content)

    reproduction = models.install_collection(rewrite(packed, move))[0].reproduction
    assert not reproduction.is_identical
    assert 0 < reproduction.dice < 1
    assert "Dice 0." in str(reproduction)


def test_dice_of_halves_that_overlap_by_half_is_a_half():
    one, two = np.zeros((2, 8, 8), np.int32)
    one[:, :4], two[:, 2:6] = 1, 1
    assert compare(one, two).dice == 0.5


def test_the_same_models_give_the_same_file(packed, tmp_path):
    again = models.pack(["one", "two"], tmp_path / "again.zip", licence="MIT", name="both")
    assert again.read_bytes() == packed.read_bytes()


def test_collection_json_says_checksum_licence_card_and_sample(packed, bright, models_folder):
    with zipfile.ZipFile(packed) as archive:
        content = json.loads(archive.read("collection.json"))
    assert (content["name"], content["licence"]) == ("both", "MIT")
    one = content["models"]["one"]
    assert one["files"]["weights.safetensors"] == models.info("one").sha256
    assert one["sample"] in one["files"]
    assert one["card"] is None


def test_a_card_travels_along(bright, tmp_path, models_folder, monkeypatch):
    models.install(bright, "one")
    (models_folder / "one" / "README.md").write_text("the card")
    path = models.pack(["one"], tmp_path / "a.zip")
    monkeypatch.setenv("SPHEROSEG_MODELS", str(tmp_path / "elsewhere"))
    models.install(path, "renamed")
    assert (tmp_path / "elsewhere" / "renamed" / "README.md").read_text() == "the card"


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize("file", ["weights.safetensors", "model.json", "sample_image.npy"])
def test_a_file_that_was_changed_is_damage_and_installs_none(file, packed, elsewhere):
    def change(files):
        files[f"two/{file}"] = files[f"two/{file}"][:-1] + b"?"

    with pytest.raises(WrongWeights, match=r"'two' of both\.zip is damaged"):
        models.install(rewrite(packed, change))
    assert not elsewhere.exists()


def test_a_file_that_is_missing_is_damage(packed):
    rewrite(packed, lambda files: files.pop("one/weights.safetensors"))
    collection = models.open_collection(packed)
    assert collection.entries["one"].state == "damaged"
    assert collection.entries["two"].state == "loadable"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("models: []", BadSetting),
        ("models: unet", BadSetting),
        ("models: [unet, unet]", BadSetting),
        ("models: [nothing]", UnknownName),
        ("models: [waiting]", NoWeights),
        ("{models: [one], colour: red}", BadSetting),
        ("{models: [one], name: ../up}", BadSetting),
        ("segmentation: {}", SpherosegError),
        ("segmentation: {model_path: nothing.pth}", UnreadableFile),
        ("strange: {}", UnknownName),
        ("tracker: {config_path: nothing.yml}", UnreadableFile),
        ("_bundle_metadata: {}", BadSetting),
    ],
)
def test_a_bad_bundle_is_refused_and_leaves_no_file(text, error, tmp_path, bright, waiting):
    models.install(bright, "one")
    (tmp_path / "bundle.yaml").write_text(text)
    with pytest.raises(error):
        models.bundle(tmp_path / "bundle.yaml", tmp_path / "out.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.yaml"]


# ---------------------------------------------------------------- HiTMicTools' form


@pytest.fixture
def theirs(tmp_path):
    """A bundle YAML in the way of HiTMicTools, with scaler_args and classes in the wrong place."""
    torch.manual_seed(0)
    unet = networks.create("monai_unet", channels=[4, 8], strides=[2])
    torch.save({"state_dict": unet.state_dict(), "epoch": 3}, tmp_path / "best.pt")
    arguments = {"channels": [4, 8], "strides": [2]}
    (tmp_path / "best.json").write_text(json.dumps({"model_args": arguments}))
    (tmp_path / "track.yml").write_text("max_distance: 9")
    (tmp_path / "pi.joblib").write_bytes(b"not opened")
    config = {
        "segmentation": {
            "model_path": "best.pt",
            "model_metadata": "best.json",
            "inferer_args": {
                "patch_size": 128,
                "overlap_ratio": 0.25,
                "scale_method": "fixed_range",
            },
            "scaler_args": {"bit_depth": 12},
        },
        "pi_classification": {"model_path": "pi.joblib"},
        "tracker": {"config_path": "track.yml"},
    }
    (tmp_path / "bundle.yaml").write_text(yaml.safe_dump(config))
    return models.bundle(tmp_path / "bundle.yaml", tmp_path / "cells_20260101.zip"), unet


def test_a_bundle_has_the_names_that_hitmictools_looks_for(theirs):
    with zipfile.ZipFile(theirs[0]) as archive:
        assert sorted(archive.namelist()) == [
            "config.yml",
            "config_tracker.yml",
            "metadata/MonaiUnet-segmentation.json",
            "models/MonaiUnet-segmentation.pth",
            "models/PIClassifier.joblib",
        ]
        description = json.loads(archive.read("metadata/MonaiUnet-segmentation.json"))
        config = yaml.safe_load(archive.read("config.yml"))
    assert description["original_name"] == "best.pt"
    assert config["_bundle_metadata"]["source_config"] == "bundle.yaml"
    assert config["segmentation"]["inferer_args"]["scaler_args"] == {"bit_depth": 12}


def test_a_bundle_holds_a_plain_state_dict_without_what_training_left(theirs, tmp_path):
    with zipfile.ZipFile(theirs[0]) as archive:
        archive.extract("models/MonaiUnet-segmentation.pth", tmp_path)
    state = torch.load(tmp_path / "models" / "MonaiUnet-segmentation.pth", weights_only=True)
    assert list(state) == list(theirs[1].state_dict())


def test_a_bundle_is_read_back_with_the_same_weights(theirs):
    collection = models.open_collection(theirs[0])
    state = collection.load("segmentation").network.state_dict()
    assert all(torch.equal(state[key], v) for key, v in theirs[1].state_dict().items())
    assert collection.tracker == {"max_distance": 9}
    assert collection.entries["pi_classification"].state == "unsafe file"


def test_a_model_without_a_package_to_run_it_is_passed_over_at_install(theirs):
    models.install(theirs[0])
    assert names()[-1] == "cells-segmentation"


# ---------------------------------------------------------------- verify


def test_models_that_are_whole_are_good(bright, waiting):
    models.install(bright, "one")
    verdicts = {each.name: each for each in models.verify()}
    assert all(each.is_good for each in verdicts.values())
    assert str(verdicts["one"]) == "one: ok"
    assert "no weights" in str(verdicts["waiting"])
    assert "unet" in verdicts


@pytest.mark.parametrize("file", ["weights.safetensors", "model.json"])
def test_a_changed_file_fails(file, bright, models_folder):
    models.install(bright, "one")
    path = models_folder / "one" / file
    path.write_bytes(path.read_bytes()[:-3])
    (verdict,) = models.verify("one")
    assert not verdict.is_good
    assert "FAILED" in str(verdict)


def test_a_model_that_is_not_there_cannot_be_verified():
    with pytest.raises(UnknownName):
        list(models.verify("nothing"))


def test_weights_that_are_gone_are_told_and_not_the_zip(bright, models_folder, tmp_path):
    models.install(bright, "mine")
    (models_folder / "mine" / "weights.safetensors").unlink()
    with pytest.raises(UnreadableFile, match=r"^The weights of 'mine' are missing"):
        models.pack(["mine"], tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
