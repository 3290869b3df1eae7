"""Processes that are killed, and processes that come together, leave a library in order."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from napari_spheroseg import models
from napari_spheroseg.errors import BadSetting, UnknownName
from napari_spheroseg.models import installing, library, staging

# no torch and no network: folders are what is at stake, and many rounds of them
WRITER = """
import sys, time
from pathlib import Path
from napari_spheroseg.models import ModelMetadata, library
from napari_spheroseg.models.staging import commit, staged

mark = sys.argv[1]
print("ready", flush=True)
sys.stdin.readline()
while True:
    with staged(library.user_folder()) as stage:
        for name in ("a", "b", "c"):
            (stage / name).mkdir()
            library.write_metadata(
                stage / name, ModelMetadata(name=name, title=mark, network="unet", sha256="0")
            )
            (stage / name / "weights.safetensors").write_text(mark)
        commit(stage, replace=True)
    mark = str(int(mark) + 2)
"""

REMOVER = """
import sys, time
from napari_spheroseg import models
from napari_spheroseg.errors import UnknownName

print("ready", flush=True)
sys.stdin.readline()
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    for name in ("b", "a", "c"):
        try:
            models.remove(name)
        except UnknownName:
            pass
"""


def start(code, *arguments):
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    return process


def go(process):
    process.stdin.write("\n")
    process.stdin.flush()


def installed():
    found = {each.name: each.title for each in models.known()}
    return {name: found[name] for name in "abc" if name in found}


def check_whole(folder):
    """Every model is of one piece: weights and metadata were written together."""
    for name, title in installed().items():
        assert (folder / name / "weights.safetensors").read_text() == title


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_a_killed_install_leaves_the_old_or_the_new_models(models_folder):
    rng = np.random.default_rng(0)
    for round_ in range(8):
        process = start(WRITER, round_ * 100_000)
        go(process)
        time.sleep(float(rng.uniform(0, 0.25)))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        found = installed()
        assert len(set(found.values())) <= 1, found
        assert len(found) in (0, 3)
        check_whole(models_folder)
    with staging.staged(models_folder) as stage:  # which also clears what the dead left
        hidden = [path.name for path in models_folder.glob(".*")]
        assert sorted(hidden) == sorted([".lock", ".trash", stage.name])


@pytest.mark.parametrize("step", range(18))
def test_a_commit_that_stops_at_any_step_is_finished_by_the_next_look(
    step, models_folder, monkeypatch
):
    """Every rename and deletion once: what a kill at random moments may miss."""

    class Killed(BaseException):
        pass

    def put(title):
        with staging.staged(models_folder) as stage:
            for name in "ab":
                (stage / name).mkdir()
                metadata = models.ModelMetadata(name=name, title=title, network="unet")
                library.write_metadata(stage / name, metadata)
            staging.commit(stage, replace=True)

    put("old")
    steps = iter(range(100))

    def killing(function):
        def stopped(*arguments, **named):
            if next(steps) == step:
                raise Killed
            return function(*arguments, **named)

        return stopped

    with monkeypatch.context() as patch:
        for name in ("rename", "unlink", "replace", "mkdir"):
            patch.setattr(staging.Path, name, killing(getattr(staging.Path, name)))
        patch.setattr(staging.shutil, "rmtree", killing(staging.shutil.rmtree))
        with contextlib.suppress(Killed):
            put("new")
    found = installed()
    assert set(found) == {"a", "b"}
    assert len(set(found.values())) == 1
    replaced = {"a", "b"} if set(found.values()) == {"new"} else set()
    assert {each.name for each in models.trashed()} == replaced


def test_a_folder_that_cannot_be_moved_changes_nothing(bright, models_folder, monkeypatch):
    models.install(bright, "one")
    rename = staging.Path.rename

    def stuck(path, target):
        if path.name == "one" and path.parent.name.startswith(".staged-"):  # the new one
            raise PermissionError("in use")
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(staging.Path, "rename", stuck)
        with pytest.raises(OSError, match="cannot be written"):
            models.install(bright, "one", replace=True)
    assert models.load("one").network is not None
    assert not (models_folder / staging.JOURNAL).exists()


def test_processes_that_install_list_and_remove_at_once_leave_the_library_whole(models_folder):
    writers = [start(WRITER, first) for first in (0, 1)]
    remover = start(REMOVER, 2)
    for process in (*writers, remover):
        go(process)
    end = time.monotonic() + 2
    seen = set()
    while time.monotonic() < end:
        found = installed()
        seen.add(len(found))
        assert all(title.isdigit() for title in found.values())
        assert len(set(found.values())) <= 1, found
    _, complaints = remover.communicate(timeout=60)
    assert (remover.returncode, complaints) == (0, "")
    for process in writers:
        assert process.poll() is None, process.stderr.read()
        process.kill()
        process.communicate()
    check_whole(models_folder)
    assert seen - {0}


def test_of_two_that_take_one_name_the_second_is_refused(bright, models_folder):
    with staging.staged(models_folder) as stage:
        (stage / "one").mkdir()
        models.install(bright, "one")
        with pytest.raises(BadSetting, match="installed already"):
            staging.commit(stage)
    assert torch.is_tensor(next(iter(models.load("one").network.parameters())))


def test_a_model_that_another_removed_first_is_said_to_be_gone(bright, monkeypatch):
    models.install(bright, "mine")
    own_folder = installing.own_folder

    def slowly(name):
        folder = own_folder(name)
        models.remove(name)
        return folder

    monkeypatch.setattr(installing, "own_folder", slowly)
    with pytest.raises(UnknownName, match="any more"):
        models.rename("mine", "yours")


def test_what_another_is_writing_is_not_swept_away(models_folder):
    with staging.staged(models_folder) as mine, staging.staged(models_folder):
        assert mine.is_dir()


def test_a_library_that_may_not_be_written_can_be_read(bright, models_folder, monkeypatch):
    models.install(bright, "one")

    def refused(*_, **__):
        raise PermissionError("read-only")

    monkeypatch.setattr(staging, "FileLock", refused)
    assert "one" in [each.name for each in models.available()]
