"""Installing and renaming: whole, or not at all."""

import os
import shutil

import pytest
import torch

from napari_spheroseg import models
from napari_spheroseg.errors import BadSetting, UnknownName, UnreadableFile, WrongWeights
from napari_spheroseg.models import installing
from napari_spheroseg.models.library import read_metadata
from napari_spheroseg.models.model import sha256_of
from napari_spheroseg.models.staging import staged
from napari_spheroseg.readwrite.atomic import UMASK

SHIPPED = ["hrnet", "cbam_resunet"]


def names():
    return [each.name for each in models.available()]


def everything_in(folder):
    found = (path for path in folder.rglob("*") if path.name != ".lock")
    return sorted(str(path.relative_to(folder)) for path in found)


def same(first, second):
    return all(torch.equal(second[key], value) for key, value in first.items())


def test_an_installed_checkpoint_is_loaded_by_its_name(checkpoint, small_network):
    models.install(checkpoint, "mine")
    assert same(models.load("mine").network.state_dict(), small_network.state_dict())


def test_an_installed_model_is_available(checkpoint):
    models.install(checkpoint, "mine")
    assert "mine" in names()


def test_a_model_is_called_like_its_file_where_no_name_is_given(checkpoint):
    assert models.install(checkpoint).name == "spheroids"


def test_a_model_folder_is_installed_with_its_metadata(bright):
    metadata = models.install(bright, "copy")
    assert metadata.preparation == models.load(bright).metadata.preparation
    assert models.load("copy").metadata == metadata


def test_an_installed_model_names_the_file_that_it_came_from(checkpoint):
    assert models.install(checkpoint, "mine").source == "spheroids.pth"


def test_an_installed_model_is_safetensors_with_a_checksum(checkpoint, models_folder):
    metadata = models.install(checkpoint, "mine")
    assert everything_in(models_folder) == ["mine", "mine/model.json", "mine/weights.safetensors"]
    assert metadata.sha256 == sha256_of(models_folder / "mine" / "weights.safetensors")


def test_optimiser_state_is_left_behind(small_network, tmp_path, models_folder):
    state = small_network.state_dict()
    much = {"state_dict": state, "optimizer_state_dict": {"m": torch.zeros(500_000)}}
    torch.save(much, tmp_path / "a.pth")
    models.install(tmp_path / "a.pth", "mine")
    size = (models_folder / "mine" / "weights.safetensors").stat().st_size
    assert size < 1.2 * sum(value.numel() * 4 for value in state.values()) + 10_000


def test_a_name_that_is_taken_is_refused(checkpoint):
    models.install(checkpoint, "mine")
    with pytest.raises(BadSetting, match=r"'mine' is installed already.*replace"):
        models.install(checkpoint, "mine")


def test_a_model_can_be_replaced(checkpoint, bright):
    models.install(checkpoint, "mine")
    models.install(bright, "mine", replace=True)
    assert models.load("mine").metadata.arguments["in_channels"] == 1


def test_a_model_can_be_replaced_by_itself(checkpoint, small_network):
    models.install(checkpoint, "mine")
    models.install("mine", "mine", replace=True)
    assert same(models.load("mine").network.state_dict(), small_network.state_dict())


@pytest.mark.parametrize("bad", ["../up", "a/b", ".hidden", "a b", "-x"])
def test_a_name_that_is_no_folder_name_installs_nothing(bad, checkpoint, models_folder):
    with pytest.raises(BadSetting):
        models.install(checkpoint, bad)
    assert not models_folder.exists() or everything_in(models_folder.parent) == ["user"]


def test_a_failed_install_leaves_nothing_behind(tmp_path, models_folder):
    torch.save({"state_dict": {"a": torch.ones(2)}}, tmp_path / "a.pth")
    with pytest.raises(WrongWeights):
        models.install(tmp_path / "a.pth", "mine")
    assert not models_folder.exists() or everything_in(models_folder) == []


def test_a_failed_write_leaves_nothing_behind(checkpoint, models_folder, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(installing, "write_metadata", full)
    with pytest.raises(OSError, match="No space"):
        models.install(checkpoint, "mine")
    assert everything_in(models_folder) == []


def test_a_failed_replacement_leaves_the_old_model(checkpoint, bright, monkeypatch):
    models.install(checkpoint, "mine")
    monkeypatch.setattr(installing, "write_metadata", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        models.install(bright, "mine", replace=True)
    assert models.load("mine").metadata.source == "spheroids.pth"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_checkpoint_takes_the_place_of_a_shipped_model(name, checkpoint):
    models.install(checkpoint, name)
    assert name in names()
    assert models.load(name).metadata.network == "unet"


def test_a_replaced_shipped_model_keeps_its_place(checkpoint):
    before = [each.name for each in models.known()]
    models.install(checkpoint, "hrnet")
    assert [each.name for each in models.known()] == before
    assert models.info("hrnet").title == "UNet"


@pytest.mark.parametrize("bad", ["con", "aux.1", "dot.", "a" * 101])
def test_a_name_that_not_every_system_keeps_is_refused(bad, checkpoint):
    with pytest.raises(BadSetting, match="up to 100 letters"):
        models.install(checkpoint, bad)


@pytest.mark.parametrize(("stem", "name"), [("aux", "aux_"), ("b" * 240, "b" * 100)])
def test_a_file_of_any_name_becomes_a_model_that_can_be_removed_and_bundled(
    stem, name, checkpoint, tmp_path
):
    models.install(shutil.copy(checkpoint, tmp_path / f"{stem}.pth"))
    models.pack([name], tmp_path / "one.zip")
    models.remove(name)
    models.install(tmp_path / "one.zip")
    assert name in names()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_what_is_made_of_a_model_can_be_read_by_others_from_the_beginning(models_folder):
    with staged(models_folder) as stage:
        assert stage.stat().st_mode & 0o777 == 0o777 & ~UMASK


# ---------------------------------------------------------------- rename


def test_a_renamed_model_is_the_same_under_its_new_name(checkpoint, small_network, models_folder):
    models.install(checkpoint, "mine")
    (models_folder / "mine" / "README.md").write_text("# The card")
    metadata = models.rename("mine", "yours")
    assert everything_in(models_folder) == [
        "yours",
        "yours/README.md",
        "yours/model.json",
        "yours/weights.safetensors",
    ]
    assert models.info("yours") == metadata
    assert metadata.name == "yours"
    assert same(models.load("yours").network.state_dict(), small_network.state_dict())


def test_a_model_is_not_renamed_to_a_name_that_is_taken(checkpoint, bright):
    models.install(checkpoint, "mine")
    models.install(bright, "yours")
    with pytest.raises(BadSetting, match="'yours' is installed already"):
        models.rename("mine", "yours")
    assert models.info("mine").source == "spheroids.pth"
    assert models.info("yours").source == "bright"


@pytest.mark.parametrize("bad", ["../up", "a/b", ".hidden", "a b", "-x", ""])
def test_a_model_is_not_renamed_to_what_is_no_folder_name(bad, checkpoint, models_folder):
    models.install(checkpoint, "mine")
    before = everything_in(models_folder.parent)
    with pytest.raises(BadSetting):
        models.rename("mine", bad)
    assert everything_in(models_folder.parent) == before


def test_a_failed_renaming_leaves_the_model_as_it_was(checkpoint, models_folder, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    models.install(checkpoint, "mine")
    before = everything_in(models_folder)
    monkeypatch.setattr(installing, "write_metadata", full)
    with pytest.raises(UnreadableFile, match="No space"):
        models.rename("mine", "yours")
    assert everything_in(models_folder) == before
    assert models.info("mine").name == "mine"


def test_a_folder_that_cannot_be_moved_keeps_its_metadata(checkpoint, models_folder, monkeypatch):
    def stuck(*_):
        raise PermissionError(13, "Permission denied")

    models.install(checkpoint, "mine")
    monkeypatch.setattr("pathlib.Path.rename", stuck)
    with pytest.raises(UnreadableFile, match="Permission denied"):
        models.rename("mine", "yours")
    assert read_metadata(models_folder / "mine").name == "mine"


def test_a_damaged_model_is_not_renamed_to_the_shipped_one_that_it_covers(models_folder):
    (models_folder / "unet").mkdir(parents=True)
    (models_folder / "unet" / "model.json").write_text("{")
    with pytest.raises(UnreadableFile):
        models.rename("unet", "mine")
    assert everything_in(models_folder) == ["unet", "unet/model.json"]


def test_a_model_that_others_install_while_it_is_renamed_is_not_lost(
    checkpoint, bright, monkeypatch
):
    models.install(checkpoint, "mine")
    read = installing.own_folder

    def slowly(name):
        folder = read(name)
        models.install(bright, "mine", replace=True)
        return folder

    monkeypatch.setattr(installing, "own_folder", slowly)
    models.rename("mine", "yours")
    assert same(models.load("yours").network.state_dict(), models.load(bright).network.state_dict())
    assert models.info("yours").source == "bright"


def test_the_default_is_followed_to_its_new_name(bright):
    models.install(bright, "mine")
    models.set_default("mine")
    models.rename("mine", "yours")
    assert models.default() == "yours"


def test_a_shipped_model_keeps_its_name():
    with pytest.raises(BadSetting, match="stays as it is"):
        models.rename("hrnet", "mine")


def test_what_is_not_there_cannot_be_renamed():
    with pytest.raises(UnknownName):
        models.rename("nothing", "mine")
