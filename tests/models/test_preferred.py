"""Which model is taken where none is named."""

import contextlib

import pytest

from napari_spheroseg import models
from napari_spheroseg.errors import NoWeights, UnknownName
from napari_spheroseg.models import places


def test_the_default_is_one_that_ships():
    assert models.default() == "unet"


def test_a_model_becomes_the_default_of_its_task(bright):
    models.install(bright, "mine")
    assert models.set_default("mine") == "segmentation"
    assert models.default("segmentation") == "mine"


def test_a_default_that_was_removed_gives_way_until_it_comes_back(bright):
    models.install(bright, "mine")
    models.set_default("mine")
    models.remove("mine")
    assert models.default() == "unet"
    models.restore("mine")
    assert models.default() == "mine"


def test_where_no_model_ships_for_a_task_any_is_the_default(bright):
    models.install(bright, "mine")
    metadata = models.info("mine").replace(task="detection")
    models.library.write_metadata(models.library.user_folder() / "mine", metadata)
    assert models.default("detection") == "mine"


def test_a_task_without_a_model_is_told():
    with pytest.raises(UnknownName, match="no model for the task 'detection'"):
        models.default("detection")


def test_a_model_that_is_not_there_becomes_no_default():
    with pytest.raises(UnknownName):
        models.set_default("nothing")
    assert models.default() == "unet"


def test_a_model_that_waits_for_weights_becomes_no_default(waiting):
    with pytest.raises(NoWeights):
        models.set_default(waiting)


def test_the_default_for_scripts_is_the_same_on_every_machine(bright, image):
    import napari_spheroseg as ss

    models.install(bright, "mine")
    models.set_default("mine")
    assert ss.segment(image).recipe["model"] == "unet"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"defaults": 3}', b"\xff\xfe\x00"])
def test_settings_that_are_damaged_are_as_none(content, models_folder):
    models_folder.mkdir()
    text = content if isinstance(content, bytes) else content.encode()
    (models_folder / ".library.json").write_bytes(text)
    assert models.default() == "unet"
    assert models.shared_folders() == []


def test_what_two_processes_choose_at_once_is_kept_both(bright, tmp_path, monkeypatch):
    models.install(bright, "mine")
    lock = places.locked

    @contextlib.contextmanager
    def after_another(folder):
        monkeypatch.setattr(places, "locked", lock)
        models.add_shared_folder(tmp_path)
        with lock(folder):
            yield

    monkeypatch.setattr(places, "locked", after_another)
    models.set_default("mine")
    assert models.default() == "mine"
    assert models.shared_folders() == [tmp_path]
