"""A batch goes on where an earlier one stopped, and mixes nothing."""

import csv
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_spheroseg.batch.items import File
from napari_spheroseg.batch.journal import NAME, Journal
from napari_spheroseg.batch.run import ChangedRecipe, run_batch, segment_files
from napari_spheroseg.errors import Busy
from napari_spheroseg.readwrite.images import read_image


@pytest.fixture
def paths(tmp_path, image):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(4):
        tifffile.imwrite(folder / f"{number}.tif", np.roll(image, 9 * number, axis=1))
    return sorted(folder.iterdir())


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def run(paths, out, bright):
    """States of the files after a run, by name."""

    def segment(files=None, **settings):
        how = {"model": str(bright), "device": "cpu", **settings}
        return {item.name: item.state for item in segment_files(files or paths, out, **how)}

    return segment


def table(out, name="measurements.csv"):
    with (out / name).open(newline="") as file:
        return list(csv.DictReader(file))


def times(out):
    return {path.name: path.stat().st_mtime_ns for path in out.glob("*_labels.tif")}


def test_what_is_done_is_not_done_again(run, out):
    run()
    before, rows = times(out), table(out)
    assert set(run().values()) == {"skipped"}
    assert times(out) == before
    assert table(out) == rows


def test_after_a_stop_the_same_call_does_the_rest(run, paths, out, bright):
    events = run_batch([File(path) for path in paths], out, str(bright), device="cpu")
    next(event for event in events if event.item.state == "done")
    events.close()
    states = list(run().values())
    assert 1 <= states.count("skipped") < 4
    assert states.count("skipped") + states.count("done") == 4
    files = [row["file"] for row in table(out)]
    assert {name: files.count(name) for name in set(files)} == {f"{n}.tif": 3 for n in range(4)}


def test_new_images_join_the_table(run, paths, out):
    run(paths[:2])
    assert run(paths[2:]) == {"2.tif": "done", "3.tif": "done"}
    assert [row["file"] for row in table(out)][::3] == ["0.tif", "1.tif", "2.tif", "3.tif"]


def test_an_image_that_changed_is_done_again(run, paths, out):
    run()
    tifffile.imwrite(paths[1], np.zeros((64, 64), np.uint8))
    states = run()
    assert [name for name, state in states.items() if state == "done"] == ["1.tif"]
    assert "1.tif" not in {row["file"] for row in table(out)}


def test_a_result_that_is_gone_is_made_again(run, out):
    run()
    (out / "2_polygons.geojson").unlink()
    assert [name for name, state in run().items() if state == "done"] == ["2.tif"]
    assert (out / "2_polygons.geojson").is_file()


def test_what_failed_is_tried_again(run, paths, out):
    content = paths[0].read_bytes()
    paths[0].write_bytes(b"")
    assert run()["0.tif"] == "failed"
    paths[0].write_bytes(content)
    assert run() == {"0.tif": "done", "1.tif": "skipped", "2.tif": "skipped", "3.tif": "skipped"}


def test_an_image_that_broke_leaves_no_old_result(run, paths, out):
    run()
    paths[0].write_bytes(b"")
    assert run()["0.tif"] == "failed"
    assert not list(out.glob("0_*"))


def test_another_recipe_is_refused_and_named(run, out):
    run()
    before = times(out)
    with pytest.raises(ChangedRecipe, match=r"threshold 0\.5 \(now 0\.6\).*--overwrite"):
        run(threshold=0.6)
    assert times(out) == before


def test_other_outputs_are_another_recipe(run):
    run()
    with pytest.raises(ChangedRecipe, match="outputs"):
        run(outputs=("labels",))


def test_resume_goes_on_with_the_recipe_that_is_there(run, paths, out):
    run(paths[:2], threshold=0.7)
    assert run(threshold=0.2, existing="resume")["3.tif"] == "done"
    with Journal(out) as journal:
        assert journal.get("recipe")["threshold"] == 0.7


def test_resume_keeps_the_pixel_size_that_was_given(run, paths, out):
    run(paths[:2], pixel_size=(0.5, 0.7))
    run(existing="resume")
    with Journal(out) as journal:
        assert journal.get("recipe")["pixel_size"] == [0.5, 0.7]


def test_overwrite_begins_anew(run, paths, out):
    run()
    assert run(paths[:2], threshold=0.6, existing="overwrite") == {"0.tif": "done", "1.tif": "done"}
    assert {row["file"] for row in table(out)} == {"0.tif", "1.tif"}
    assert not list(out.glob("3_*"))


def test_where_nothing_was_done_another_recipe_is_fine(run, tmp_path):
    missing = [tmp_path / "missing.tif"]
    assert run(missing) == {"missing.tif": "failed"}
    assert run(missing, threshold=0.6) == {"missing.tif": "failed"}


def test_a_later_file_of_the_same_name_takes_no_others_results(run, paths, out, tmp_path):
    run(paths[:1])
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "0.tif"
    tifffile.imwrite(twin, np.zeros((64, 64), np.uint8))
    run([twin])
    assert read_image(out / "0_labels.tif").data.max() == 3
    assert sorted(path.name for path in out.glob("*_labels.tif")) == [
        "0_2_labels.tif",
        "0_labels.tif",
    ]
    assert [row["file"] for row in table(out, "images.csv")] == ["0.tif", str(twin)]


def test_two_batches_do_not_share_a_folder(run, out):
    with Journal(out), pytest.raises(Busy, match="Another batch"):
        run()


def test_a_journal_that_is_none_is_said(run, out):
    out.mkdir()
    (out / NAME).write_text("no database, " * 100)
    with pytest.raises(OSError, match="journal"):
        run()


def test_what_a_killed_run_left_half_written_is_removed(run, out):
    out.mkdir()
    (out / ".spheroseg-abc.tif").write_bytes(b"half")
    run()
    assert not list(out.glob(".*"))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said(run, out):
    out.mkdir(mode=0o500)
    with pytest.raises(OSError, match="cannot be"):
        run()


def test_a_result_that_a_power_cut_left_empty_is_made_again(run, out):
    run()
    (out / "1_labels.tif").write_bytes(b"")
    states = run()
    assert states.pop("1.tif") == "done"
    assert set(states.values()) == {"skipped"}


def test_an_image_with_the_longest_name_is_segmented(run, image, tmp_path, out):
    path = tmp_path / f"{'x' * 251}.tif"
    tifffile.imwrite(path, image)
    assert set(run([path]).values()) == {"done"}
    assert run([path]) == {path.name: "skipped"}


def test_a_file_in_the_place_of_the_folder_is_said(run, out):
    out.write_text("")
    with pytest.raises(OSError, match="it is no folder"):
        run()


@pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere take text only")
def test_a_file_whose_name_is_no_text_fails_alone(run, image, tmp_path, out):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.tif"))
    good = tmp_path / "good.tif"
    for each in (path, good):
        tifffile.imwrite(each, image)
    assert run([path, good]) == {"?.tif": "failed", "good.tif": "done"}
