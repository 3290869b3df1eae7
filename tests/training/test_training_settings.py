from pathlib import Path

import pytest

from napari_spheroseg.errors import BadSetting, UnreadableFile
from napari_spheroseg.training.settings import Augmentation, Data, TrainingSettings

DATA = {"manifest": "all.csv"}
LEAST = {"name": "mine", "data": DATA, "network": "unet"}


@pytest.fixture
def write(tmp_path):
    """The function that writes a YAML file."""

    def to_file(text):
        path = tmp_path / "config.yaml"
        path.write_text(text, "utf-8")
        return path

    return to_file


def test_a_name_data_and_a_network_are_enough():
    settings = TrainingSettings(**LEAST)
    assert settings.steps == settings.epochs * settings.steps_per_epoch


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": "../mine"}, "name"),
        ({"name": ""}, "name"),
        ({"start": "unet"}, "either a model to start from, or a network"),
        ({"network": None}, "either a model to start from, or a network"),
        ({"epochs": 0}, "epochs"),
        ({"crop": 100}, "crop"),
        ({"crop": 32}, "crop"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"average": 1}, "average"),
        ({"schedule": "random"}, "schedule"),
        ({"colour": "red"}, "no setting 'colour'"),
        ({"loss": {"name": "l2"}}, "loss.*name"),
        ({"augmentation": {"noise": 2}}, "augmentation.*noise"),
        ({"augmentation": {"noize": 1}}, "augmentation.*no setting 'noize'"),
        ({"augmentation": {"diameter": [0, 50]}}, "smaller and a larger"),
        ({"augmentation": {"diameter": [50, 20]}}, "smaller and a larger"),
        ({"data": DATA | {"validation_share": 1}}, "validation_share"),
        ({"data": DATA | {"sources": {"a": 0}}}, "sources"),
        ({"data": DATA | {"sources": {"a": -1}}}, "sources"),
        ({"early_stopping": {"patience": 0}}, "patience"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(changes, complaint):
    with pytest.raises(BadSetting, match=complaint):
        TrainingSettings(**(LEAST | changes))


@pytest.mark.parametrize(
    "places",
    [
        {},
        {"images": "a"},
        {"masks": "b"},
        {"manifest": "c.csv", "images": "a", "masks": "b"},
        {"manifest": "c.csv", "masks": "b"},
    ],
)
def test_data_are_in_a_manifest_or_in_two_folders(places):
    with pytest.raises(BadSetting):
        Data(**places)


def test_settings_survive_json():
    settings = TrainingSettings(**LEAST, augmentation={"diameter": [20, 30]}, early_stopping=None)
    assert TrainingSettings(**settings.model_dump(mode="json")) == settings


def test_equal_augmentations_share_their_transforms():
    assert hash(Augmentation(noise=0.1)) == hash(Augmentation(noise=0.1))


def test_a_yaml_file_is_read(write):
    path = write("name: mine\nnetwork: unet\ndata: {manifest: all.csv}\nloss: {name: tversky}\n")
    settings = TrainingSettings.read(path)
    assert (settings.name, settings.loss.name) == ("mine", "tversky")


def test_paths_are_relative_to_the_file(write, tmp_path):
    text = "name: mine\nnetwork: unet\ndata: {images: here/images, masks: /there/masks}\n"
    data = TrainingSettings.read(write(text)).data
    assert data.images == tmp_path / "here" / "images"
    assert data.masks == Path("/there/masks")


def test_a_given_manifest_takes_the_place_of_the_files_data(write, tmp_path):
    text = "name: mine\nnetwork: unet\ndata: {images: a, masks: b, synthetic_share: 0.5}\n"
    data = TrainingSettings.read(write(text), tmp_path / "other.csv").data
    assert (data.manifest, data.images, data.masks) == (tmp_path / "other.csv", None, None)
    assert data.synthetic_share == 0.5


@pytest.mark.parametrize(
    ("text", "error", "complaint"),
    [
        ("name: [", UnreadableFile, "config.yaml cannot be read"),
        ("", UnreadableFile, "holds no settings"),
        ("- a\n- b\n", UnreadableFile, "holds no settings"),
        ("name: mine\nnetwork: unet\n", BadSetting, "lacks 'data'"),
        ("network: unet\ndata: {manifest: a.csv}\n", BadSetting, "lacks 'name'"),
        ("name: mine\nnetwork: unet\ndata: here\n", BadSetting, "data"),
        ("name: mine\nnetwork: unet\ndata: {manifest: a}\n3: x\n", BadSetting, "no setting '3'"),
        ("name: mine\nnetwork: unet\ndata: {manifest: a}\nepochs: ten\n", BadSetting, "epochs"),
    ],
)
def test_a_file_that_is_wrong_says_why(write, text, error, complaint):
    with pytest.raises(error, match=complaint):
        TrainingSettings.read(write(text))


def test_a_file_that_is_missing_or_binary_is_unreadable(tmp_path):
    with pytest.raises(UnreadableFile, match="cannot be read"):
        TrainingSettings.read(tmp_path / "nothing.yaml")
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(UnreadableFile, match="cannot be read"):
        TrainingSettings.read(tmp_path / "picture.yaml")
