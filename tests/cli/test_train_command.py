import shutil
import sys

import cv2
import pytest
import tifffile
import yaml

from napari_spheroseg import models
from napari_spheroseg.cli.train import _minutes, _report
from napari_spheroseg.errors import SpherosegError
from napari_spheroseg.synthetic import spheroids
from napari_spheroseg.training.runs import Run, Status
from napari_spheroseg.training.settings import TrainingSettings


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    """A folder of runs of its own for every test."""
    monkeypatch.setenv("SPHEROSEG_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def write(tmp_path):
    """The function that writes a configuration; what is None is left out."""

    def to_file(**changes):
        settings = {
            "name": "mine",
            "data": {"images": "images", "masks": "masks"},
            "network": "unet",
            "arguments": {"features": [4, 8, 16], "keep_unused": False},
            "crop": 64,
            **changes,
        }
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in settings.items() if v is not None}))
        return path

    return to_file


@pytest.fixture
def data(tmp_path):
    """Three images and their masks beside the configuration."""
    for number in range(3):
        drawn = spheroids((96, 96), 3, "fluorescence", seed=number, radius=(0.12, 0.2))
        for name, pixels in (("images", drawn.image), ("masks", drawn.labels)):
            (tmp_path / name).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / name / f"{number}.tif", pixels.astype("uint16"))


@pytest.fixture
def run(write):
    return Run.create(TrainingSettings.read(write()))


# ---------------------------------------------------------------- looking


def test_runs_are_listed_with_how_far_they_are(spheroseg, run):
    run.write_status(Status(state="stopped", step=7, steps=1000))
    status, said, complaints = spheroseg("train", "--list")
    assert (status, complaints) == (0, [])
    (line,) = said.splitlines()
    assert line.startswith("mine-1 ")
    assert "stopped, step 7 of 1000" in line
    assert line.endswith(str(run.folder))


def test_nothing_is_listed_where_there_is_no_run(spheroseg):
    assert spheroseg("train", "--list") == (0, "", [])


@pytest.mark.usefixtures("data")
def test_check_draws_samples_and_starts_nothing(spheroseg, write, runs, tmp_path):
    out = tmp_path / "out"
    status, said, complaints = spheroseg("train", write(), "--check", "-o", out)
    assert (status, complaints) == (0, [])
    assert str(out / "mine_samples.png") in said
    picture = cv2.imread(str(out / "mine_samples.png"))
    assert picture.shape[0] < picture.shape[1]
    assert picture.std() > 5
    assert not runs.exists()


@pytest.mark.usefixtures("data")
def test_check_looks_at_the_data_of_a_run_too(spheroseg, run, tmp_path):
    status, _, _ = spheroseg("train", run.folder, "--check", "-o", tmp_path)
    assert status == 0
    assert (tmp_path / "mine_samples.png").is_file()
    assert run.status.state == "waiting"


def test_check_of_data_that_are_missing_is_an_error(spheroseg, write, tmp_path):
    status, _, complaints = spheroseg("train", write(), "--check", "-o", tmp_path)
    assert status != 0
    assert len(complaints) == 1
    assert "There is no folder" in complaints[0]
    assert not (tmp_path / "mine_samples.png").exists()


# ---------------------------------------------------------------- what is refused


def test_without_arguments_the_usage_is_explained(spheroseg):
    status, _, complaints = spheroseg("train")
    assert status == 2
    assert "give a YAML file, or the folder of a run" in complaints[0]
    assert "--help" in complaints[0]


@pytest.mark.parametrize("text", ["name: [", "just words", "\x00"])
def test_a_file_that_is_no_yaml_of_settings_fails(text, spheroseg, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    status, _, complaints = spheroseg("train", path)
    assert status == 1
    assert len(complaints) == 1
    assert "config.yaml" in complaints[0]


def test_a_file_that_is_missing_fails(spheroseg, tmp_path):
    status, _, complaints = spheroseg("train", tmp_path / "none.yaml")
    assert status == 1
    assert "none.yaml cannot be read" in complaints[0]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"epoks": 3}, "no setting 'epoks'"),
        ({"epochs": 0}, "epochs"),
        ({"name": None}, "name"),
        ({"start": "unet"}, "either a model to start from, or a network"),
    ],
)
def test_settings_that_cannot_be_are_bad_usage(changes, complaint, spheroseg, write, runs):
    status, _, complaints = spheroseg("train", write(**changes))
    assert status == 2
    assert complaint in complaints[0]
    assert not runs.exists()


def test_a_folder_without_a_run_fails(spheroseg, tmp_path):
    status, _, complaints = spheroseg("train", tmp_path)
    assert status == 1
    assert "holds no training run" in complaints[0]


def test_a_folder_that_is_taken_is_bad_usage(spheroseg, write, run):
    status, _, complaints = spheroseg("train", write(), "-o", run.folder)
    assert status == 2
    assert "holds a run already" in complaints[0]


def test_a_finished_run_is_not_trained_again(spheroseg, run):
    run.write_status(Status(state="finished"))
    status, _, complaints = spheroseg("train", run.folder)
    assert status == 2
    assert "mine-1 is finished" in complaints[0]


def test_a_missing_extra_is_named_before_a_run_is_made(spheroseg, write, runs, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning", None)
    status, _, complaints = spheroseg("train", write())
    assert status == 2
    assert "napari-spheroseg[train]" in complaints[0]
    assert not runs.exists()


# ---------------------------------------------------------------- what is said at the end


def test_the_model_of_a_finished_run_is_installed(run, bright, capsys):
    shutil.copytree(bright, run.model)
    run.write_status(Status(state="finished", message="The model is 'bright'"))
    _report(run, install=True)
    assert "use it with --model bright" in capsys.readouterr().out
    assert "bright" in {each.name for each in models.available()}


def test_a_model_is_left_where_it_is_if_that_is_wished(run, capsys):
    run.write_status(Status(state="finished", message="The model is 'mine'"))
    _report(run, install=False)
    assert str(run.model) in capsys.readouterr().out
    assert "mine" not in {each.name for each in models.available()}


def test_a_stopped_run_says_how_to_go_on(run, capsys):
    run.write_status(Status(state="stopped", step=7))
    _report(run, install=True)
    said = capsys.readouterr().out
    assert said.strip() == f"Stopped at step 7; go on with: spheroseg train {run.folder}"


def test_a_failed_run_is_an_error_that_says_how_to_go_on(run):
    run.write_status(Status(state="failed", message="The disk is full"))
    with pytest.raises(SpherosegError, match=f"disk is full.*spheroseg train {run.folder}"):
        _report(run, install=True)


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 1), (59, 1), (150, 2), (3600, 60)])
def test_the_time_left_is_told_in_minutes(seconds, minutes):
    assert _minutes(seconds) == f"about {minutes} min left"
