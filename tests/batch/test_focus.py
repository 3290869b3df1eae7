import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

import napari_spheroseg as ss
from napari_spheroseg.batch.journal import Journal
from napari_spheroseg.batch.run import segment_files
from napari_spheroseg.errors import SpherosegError
from napari_spheroseg.inference.predictor import Predictor
from napari_spheroseg.models import load
from napari_spheroseg.restoration.detector import focus_steps
from napari_spheroseg.steps import run_to_end


@pytest.fixture
def scene(image):
    """The three discs with texture, so that they can be in focus or not."""
    rng = np.random.default_rng(0)
    rough = gaussian_filter(rng.random(image.shape), 1)
    return np.where(image > 1000, 2000 + 4000 * rough, 100 + 10 * rough).astype(np.uint16)


@pytest.fixture
def blurred(scene):
    return gaussian_filter(scene, 6)


@pytest.fixture
def folder(tmp_path, scene):
    place = tmp_path / "in"
    place.mkdir()
    tifffile.imwrite(place / "a.tif", scene)
    tifffile.imwrite(place / "stack.tif", np.stack([scene, scene]), metadata={"axes": "TYX"})
    tifffile.imwrite(place / "z_constant.tif", np.full((64, 64), 7, np.uint16))
    return place


@pytest.fixture
def run(bright, folder, tmp_path, monkeypatch):
    def segment(*names, **settings):
        paths = [folder / name for name in names]
        how = {"model": str(bright), "device": "cpu", "focus": True} | settings
        return list(segment_files(paths, tmp_path / "out", **how))

    return segment


def rows(out, name):
    with (out / name).open(newline="") as file:
        return list(csv.DictReader(file))


def segmented(scene, bright, detector):
    result = ss.segment(scene, str(bright), device="cpu")
    judge = Predictor(load(str(detector)), "cpu", "torch")
    focus = run_to_end(focus_steps(result.frames, judge))
    return result, focus


def test_objects_and_images_have_a_focus_score(run, tmp_path):
    items = run("a.tif", "stack.tif")
    assert not any(item.error for item in items)
    objects = rows(tmp_path / "out", "measurements.csv")
    images = rows(tmp_path / "out", "images.csv")
    assert len(objects) == 9
    assert all(0 <= float(row["focus_score"]) <= 1 for row in objects + images)
    assert len(images) == 3


def test_without_being_asked_nothing_is_said_of_focus(run, tmp_path):
    run("a.tif", focus=False)
    for name in ("measurements.csv", "images.csv"):
        assert "focus_score" not in rows(tmp_path / "out", name)[0]


def test_an_image_that_shows_nothing_has_no_score(run, tmp_path):
    (item,) = run("z_constant.tif")
    assert not item.error
    assert rows(tmp_path / "out", "images.csv")[0]["focus_score"] == ""


def test_objects_out_of_focus_are_warned_of(run, folder, blurred):
    tifffile.imwrite(folder / "blurred.tif", blurred)
    (item,) = run("blurred.tif")
    assert any("out of focus" in told for told in item.warnings)


def test_an_image_out_of_focus_in_which_nothing_is_found_is_warned_of(
    run, tmp_path, folder, blurred
):
    tifffile.imwrite(folder / "blurred.tif", blurred)
    (item,) = run("blurred.tif", min_area=1e6)
    (row,) = rows(tmp_path / "out", "images.csv")
    assert (item.state, item.objects) == ("done", 0)
    assert "The image is out of focus" in item.warnings
    assert "The image is out of focus" in row["warnings"]


def test_frames_out_of_focus_are_warned_of_by_their_place(run, folder, scene, blurred):
    tifffile.imwrite(folder / "b.tif", np.stack([scene, blurred]), metadata={"axes": "TYX"})
    (item,) = run("b.tif")
    assert "Out of focus on the whole: t 1" in item.warnings


def test_images_say_whether_they_are_in_focus(run, tmp_path, folder, scene, blurred):
    tifffile.imwrite(folder / "b.tif", np.stack([scene, blurred]), metadata={"axes": "TYX"})
    run("b.tif", "z_constant.tif")
    images = rows(tmp_path / "out", "images.csv")
    assert [row["in_focus"] for row in images] == ["True", "False", ""]


def test_a_large_image_is_said_to_be_too_large_for_it(run):
    (item,) = run("a.tif", large_above=0.001)
    assert any("focus" in told for told in item.warnings)


def test_results_with_and_without_focus_are_not_mixed(run):
    run("a.tif", focus=False)
    with pytest.raises(SpherosegError, match="focus"):
        run("stack.tif", focus=True)


def test_results_of_before_there_was_a_focus_go_on(run, tmp_path):
    run("a.tif", focus=False)
    with Journal(tmp_path / "out") as journal:
        written = journal.get("written")
        journal.note("written", {key: each for key, each in written.items() if key != "focus"})
    (item,) = run("stack.tif", focus=False)
    assert not item.error


def test_run_json_says_that_focus_was_asked_for(run, tmp_path):
    run("a.tif")
    assert '"focus": true' in json.dumps(json.loads((tmp_path / "out" / "run.json").read_text()))


def test_a_segmentation_with_focus_has_it_in_its_table(scene, bright, detector):
    result, focus = segmented(scene, bright, detector)
    table = replace(result, focus=focus).table
    assert "focus_score" not in result.table
    for label, score in zip(table["label"], table["focus_score"], strict=True):
        assert score == pytest.approx(focus.map[result.labels == label].mean(), abs=1e-5)


def test_another_threshold_keeps_the_focus(scene, bright, detector):
    result, focus = segmented(scene, bright, detector)
    assert "focus_score" in replace(result, focus=focus).at(threshold=0.6).table
