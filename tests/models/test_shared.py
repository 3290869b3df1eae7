"""Folders of models that a lab shares: read, and never written to."""

import os
import shutil

import pytest

from napari_spheroseg import models
from napari_spheroseg.errors import BadSetting, UnknownName
from napari_spheroseg.models import library


@pytest.fixture
def lab(bright, tmp_path, monkeypatch):
    """A shared folder that holds a model, ``ours``."""
    folder = tmp_path / "lab"
    shutil.copytree(bright, folder / "ours")
    monkeypatch.setenv("SPHEROSEG_SHARED_MODELS", str(folder))
    return folder


def titled(folder, title):
    """Give a model's folder another title, to tell it by."""
    library.write_metadata(folder, library.read_metadata(folder).replace(title=title))


def everything_in(folder):
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))


def test_shared_models_are_listed_after_the_others_and_run(lab, checkpoint):
    models.install(checkpoint, "zzz")
    assert [each.name for each in models.available()][-2:] == ["zzz", "ours"]
    assert models.load("ours").network is not None


def test_several_shared_folders_are_looked_through_in_order(lab, bright, tmp_path, monkeypatch):
    shutil.copytree(bright, tmp_path / "second" / "ours")
    shutil.copytree(bright, tmp_path / "second" / "more")
    titled(tmp_path / "second" / "ours", "Second")
    both = os.pathsep.join([str(lab), str(tmp_path / "second")])
    monkeypatch.setenv("SPHEROSEG_SHARED_MODELS", both)
    assert models.info("ours").title == "bright"
    assert models.load("more").network is not None


def test_an_own_model_covers_a_shared_one_and_a_shared_one_a_shipped_one(lab, bright, checkpoint):
    shutil.copytree(bright, lab / "unet")
    assert models.info("unet").title == "bright"
    models.install(checkpoint, "unet")
    assert models.info("unet").source == "spheroids.pth"
    models.remove("unet")
    assert models.info("unet").title == "bright"


def test_a_damaged_shared_model_does_not_cover_the_shipped_one(lab):
    (lab / "unet").mkdir()
    assert models.info("unet").title == "UNet"


def test_nothing_is_written_to_a_shared_folder(lab, checkpoint):
    before = everything_in(lab)
    models.install(checkpoint, "mine")
    models.set_default("ours")
    list(models.verify())
    models.remove("mine")
    _ = models.load("ours").network
    assert everything_in(lab) == before


def test_a_shared_model_is_neither_removed_nor_renamed(lab):
    before = everything_in(lab)
    with pytest.raises(BadSetting, match=r"shared folder .*lab.* not changed from here"):
        models.remove("ours")
    with pytest.raises(BadSetting, match="SPHEROSEG_MODELS set to it"):
        models.rename("ours", "mine")
    assert everything_in(lab) == before


def test_a_shared_model_is_verified(lab):
    assert [each.is_good for each in models.verify("ours")] == [True]
    (lab / "ours" / library.WEIGHTS).write_bytes(b"x")
    assert [each.is_good for each in models.verify("ours")] == [False]


def test_a_shared_folder_that_is_not_there_does_no_harm(lab, monkeypatch):
    monkeypatch.setenv("SPHEROSEG_SHARED_MODELS", str(lab / "nothing"))
    assert "unet" in [each.name for each in models.available()]


def test_the_own_folder_is_not_shared_too(models_folder, checkpoint, monkeypatch):
    monkeypatch.setenv("SPHEROSEG_SHARED_MODELS", str(models_folder))
    models.install(checkpoint, "mine")
    assert models.shared_folders() == []
    models.remove("mine")


def test_an_added_folder_is_shared_until_it_is_dropped(bright, tmp_path):
    shutil.copytree(bright, tmp_path / "lab" / "ours")
    models.add_shared_folder(tmp_path / "lab")
    models.add_shared_folder(tmp_path / "lab")
    assert models.shared_folders() == [tmp_path / "lab"]
    assert models.info("ours").title == "bright"
    models.drop_shared_folder(tmp_path / "lab")
    assert models.shared_folders() == []


def test_a_folder_that_is_not_there_is_not_added(tmp_path):
    with pytest.raises(BadSetting, match="There is no folder"):
        models.add_shared_folder(tmp_path / "nothing")


def test_a_folder_of_the_environment_is_not_dropped(lab):
    with pytest.raises(UnknownName, match="SPHEROSEG_SHARED_MODELS"):
        models.drop_shared_folder(lab)
