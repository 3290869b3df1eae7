import os
import sys

import pytest

from napari_spheroseg.errors import UnreadableFile
from napari_spheroseg.readwrite.atomic import replacing, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fail(path, error):
    """Write half a file."""
    with replacing(path) as temporary:
        temporary.write_text("half")
        raise error


def test_a_file_is_there_after_the_block(tmp_path):
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("done")
        assert names(tmp_path) == [temporary.name]
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "done"


def test_the_temporary_file_has_the_suffix_that_writers_look_at(tmp_path):
    with replacing(tmp_path / "a.png") as temporary:
        assert temporary.suffix == ".png"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, ZeroDivisionError])
def test_a_failure_leaves_nothing_behind(error, tmp_path):
    with pytest.raises(error):
        fail(tmp_path / "a.txt", error)
    assert names(tmp_path) == []


def test_a_failure_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(ValueError, match="stop"):
        fail(tmp_path / "a.txt", ValueError("stop"))
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_full_disk_is_an_error_of_ours(tmp_path):
    with pytest.raises(UnreadableFile, match="No space left"):
        fail(tmp_path / "a.txt", OSError(28, "No space left on device"))
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path):
    (tmp_path / "a").write_text("a file")
    with pytest.raises(UnreadableFile, match="cannot be written"):
        write_text(tmp_path / "a" / "b.txt", "x")


def test_a_folder_in_the_place_of_the_file_is_an_error_of_ours(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(UnreadableFile):
        write_text(tmp_path / "a.txt", "x")
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_file_may_be_read_by_those_whom_the_umask_allows(tmp_path):
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_text_is_utf8(tmp_path):
    write_text(tmp_path / "a.txt", "µm²")
    assert (tmp_path / "a.txt").read_bytes() == "µm²".encode()
