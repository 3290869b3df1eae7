"""Whole trainings, in processes of their own where that is what is claimed."""

import csv
import json
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import tifffile

import napari_spheroseg as ss
from napari_spheroseg import models
from napari_spheroseg.errors import BadSetting, Cancelled, MissingPackage, SpherosegError
from napari_spheroseg.training.process import train_here
from napari_spheroseg.training.runs import Run, Status
from napari_spheroseg.training.settings import Data
from napari_spheroseg.training.start import follow, train


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Every process sums in the same order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory):
    """A run that nobody disturbed."""
    run = Run.create(tiny, tmp_path_factory.mktemp("runs") / "tiny-1")
    train_here(run)
    return run


@pytest.fixture
def nothing_to_learn(tmp_path):
    """Images whose masks are background."""
    data = Data(images=tmp_path / "images", masks=tmp_path / "masks")
    for number in range(3):
        grey = np.random.default_rng(number).integers(0, 4000, (96, 96)).astype(np.uint16)
        for folder, pixels in ((data.images, grey), (data.masks, grey * 0)):
            folder.mkdir(exist_ok=True)
            tifffile.imwrite(folder / f"{number}.tif", pixels)
    return data


def wait_until(happens, seconds=60):
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.01)


# ---------------------------------------------------------------- the end


def test_a_finished_run_leaves_a_model(finished):
    names = {path.name for path in finished.model.iterdir()}
    assert names == {"weights.safetensors", "model.json", "README.md"}
    metadata = models.load(finished.model).metadata
    assert (metadata.name, metadata.network) == ("tiny", "unet")
    assert metadata.outputs == ("foreground", "distance")
    assert [(each.name, each.images) for each in metadata.training_data] == [("images", 4)]
    best = max(finished.metrics, key=lambda entry: entry["val_dice"])
    assert metadata.metrics["validation"] == best


def test_a_finished_run_says_so(finished):
    status = finished.status
    assert (status.state, status.step, status.steps) == ("finished", 12, 12)
    assert "tiny" in status.message
    assert not finished.can_resume
    with pytest.raises(BadSetting, match="finished"):
        finished.start()


def test_every_epoch_leaves_a_line_and_a_picture(finished):
    with (finished.folder / "metrics.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [int(line["epoch"]) for line in lines] == [1, 2, 3]
    assert [int(line["step"]) for line in lines] == [4, 8, 12]
    assert {"loss", "val_loss", "val_dice", "val_iou", "iou images"} <= set(lines[0])
    assert [path.name for path in finished.pictures] == [f"epoch_000{n}.png" for n in (1, 2, 3)]
    assert cv2.imread(str(finished.pictures[0])).ndim == 3


def test_the_card_says_what_was_learnt_from(finished):
    card = (finished.model / "README.md").read_text("utf-8")
    assert "Trained anew" in card
    assert "| images | 4 | not stated |" in card


def test_a_trained_model_is_installed_and_segments(finished, six_images):
    finished.install()
    assert "tiny" in {each.name for each in models.available()}
    image = tifffile.imread(six_images.images / "0.tif")
    result = ss.segment(image, "tiny", device="cpu")
    assert result.labels.shape == image.shape
    assert result.settings.split_touching


def test_half_a_line_that_a_crash_left_costs_no_epoch(finished, tiny, tmp_path):
    run = Run.create(tiny.replace(epochs=1, steps_per_epoch=1), tmp_path / "run")
    (run.folder / "metrics.jsonl").write_text('{"epoch": 1, "st')
    train_here(run)
    assert [entry["epoch"] for entry in run.metrics] == [1]


# ---------------------------------------------------------------- processes


def test_a_run_that_was_cancelled_and_killed_ends_like_one_that_was_not(finished, tiny, tmp_path):
    run = Run.create(tiny, tmp_path / "run")
    with pytest.raises(Cancelled, match="resume it from"):
        train(run.folder, cancel=lambda: True)
    assert run.status.state == "stopped"
    assert run.can_resume

    process = run.start()
    wait_until(lambda: run.metrics)
    process.kill()
    process.wait()
    assert run.status.state == "stale"
    assert run.can_resume
    assert not run.model.exists()

    told = []
    train(run.folder, progress=lambda done, total: told.append((done, total)))
    assert run.status.state == "finished"
    assert {total for _, total in told} == {12}
    assert told[-1] == (12, 12)
    assert [entry["epoch"] for entry in run.metrics] == [1, 2, 3]
    for name in ("val_dice", "val_loss", "loss"):
        ends = [each.metrics[-1][name] for each in (run, finished)]
        assert ends[0] == pytest.approx(ends[1], abs=1e-4)
    weights = [models.load(each.model).metadata.sha256 for each in (run, finished)]
    assert weights[0] == weights[1]


@pytest.fixture
def ended():
    """A process that ended without a word."""
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])
    process.wait()
    return process


def test_who_starts_a_run_second_leaves_it_to_the_first(tiny, ended, tmp_path):
    run = Run.create(tiny, tmp_path / "run")
    run.write_status(Status(state="running", step=3))
    with run.held():
        with pytest.raises(BadSetting, match="running in another process"):
            list(follow(run, ended))
        assert (run.status.state, run.status.step) == ("running", 3)


def test_a_process_that_ends_without_a_word_has_failed(tiny, ended, tmp_path):
    run = Run.create(tiny, tmp_path / "run")
    assert [each.state for each in follow(run, ended)] == ["failed"]
    assert "log.txt" in run.status.message


def test_data_without_objects_fail_with_a_sentence(tiny, nothing_to_learn, tmp_path):
    with pytest.raises(SpherosegError, match="kept in") as error:
        train(tiny.replace(data=nothing_to_learn), tmp_path / "run")
    status = Run.open(tmp_path / "run").status
    assert status.state == "failed"
    assert status.message == error.value.message
    assert "mask" in status.message
    assert "Traceback" not in (tmp_path / "run" / "log.txt").read_text("utf-8")


# ---------------------------------------------------------------- before it starts


def test_what_is_missing_is_named_with_the_extra_that_brings_it(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "monai", None)
    with pytest.raises(MissingPackage, match=r"needs monai.*napari-spheroseg\[train\]"):
        train(tiny, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_settings_may_be_a_dictionary(tiny, tmp_path):
    with pytest.raises(BadSetting, match="no setting 'epoks'"):
        train({**dict(tiny), "epoks": 3}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_error_that_nobody_expected_is_in_the_status(tiny, tmp_path, monkeypatch):
    def explode(*_):
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr("napari_spheroseg.training.pairs.find_pairs", explode)
    run = Run.create(tiny, tmp_path / "run")
    with pytest.raises(ZeroDivisionError):
        train_here(run)
    assert run.status.state == "failed"
    assert run.status.message == "ZeroDivisionError: by zero"


def test_a_run_that_is_held_is_not_trained_twice(tiny, tmp_path):
    run = Run.create(tiny, tmp_path / "run")
    run.write_status(Status(state="stopped", step=3))
    with run.held(), pytest.raises(BadSetting, match="another process"):
        train_here(run)
    assert json.loads((run.folder / "status.json").read_text())["state"] == "stopped"
