"""``spheroseg models``: the trash, the default, shared folders, addresses."""

import shutil

import pytest

from napari_spheroseg import models


@pytest.fixture
def lab(bright, tmp_path):
    folder = tmp_path / "lab"
    shutil.copytree(bright, folder / "ours")
    return folder


def line_of(name, said):
    (found,) = (line for line in said.splitlines() if line.split()[0] == name)
    return found


def test_a_removed_model_is_brought_back_by_the_command_that_removing_it_named(spheroseg, bright):
    models.install(bright, "mine")
    status, said, _ = spheroseg("models", "remove", "mine")
    assert (status, "spheroseg models restore mine" in said) == (0, True)
    assert spheroseg("models", "restore", "mine")[0] == 0
    assert models.info("mine").title == "bright"


def test_the_trash_is_listed_and_emptied(spheroseg, bright):
    models.install(bright, "mine")
    spheroseg("models", "remove", "mine")
    assert "mine@" in spheroseg("models", "trash")[1]
    assert spheroseg("models", "trash", "--empty")[1] == "Deleted 1 removed models\n"
    assert spheroseg("models", "trash")[1] == ""
    assert spheroseg("models", "restore", "mine")[0] == 2


def test_the_default_is_shown_and_chosen(spheroseg, bright):
    assert line_of("segmentation", spheroseg("models", "default")[1]).split()[1] == "unet"
    models.install(bright, "mine")
    status, said, _ = spheroseg("models", "default", "mine")
    assert (status, said) == (0, "'mine' is the default for segmentation\n")
    assert line_of("segmentation", spheroseg("models", "default")[1]).split()[1] == "mine"
    assert "default" in line_of("mine", spheroseg("models", "list")[1])
    assert "default" not in line_of("unet", spheroseg("models", "list")[1])


def test_segment_takes_the_default_where_no_model_is_named(spheroseg, bright, image, tmp_path):
    import json

    import tifffile

    models.install(bright, "mine")
    models.set_default("mine")
    tifffile.imwrite(tmp_path / "a.tif", image)
    assert spheroseg("segment", tmp_path / "a.tif", "-o", tmp_path / "out")[0] == 0
    assert json.loads((tmp_path / "out" / "run.json").read_text())["recipe"]["model"] == "mine"


def test_list_says_where_a_model_lies(spheroseg, bright, lab):
    models.install(bright, "mine")
    assert spheroseg("models", "folders", "--add", lab)[0] == 0
    said = spheroseg("models", "list")[1]
    assert "(installed)" in line_of("mine", said)
    assert "(shipped)" in line_of("unet", said)
    assert f"(shared, {lab})" in line_of("ours", said)


def test_a_shared_folder_is_added_shown_and_dropped(spheroseg, lab):
    assert line_of("shared", spheroseg("models", "folders", "--add", lab)[1]).endswith(str(lab))
    assert "shared" not in spheroseg("models", "folders", "--drop", lab)[1].split()
    assert spheroseg("models", "folders", "--drop", lab)[0] == 2
    assert spheroseg("models", "folders", "--add", lab / "nothing")[0] == 2


def test_a_shared_model_is_not_removed(spheroseg, lab):
    models.add_shared_folder(lab)
    status, _, complaints = spheroseg("models", "remove", "ours")
    assert (status, len(complaints)) == (2, 1)
    assert "shared folder" in complaints[0]


def test_an_address_that_is_none_is_bad_usage(spheroseg):
    status, _, complaints = spheroseg("models", "install", "ftp://example.org/a.pth")
    assert (status, len(complaints)) == (2, 1)


def test_a_server_that_cannot_be_reached_is_one_line(spheroseg, monkeypatch):
    monkeypatch.setenv("SPHEROSEG_OFFLINE", "1")
    status, _, complaints = spheroseg("models", "install", "https://example.org/a.pth")
    assert (status, len(complaints)) == (1, 1)


def test_a_file_of_another_checksum_is_not_installed(spheroseg, checkpoint):
    status, _, complaints = spheroseg("models", "install", checkpoint, "--sha256", "0" * 64)
    assert (status, len(complaints)) == (1, 1)
    assert "checksum" in complaints[0]
