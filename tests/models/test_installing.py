"""Installing and renaming: whole, or not at all."""

import pytest
import torch

from napari_spheroseg import models
from napari_spheroseg.errors import BadSetting, UnknownName, UnreadableFile, WrongWeights
from napari_spheroseg.models import installing
from napari_spheroseg.models.model import sha256_of

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


def test_a_shipped_model_keeps_its_name():
    with pytest.raises(BadSetting, match="stays as it is"):
        models.rename("hrnet", "mine")


def test_what_is_not_there_cannot_be_renamed():
    with pytest.raises(UnknownName):
        models.rename("nothing", "mine")
