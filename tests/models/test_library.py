import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import save_file

import napari_spheroseg as ss
from napari_spheroseg import models, networks
from napari_spheroseg.errors import (
    NoWeights,
    SpherosegError,
    UnknownName,
    UnreadableFile,
    WrongWeights,
)
from napari_spheroseg.models import library


def names():
    return [each.name for each in models.available()]


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


@pytest.mark.parametrize("said", [{"preparation": {"channels": 3}}, {"outputs": ("a", "b")}])
def test_a_model_json_that_lies_about_its_network_is_refused_before_it_misleads(
    said, bright, image, models_folder
):
    models.install(bright, "mine")
    metadata = library.read_metadata(models_folder / "mine").model_dump() | said
    library.write_metadata(models_folder / "mine", models.ModelMetadata(**metadata))
    with pytest.raises(WrongWeights, match="'mine'"):
        ss.segment(image, "mine", device="cpu", backend="torch")


def test_weights_that_may_not_be_read_are_told_with_the_others(bright, monkeypatch):
    models.install(bright, "mine")
    opened = Path.open

    def refused(path, *given, **more):
        if path.parent.name == "mine" and path.suffix == ".safetensors":
            raise PermissionError(13, "Permission denied")
        return opened(path, *given, **more)

    monkeypatch.setattr(Path, "open", refused)
    (found,) = models.verify("mine")
    assert not found.is_good
    assert "Permission denied" in found.reason
