import pytest

from napari_spheroseg import models


@pytest.fixture
def collection(spheroseg, bright, tmp_path):
    models.install(bright, "one")
    (tmp_path / "bundle.yaml").write_text("models: [one]\nlicence: MIT\n")
    path = tmp_path / "x.zip"
    assert spheroseg("models", "bundle", tmp_path / "bundle.yaml", "-o", path)[0] == 0
    return path


def test_a_collection_is_installed_and_says_that_it_was_reproduced(spheroseg, collection):
    status, said, _ = spheroseg("models", "install", collection, "--name", "two")
    assert status == 0
    assert "Installed 'two'" in said
    assert "reproduced bit for bit" in said


def test_a_name_that_is_taken_is_bad_usage(spheroseg, collection):
    status, _, complaints = spheroseg("models", "install", collection)
    assert (status, len(complaints)) == (2, 1)
    assert "'one' is installed already" in complaints[0]


def test_a_broken_collection_is_one_line(spheroseg, tmp_path):
    (tmp_path / "x.zip").write_bytes(b"no zip")
    status, _, complaints = spheroseg("models", "install", tmp_path / "x.zip")
    assert (status, len(complaints)) == (1, 1)


def test_a_bundle_of_what_is_not_there_is_bad_usage(spheroseg, tmp_path):
    (tmp_path / "bundle.yaml").write_text("models: [nothing]")
    status, _, complaints = spheroseg("models", "bundle", tmp_path / "bundle.yaml", "-o", "x.zip")
    assert (status, len(complaints)) == (2, 1)


def test_verify_says_one_line_a_model(spheroseg, bright):
    models.install(bright, "one")
    status, said, _ = spheroseg("models", "verify")
    assert status == 0
    assert "one: ok" in said.splitlines()


def test_verify_exits_1_if_one_fails(spheroseg, bright, models_folder):
    models.install(bright, "one")
    (models_folder / "one" / "weights.safetensors").write_bytes(b"x")
    status, said, _ = spheroseg("models", "verify", "one")
    assert status == 1
    assert said.startswith("one: FAILED")


def test_a_model_that_is_not_there_cannot_be_verified(spheroseg):
    assert spheroseg("models", "verify", "nothing")[0] == 2
