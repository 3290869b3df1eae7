"""Runs on disk, without training any."""

import json
import os
import shutil

import pytest
from filelock import FileLock

from napari_spheroseg import models
from napari_spheroseg.errors import BadSetting, UnreadableFile
from napari_spheroseg.training.runs import Run, Status, list_runs, runs_folder


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    """A folder of runs of its own for every test."""
    monkeypatch.setenv("SPHEROSEG_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def run(tiny):
    return Run.create(tiny)


@pytest.fixture
def elsewhere(run):
    """The lock of a run as another process holds it."""
    return FileLock(run.folder / ".lock")


def write_metrics(run, *lines):
    text = "\n".join(json.dumps(each) if isinstance(each, dict) else each for each in lines)
    (run.folder / "metrics.jsonl").write_text(text, "utf-8")


# ---------------------------------------------------------------- folders


def test_the_environment_moves_the_folder_of_runs(runs, run):
    assert runs_folder() == runs
    assert run.folder == runs / "tiny-1"


def test_without_the_environment_runs_lie_in_the_users_folder(monkeypatch):
    monkeypatch.delenv("SPHEROSEG_RUNS")
    assert runs_folder().name == "runs"
    assert "napari-spheroseg" in runs_folder().parts


def test_a_new_run_knows_its_settings_and_waits(run, tiny):
    assert run.settings == tiny
    assert (run.status.state, run.status.step, run.status.steps) == ("waiting", 0, 12)
    assert run.can_resume
    assert not run.is_alive
    assert (run.metrics, run.pictures) == ([], [])


def test_runs_of_one_name_are_numbered(tiny):
    assert [Run.create(tiny).name for _ in range(3)] == ["tiny-1", "tiny-2", "tiny-3"]


def test_a_run_may_lie_anywhere(tiny, tmp_path):
    run = Run.create(tiny, tmp_path / "far" / "away")
    assert Run.open(tmp_path / "far" / "away") == run
    assert list_runs() == []


def test_a_folder_that_holds_a_run_is_not_taken_again(run, tiny):
    with pytest.raises(BadSetting, match="holds a run already"):
        Run.create(tiny.replace(seed=5), run.folder)
    assert run.settings == tiny


def test_a_folder_without_a_run_cannot_be_opened(tmp_path):
    with pytest.raises(UnreadableFile, match="holds no training run"):
        Run.open(tmp_path)


def test_runs_are_listed_the_latest_first(runs, tiny):
    for number in range(3):
        made = Run.create(tiny)
        os.utime(made.folder / "settings.json", (number, number))
    (runs / "no run").mkdir()
    (runs / "a file").touch()
    assert [each.name for each in list_runs()] == ["tiny-3", "tiny-2", "tiny-1"]


def test_no_runs_are_listed_where_there_is_no_folder():
    assert list_runs() == []


@pytest.mark.parametrize("content", [b'{"name": "ti', b"\xff\xfe", b'{"name": "tiny", "x": 1}'])
def test_damaged_settings_are_an_error_that_names_the_file(content, run):
    (run.folder / "settings.json").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"settings\.json cannot be read"):
        _ = run.settings


# ---------------------------------------------------------------- status


@pytest.mark.parametrize("content", [b"", b'{"state": "runn', b"\xff\xfe", b'{"state": "odd"}'])
def test_a_run_with_a_damaged_status_waits(content, run):
    (run.folder / "status.json").write_bytes(content)
    assert run.status.state == "waiting"
    assert run.can_resume


def test_a_run_without_a_status_waits(run):
    (run.folder / "status.json").unlink()
    assert run.status == Status()


def test_a_run_that_runs_and_that_nobody_holds_is_stale(run):
    run.write_status(Status(state="running", step=7, steps=12))
    assert (run.status.state, run.status.step) == ("stale", 7)
    assert "unexpectedly" in run.status.message
    assert run.can_resume


def test_a_run_is_alive_while_it_is_held(run):
    run.write_status(Status(state="running"))
    with run.held():
        assert run.is_alive
        assert run.status.state == "running"
        assert not run.can_resume
    assert not run.is_alive


def test_a_run_is_held_once(run, elsewhere):
    with elsewhere, pytest.raises(BadSetting, match="another process"), run.held():
        pass


def test_a_run_that_is_held_does_not_start_again(run, elsewhere):
    with elsewhere, pytest.raises(BadSetting, match="tiny-1"):
        run.start()


def test_a_finished_run_does_not_start_again(run):
    run.write_status(Status(state="finished"))
    with pytest.raises(BadSetting, match="finished"):
        run.start()


def test_a_run_that_is_gone_is_not_alive(run):
    run.remove()
    assert not run.is_alive


def test_whoever_writes_the_status_signs_it(run):
    run.write_status(Status())
    assert run.status.pid == os.getpid()
    assert run.status.updated > 0


def test_the_time_left_follows_from_the_pace():
    assert Status(step=4, steps=10, seconds_per_step=0.5).seconds_left == 3
    assert Status(step=4, steps=10).seconds_left is None


def test_a_stop_is_asked_for_by_a_file(run):
    assert not run.wants_to_stop
    run.stop()
    assert run.wants_to_stop


# ---------------------------------------------------------------- metrics


def test_half_a_line_of_metrics_is_skipped(run):
    write_metrics(run, {"epoch": 1}, '{"epoch": 2, "ste')
    assert run.metrics == [{"epoch": 1}]


@pytest.mark.parametrize("line", ["5", "[]", "null", '{"step": 3}', "", "\x00\x00"])
def test_a_line_that_is_no_epoch_is_skipped(line, run):
    write_metrics(run, {"epoch": 1}, line, {"epoch": 2})
    assert [each["epoch"] for each in run.metrics] == [1, 2]


def test_an_epoch_that_was_done_twice_counts_once(run):
    lines = [{"epoch": n, "loss": loss} for n, loss in ((1, 0.9), (2, 0.8), (2, 0.7), (3, 0.6))]
    write_metrics(run, *lines)
    assert [(each["epoch"], each["loss"]) for each in run.metrics] == [(1, 0.9), (2, 0.7), (3, 0.6)]


def test_bytes_that_are_no_text_spoil_one_line_only(run):
    (run.folder / "metrics.jsonl").write_bytes(b'{"epoch": 1}\n\xff\xfe\n{"epoch": 2}\n')
    assert [each["epoch"] for each in run.metrics] == [1, 2]


def test_pictures_are_in_the_order_of_epochs(run):
    (run.folder / "pictures").mkdir()
    for number in (10, 2, 1):
        (run.folder / "pictures" / f"epoch_{number:04d}.png").touch()
    assert [path.stem[-2:] for path in run.pictures] == ["01", "02", "10"]


# ---------------------------------------------------------------- the end


def test_a_run_that_is_running_is_not_removed(run, elsewhere):
    with elsewhere, pytest.raises(BadSetting, match="running"):
        run.remove()
    assert run.folder.is_dir()


def test_a_removed_run_is_gone(run):
    run.remove()
    assert not run.folder.exists()
    assert list_runs() == []


def test_nothing_is_installed_before_the_end(run):
    with pytest.raises(BadSetting, match="no model yet"):
        run.install()


def test_the_model_of_a_run_is_installed_by_its_name_or_another(run, bright):
    shutil.copytree(bright, run.model)
    assert run.install().name == "bright"
    assert run.install("mine").name == "mine"
    assert {"bright", "mine"} <= {each.name for each in models.available()}
    with pytest.raises(BadSetting):
        run.install("mine")
    assert run.install("mine", replace=True).name == "mine"
