"""What a journal keeps."""

import subprocess
import sys

import pytest

from napari_spheroseg.batch.items import Done, Item
from napari_spheroseg.batch.journal import Journal
from napari_spheroseg.errors import UnreadableFile

ITEM = Item("/in/a.tif", "a.tif", "a", {"t": 3})
DONE = Done("12 34", 2, 0.5, ("dark",), ("a_labels.tif",), ("label", "area"), "1,2.5\n2,7\n")


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path) as journal:
        journal.add([ITEM])
        yield journal


def test_what_is_noted_comes_back(tmp_path):
    with Journal(tmp_path) as journal:
        journal.add([ITEM])
        journal.note("recipe", {"threshold": 0.1})
        journal.set(ITEM.finished(DONE), DONE)
    with Journal(tmp_path) as journal:
        assert journal.get("recipe") == {"threshold": 0.1}
        assert list(journal.results()) == [(ITEM.finished(DONE), DONE)]
        assert journal.entries()[ITEM.key][1].files == ("a_labels.tif",)


def test_what_fails_again_loses_its_rows(journal):
    journal.set(ITEM.finished(DONE), DONE)
    journal.set(ITEM.failed(OSError("gone")))
    assert list(journal.results()) == []
    assert journal.entries()[ITEM.key][0].error == "OSError: gone"


def test_items_come_in_the_order_in_which_they_were_added(journal):
    journal.add([Item("/in/0.tif", "0.tif", "0")])
    assert list(journal.entries()) == ["/in/a.tif", "/in/0.tif"]


def test_two_stems_that_differ_in_case_are_one(journal):
    with pytest.raises(UnreadableFile, match="UNIQUE"):
        journal.add([Item("/in/A.tif", "A.tif", "A")])


def test_on_a_full_disk_it_keeps_what_it_could_not_write(journal):
    pages = journal._data.execute("PRAGMA page_count").fetchone()[0]
    journal._data.execute(f"PRAGMA max_page_count = {pages}")
    large = Done(rows="1,2\n" * 100_000)
    journal.set(ITEM.finished(large), large)
    assert list(journal.results()) == []
    journal._data.execute("PRAGMA max_page_count = 100000")
    journal.add([Item("/in/b.tif", "b.tif", "b")])
    journal.set(Item("/in/b.tif", "b.tif", "b").finished(DONE), DONE)
    assert [item.name for item, _ in journal.results()] == ["a.tif", "b.tif"]


def test_what_stays_unwritten_is_said_at_the_end(tmp_path):
    journal = Journal(tmp_path)
    journal.add([ITEM])
    journal._data.execute("PRAGMA max_page_count = 1")
    large = Done(rows="1,2\n" * 100_000)
    journal.set(ITEM.finished(large), large)
    with pytest.raises(UnreadableFile, match="lacks 1 images: the disk is full"):
        journal.close()


def test_a_process_that_died_does_not_lock_it(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from napari_spheroseg.batch.journal import *;"
        "Journal(Path(sys.argv[1])); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    with Journal(tmp_path) as journal:
        assert journal.entries() == {}


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path):
    with Journal(tmp_path) as journal:
        journal.note("format", 99)
    with pytest.raises(UnreadableFile, match="newer version"):
        Journal(tmp_path)
