import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from napari_spheroseg import models, networks
from napari_spheroseg.errors import (
    BadSetting,
    NoWeights,
    SpherosegError,
    UnknownName,
    UnreadableFile,
    WrongWeights,
)
from napari_spheroseg.models import library
from napari_spheroseg.models.model import sha256_of

SHIPPED = ["hrnet", "cbam_resunet"]


def names():
    return [each.name for each in models.available()]


def everything_in(folder):
    found = (path for path in folder.rglob("*") if path.name != ".lock")
    return sorted(str(path.relative_to(folder)) for path in found)


def same(first, second):
    return all(torch.equal(second[key], value) for key, value in first.items())


# ---------------------------------------------------------------- install


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

    monkeypatch.setattr(library, "write_metadata", full)
    with pytest.raises(OSError, match="No space"):
        models.install(checkpoint, "mine")
    assert everything_in(models_folder) == []


def test_a_failed_replacement_leaves_the_old_model(checkpoint, bright, monkeypatch):
    models.install(checkpoint, "mine")
    monkeypatch.setattr(library, "write_metadata", lambda *_: 1 / 0)
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


# ---------------------------------------------------------------- remove


def test_a_removed_model_is_gone(checkpoint, models_folder):
    models.install(checkpoint, "mine")
    models.remove("mine")
    assert "mine" not in names()
    assert everything_in(models_folder) == []


def test_a_removed_model_uncovers_the_shipped_one(checkpoint):
    models.install(checkpoint, "hrnet")
    models.remove("hrnet")
    assert models.info("hrnet").title == "HRNet"


def test_a_shipped_model_stays():
    with pytest.raises(BadSetting, match="stays"):
        models.remove("hrnet")
    assert library.shipped_folder().joinpath("hrnet", "model.json").is_file()


def test_what_is_not_there_cannot_be_removed():
    with pytest.raises(UnknownName):
        models.remove("nothing")


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
    monkeypatch.setattr(library, "write_metadata", full)
    with pytest.raises(UnreadableFile, match="No space"):
        models.rename("mine", "yours")
    assert everything_in(models_folder) == before
    assert models.info("mine").name == "mine"


def test_a_shipped_model_keeps_its_name():
    with pytest.raises(BadSetting, match="keeps its name"):
        models.rename("hrnet", "mine")


def test_what_is_not_there_cannot_be_renamed():
    with pytest.raises(UnknownName):
        models.rename("nothing", "mine")


# ---------------------------------------------------------------- find


def test_a_model_without_weights_says_how_to_install_them(waiting):
    with pytest.raises(NoWeights, match=f"spheroseg models install FILE --name {waiting}"):
        models.load(waiting)


def test_a_model_without_weights_is_known_but_not_available(waiting):
    assert waiting in [each.name for each in models.known()]
    assert waiting not in names()


def test_the_folder_of_a_model_without_weights_says_so_too(waiting, models_folder):
    with pytest.raises(NoWeights):
        models.load(models_folder / waiting)


def test_an_unknown_name_is_answered_with_the_near_one():
    with pytest.raises(UnknownName, match="did you mean 'hrnet'"):
        models.load("hrnett")


def test_an_unknown_name_reminds_that_a_path_will_do():
    with pytest.raises(UnknownName, match="path of a checkpoint"):
        models.info("zzz")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"name": "broken"}',
        '{"name": "broken", "title": "B", "network": "unet", "preparation": {"channels": 2}}',
        '{"name": "broken", "title": "B", "network": "unet", "colour": "red"}',
        '{"name": "broken", "title": "B", "network": "unet", "format_version": 99}',
        b"\xff\xfe\x00",
    ],
)
def test_a_broken_model_json_hides_no_other_model(content, checkpoint, models_folder):
    models.install(checkpoint, "mine")
    broken = models_folder / "broken" / "model.json"
    broken.parent.mkdir()
    broken.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert "mine" in names()
    assert "broken" not in names()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"name": "broken"}'])
def test_a_broken_model_json_is_refused_where_it_is_asked_for(content, tmp_path):
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(SpherosegError, match=r"model\.json|lacks"):
        models.load(tmp_path)


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="is no model"):
        models.load(tmp_path)


def test_a_stray_file_in_the_models_folder_does_no_harm(checkpoint, models_folder):
    models.install(checkpoint, "mine")
    (models_folder / "notes.txt").write_text("mine")
    (models_folder / "empty").mkdir()
    assert "mine" in names()


# ---------------------------------------------------------------- load


def test_a_model_folder_is_loaded_by_its_path(bright):
    assert models.load(bright).metadata.name == "bright"
    assert models.load(str(bright)).metadata.name == "bright"


def test_weights_that_were_changed_are_refused(bright, tmp_path):
    folder = shutil.copytree(bright, tmp_path / "changed")
    other = networks.create("unet", **models.load(bright).metadata.arguments)
    save_file(other.state_dict(), folder / "weights.safetensors")
    with pytest.raises(WrongWeights, match=r"not those that its model\.json describes"):
        _ = models.load(folder).network


def test_weights_that_are_missing_are_refused(bright, tmp_path):
    folder = shutil.copytree(bright, tmp_path / "missing")
    (folder / "weights.safetensors").unlink()
    with pytest.raises(UnreadableFile, match=r"weights\.safetensors"):
        _ = models.load(folder).network


def test_weights_of_another_network_than_the_metadata_name_are_refused(bright, tmp_path):
    folder = shutil.copytree(bright, tmp_path / "other")
    content = json.loads((folder / "model.json").read_text())
    content["arguments"]["features"] = [8, 16, 32]
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(WrongWeights):
        _ = models.load(folder).network


def test_a_network_is_built_once(model):
    assert model.network is model.network


def test_metadata_survive_the_way_through_the_file(bright, tmp_path):
    metadata = models.load(bright).metadata.replace(
        title="Größe", pixel_size=0.65, training_data=({"name": "a", "licence": "CC0"},)
    )
    library.write_metadata(tmp_path, metadata)
    assert library.read_metadata(tmp_path) == metadata
