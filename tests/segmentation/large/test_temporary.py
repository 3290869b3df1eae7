"""Temporary folders of results: as long as somebody reads from them, and no longer."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from napari_spheroseg.errors import UnreadableFile
from napari_spheroseg.segmentation.large import temporary
from napari_spheroseg.segmentation.large.temporary import Temporary, temporary_folder


class Reader:
    """What reads from a folder."""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPHEROSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_folder_stays_while_somebody_reads_from_it():
    readers = [Reader(), Reader()]
    folder = Temporary()
    path = folder.path
    folder.keep_for(readers)
    del folder, readers[0]
    gc.collect()
    assert path.is_dir()
    readers.clear()
    gc.collect()
    assert not path.exists()


def test_a_folder_that_nobody_reads_from_goes_at_once():
    folder = Temporary()
    path = folder.path
    del folder
    gc.collect()
    assert not path.exists()


def test_a_folder_can_be_deleted_twice():
    folder = Temporary()
    folder.delete()
    folder.delete()
    assert not folder.path.exists()


def test_what_a_killed_process_left_is_deleted_and_what_lives_is_not():
    alive = Temporary()
    (alive.path / "labels").write_text("1")
    left = temporary_folder() / "result-killed"
    left.mkdir()
    (left / "labels").write_text("1")
    another = Temporary()
    assert not left.exists()
    assert (alive.path / "labels").is_file()
    assert another.path != alive.path


def test_at_the_end_of_the_process_nothing_is_left(cache):
    code = (
        "from napari_spheroseg.segmentation.large.temporary import Temporary\n"
        "class Reader: pass\n"
        "reader, folder = Reader(), Temporary()\n"
        "folder.keep_for([reader])\n"
        "(folder.path / 'labels').write_text('1')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert not list((cache / "large").glob("result-*"))


def test_a_cache_that_cannot_be_written_is_an_error_that_says_what_to_do(cache):
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("not a folder")
    with pytest.raises(UnreadableFile, match="SPHEROSEG_CACHE"):
        Temporary()


def test_a_lock_that_others_hold_for_ever_is_an_error(monkeypatch, cache):
    from filelock import FileLock

    monkeypatch.setattr(temporary, "_PATIENCE", 0.05)
    (cache / "large").mkdir(parents=True)
    with FileLock(cache / "large" / ".lock"), pytest.raises(UnreadableFile):
        Temporary()
