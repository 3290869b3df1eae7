import json
import shutil

import numpy as np
import pytest
import tifffile

from napari_spheroseg import models
from napari_spheroseg.readwrite.images import read_image


@pytest.fixture
def folder(tmp_path, image):
    place = tmp_path / "in"
    place.mkdir()
    for name in ("a", "b"):
        tifffile.imwrite(place / f"{name}.tif", image)
    return place


@pytest.fixture
def restore(spheroseg, restorer, tmp_path):
    model = restorer(0.25)

    def run(*arguments):
        given = ("-o", tmp_path / "out", "--model", model, "--device", "cpu", "--backend", "torch")
        return spheroseg("restore", *given, *arguments)

    return run


def test_restore_writes_the_results_and_exits_0(restore, folder, tmp_path, image):
    status, said, complaints = restore(folder)
    assert (status, complaints) == (0, [])
    assert "[2/2] b.tif: " in said
    assert "object" not in said
    restored = read_image(tmp_path / "out" / "b_restored.tif").data
    assert np.abs(restored.astype(int) - image - 725).max() <= 1


def test_restore_exits_1_and_lists_each_input_that_failed(restore, folder):
    (folder / "c.tif").write_bytes(b"")
    status, said, complaints = restore(folder)
    assert status == 1
    assert "c.tif" in complaints[0]
    assert "1 of 3 images failed" in said


@pytest.mark.parametrize(
    "arguments", [["--low", "200"], ["--model", "nothing"], ["--device", "abacus"]]
)
def test_bad_usage_is_one_line_on_stderr_and_exits_2(arguments, restore, folder):
    status, _, complaints = restore(folder, *arguments)
    assert (status, len(complaints)) == (2, 1)


def test_a_model_for_something_else_is_bad_usage(spheroseg, folder, bright, tmp_path):
    status, _, complaints = spheroseg("restore", folder, "-o", tmp_path / "o", "--model", bright)
    assert status == 2
    assert "is a model for segmentation" in complaints[0]


def test_options_reach_the_restoration(restore, folder, tmp_path):
    restore(folder, "--no-rescale", "--pixel-size", "0.5", "--intensity", "fixed", "--high", "4000")
    record = json.loads((tmp_path / "out" / "run.json").read_text())["recipe"]
    assert (record["rescale"], record["pixel_size"]) == (False, [0.5, 0.5])
    assert (record["intensity"], record["high"]) == ("fixed", 4000)
    assert read_image(tmp_path / "out" / "a_restored.tif").pixel_size == (0.5, 0.5)


def test_what_is_done_is_not_done_again(restore, folder):
    restore(folder)
    assert "All 2 images were done before" in restore(folder)[1]


def test_segment_restores_first_where_it_is_asked_to(spheroseg, folder, bright, restorer, tmp_path):
    how = ("--device", "cpu", "--backend", "torch", "--intensity", "fixed", "--low", "0")
    given = (folder, "--model", bright, *how, "--high", "6500")
    assert "0 objects" in spheroseg("segment", *given, "-o", tmp_path / "dim")[1]
    again = spheroseg("segment", *given, "-o", tmp_path / "out", "--restore", restorer(0.25))
    assert "3 objects" in again[1]


def test_without_a_model_it_is_the_librarys_default(
    spheroseg, restorer, folder, models_folder, tmp_path
):
    shutil.copytree(restorer(0.25), models_folder / "sharpen")
    models.set_default("sharpen")
    status, _, _ = spheroseg("restore", folder, "-o", tmp_path / "out", "--device", "cpu")
    assert status == 0
    assert json.loads((tmp_path / "out" / "run.json").read_text())["recipe"]["model"] == "sharpen"


def test_restore_spares_what_is_in_focus_when_asked(restore, folder, tmp_path, image):
    assert restore(folder, "--spare-sharp")[0] == 0
    recipe = json.loads((tmp_path / "out" / "run.json").read_text())["recipe"]
    assert recipe["spare_sharp"] is True
