"""A batch on workers of dask.distributed; real processes."""

import csv
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_spheroseg.batch.cluster import connect
from napari_spheroseg.batch.items import File
from napari_spheroseg.batch.run import run_batch, segment_files
from napari_spheroseg.errors import BadSetting, MissingPackage, NoDevice
from napari_spheroseg.readwrite.images import read_image

pytest.importorskip("distributed")


@pytest.fixture
def paths(tmp_path, image):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(10):
        tifffile.imwrite(folder / f"{number}.tif", np.roll(image, 9 * number, axis=1))
    (folder / "broken.tif").write_bytes(b"")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def client():
    with connect(workers=2) as client:
        yield client


def rows(out):
    with (out / "measurements.csv").open(newline="") as file:
        return sorted(tuple(sorted(row.items())) for row in csv.DictReader(file))


def labels(out):
    return {path.name: read_image(path).data.tobytes() for path in out.glob("*_labels.tif")}


def test_workers_make_what_one_process_makes(client, paths, tmp_path, bright):
    how = {"model": str(bright), "device": "cpu"}
    items = list(segment_files(paths, tmp_path / "two", **how, client=client))
    assert sorted(item.state for item in items) == ["done"] * 10 + ["failed"]
    assert "broken.tif" in next(item.error for item in items if item.error)
    list(segment_files(paths, tmp_path / "one", **how))
    assert rows(tmp_path / "two") == rows(tmp_path / "one")
    assert labels(tmp_path / "two") == labels(tmp_path / "one")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_what_a_killed_worker_had_goes_to_another(paths, tmp_path, bright):
    how = {"model": str(bright), "device": "cpu"}
    done = []
    with connect(workers=2) as client:
        victim = next(iter(client.run(os.getpid).values()))
        sources = [File(path) for path in paths]
        for event in run_batch(sources, tmp_path / "two", **how, client=client):
            if event.item.state in ("done", "failed"):
                done.append(event.item.name)
            if event.item.state == "done" and victim:
                os.kill(victim, signal.SIGKILL)
                victim = None
    assert victim is None
    assert sorted(done) == sorted(path.name for path in paths)
    list(segment_files(paths, tmp_path / "one", **how))
    assert rows(tmp_path / "two") == rows(tmp_path / "one")


def test_a_stop_leaves_the_rest_for_later(client, paths, tmp_path, bright):
    how = {"model": str(bright), "device": "cpu", "client": client}
    events = run_batch([File(path) for path in paths], tmp_path / "out", **how)
    next(event for event in events if event.item.state == "done")
    events.close()
    states = [item.state for item in segment_files(paths, tmp_path / "out", **how)]
    assert states.count("skipped") >= 1
    assert states.count("skipped") + states.count("done") == 10


def test_workers_or_a_scheduler_but_not_both():
    with pytest.raises(BadSetting), connect(2, "tcp://localhost:1"):
        pass


def test_a_scheduler_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr("napari_spheroseg.batch.cluster._PATIENCE", 0.5)
    with pytest.raises(NoDevice, match="no scheduler at"), connect(scheduler="tcp://127.0.0.1:9"):
        pass


def test_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingPackage, match="napari-spheroseg\\[cluster\\]"), connect(2):
        pass


def test_the_command_starts_workers(paths, tmp_path, bright, capsys):
    from napari_spheroseg.cli import main

    words = ["segment", *map(str, paths[:3]), "-o", str(tmp_path / "out"), "--model", str(bright)]
    with pytest.raises(SystemExit) as stop:
        main([*words, "--device", "cpu", "--workers", "2"])
    said, complaints = capsys.readouterr()
    assert (stop.value.code, complaints) == (0, "")
    assert "Watch the workers at http" in said
    assert Path(tmp_path / "out" / "measurements.csv").is_file()
