"""What was removed comes back, for a while."""

from datetime import timedelta
from pathlib import Path

import pytest

from napari_spheroseg import models
from napari_spheroseg.errors import BadSetting, NameTaken, UnknownName, UnreadableFile
from napari_spheroseg.models import library, removed


def names():
    return [each.name for each in models.available()]


def everything_in(folder):
    found = (path for path in folder.rglob("*") if path.name != ".lock")
    return sorted(str(path.relative_to(folder)) for path in found)


def test_a_removed_model_is_gone(checkpoint, models_folder):
    models.install(checkpoint, "mine")
    models.remove("mine")
    assert "mine" not in names()
    assert [path.name for path in models_folder.iterdir() if path.name[0] != "."] == []


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


# ---------------------------------------------------------------- trash


def test_a_removed_model_comes_back_as_it_was(checkpoint, models_folder):
    models.install(checkpoint, "mine")
    before = everything_in(models_folder)
    models.remove("mine")
    assert models.restore("mine") == "mine"
    assert everything_in(models_folder) == sorted([*before, ".trash"])
    assert models.load("mine").network is not None


def test_of_two_that_were_removed_the_last_comes_back(checkpoint, bright):
    for source in (checkpoint, bright):
        models.install(source, "mine")
        models.remove("mine")
    models.restore("mine")
    assert models.info("mine").source == "bright"


def test_of_two_that_were_removed_the_first_comes_back_by_its_key(checkpoint, bright):
    models.install(checkpoint, "mine")
    first = models.remove("mine")
    models.install(bright, "mine")
    models.remove("mine")
    models.restore(first.key)
    assert models.info("mine").source == "spheroids.pth"


def test_a_model_does_not_come_back_over_another(checkpoint, bright):
    models.install(checkpoint, "mine")
    models.remove("mine")
    models.install(bright, "mine")
    with pytest.raises(NameTaken, match="'mine' is installed already"):
        models.restore("mine")
    assert models.info("mine").source == "bright"
    assert [each.name for each in models.trashed()] == ["mine"]


def test_what_was_not_removed_does_not_come_back(checkpoint):
    models.install(checkpoint, "mine")
    models.remove("mine")
    with pytest.raises(UnknownName, match="did you mean 'mine'"):
        models.restore("mime")


def test_a_damaged_model_is_removed_and_comes_back(checkpoint, models_folder):
    models.install(checkpoint, "mine")
    (models_folder / "mine" / library.METADATA).write_text("{")
    models.remove("mine")
    assert not (models_folder / "mine").exists()
    models.restore("mine")
    assert (models_folder / "mine" / library.METADATA).read_text() == "{"


def test_a_damaged_model_over_a_shipped_one_is_removed_and_not_the_shipped_one(models_folder):
    (models_folder / "unet").mkdir(parents=True)
    models.remove("unet")
    assert "unet" in names()
    with pytest.raises(BadSetting, match="stays"):
        models.remove("unet")


@pytest.mark.parametrize("name", ["../user", ".", "..", ".trash", ""])
def test_only_models_are_removed(name, checkpoint, models_folder):
    models.install(checkpoint, "mine")
    models.remove("mine")
    before = everything_in(models_folder)
    with pytest.raises(UnknownName):
        models.remove(name)
    assert everything_in(models_folder) == before


def test_the_trash_can_be_emptied(checkpoint, models_folder):
    models.install(checkpoint, "mine")
    models.remove("mine")
    assert [each.name for each in models.empty_trash()] == ["mine"]
    assert models.trashed() == []
    assert everything_in(models_folder) == [".trash"]


def aged(trashed):
    """Let a removed model lie in the trash longer than it is kept."""
    before = trashed.removed - timedelta(days=removed.KEPT + 1)
    trashed.folder.rename(trashed.folder.with_name(f"{trashed.name}@{before:%Y%m%dT%H%M%S%f}"))


def test_what_was_removed_long_ago_is_deleted_by_the_next_removal(checkpoint, models_folder):
    models.install(checkpoint, "old")
    models.install(checkpoint, "mine")
    aged(models.remove("old"))
    models.remove("mine")
    assert [each.name for each in models.trashed()] == ["mine"]


def test_what_was_removed_long_ago_is_deleted_by_the_next_installation(checkpoint):
    models.install(checkpoint, "old")
    aged(models.remove("old"))
    models.install(checkpoint, "mine")
    assert models.trashed() == []


# ---------------------------------------------------------------- what was replaced


@pytest.fixture
def replaced(checkpoint, bright):
    """A model ``mine`` that took the place of another."""
    models.install(checkpoint, "mine")
    models.install(bright, "mine", replace=True)


def sources():
    return models.info("mine").source, [each.name for each in models.trashed()]


def test_a_replaced_model_lies_in_the_trash(replaced):
    assert sources() == ("bright", ["mine"])


def test_a_replaced_model_comes_back_and_the_two_change_places(replaced):
    with pytest.raises(NameTaken, match="--replace"):
        models.restore("mine")
    for source in ("spheroids.pth", "bright"):
        models.restore("mine", replace=True)
        assert sources() == (source, ["mine"])


def test_a_replaced_model_comes_back_where_its_successor_was_removed(replaced):
    models.remove("mine")
    assert models.restore(models.trashed()[1].key) == "mine"
    assert sources() == ("spheroids.pth", ["mine"])


def test_what_cannot_change_places_stays(replaced, monkeypatch):
    rename, (old,) = Path.rename, models.trashed()

    def stuck(path, target):
        if path.name == old.key:
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", stuck)
    with pytest.raises(UnreadableFile, match="Permission denied"):
        models.restore("mine", replace=True)
    assert sources() == ("bright", ["mine"])


def test_a_replaced_collection_comes_back_model_by_model(bright, tmp_path):
    models.install(bright, "one")
    models.pack(["one"], tmp_path / "a.zip")
    models.install(tmp_path / "a.zip", replace=True)
    assert [each.name for each in models.trashed()] == ["one"]


def test_what_others_put_into_the_trash_is_passed_over(models_folder):
    (models_folder / ".trash" / "notes").mkdir(parents=True)
    (models_folder / ".trash" / "a@yesterday").mkdir()
    assert models.trashed() == []
    models.empty_trash()
    assert (models_folder / ".trash" / "notes").is_dir()


def test_a_folder_that_cannot_be_moved_stays(checkpoint, monkeypatch):
    models.install(checkpoint, "mine")

    def refuse(self, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.rename", refuse)
    with pytest.raises(UnreadableFile, match="Permission denied"):
        models.remove("mine")
    assert "mine" in names()


def test_an_old_one_that_is_in_use_does_not_keep_a_model_from_being_removed(
    checkpoint, monkeypatch
):
    models.install(checkpoint, "old")
    models.install(checkpoint, "mine")
    aged(models.remove("old"))
    (old,) = models.trashed()
    rename = Path.rename

    def stuck(path, target):
        if path.name == old.key:
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", stuck)
    assert models.remove("mine").name == "mine"
    assert [each.name for each in models.trashed()] == ["mine", "old"]
    assert [each.name for each in models.empty_trash()] == ["mine"]
    assert models.trashed() == [old]
