import csv
import json

import cv2
import numpy as np
import pytest
import tifffile


@pytest.fixture
def folder(tmp_path, image):
    """Two images and their masks."""
    mask = cv2.connectedComponents((image > 1000).astype(np.uint8))[1].astype(np.uint16)
    for place, array in (("images", image), ("masks", mask)):
        (tmp_path / place).mkdir()
        for name in ("a", "b"):
            tifffile.imwrite(tmp_path / place / f"{name}.tif", array)
    return tmp_path


@pytest.fixture
def manifest(folder):
    path = folder / "manifest.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("file", "mask_file", "source", "part"),
                ("images/a.tif", "masks/a.tif", "ewing_microwell_day2", "test"),
                ("images/b.tif", "masks/b.tif", "other", "val"),
            ]
        )
    return path


@pytest.fixture
def evaluate(spheroseg, bright, tmp_path):
    def run(*arguments):
        given = ("-o", tmp_path / "out", "--model", bright, "--device", "cpu")
        return spheroseg("evaluate", *given, *arguments)

    return run


def record(folder):
    return json.loads((folder / "out" / "evaluation.json").read_text())


def test_evaluate_prints_a_table_writes_the_report_and_exits_0(evaluate, manifest, tmp_path):
    status, said, complaints = evaluate(manifest)
    assert (status, complaints) == (0, [])
    assert "Best threshold: 0." in said
    assert str(tmp_path / "out" / "report.md") in said
    assert (tmp_path / "out" / "report.md").is_file()
    (line,) = [line for line in said.splitlines() if line.startswith("ewing_microwell_day2")]
    assert line.split()[1:] == ["1", *["1.000"] * 5, "0.000", "0.000"]
    assert max(len(line) for line in said.splitlines()[:-1]) <= 80


def test_folders_of_images_and_masks_are_scored_whole(evaluate, folder):
    status, said, _ = evaluate(folder / "images", "--masks", folder / "masks")
    assert status == 0
    assert record(folder)["images"] == 2
    assert "all sources" in said


def test_the_part_is_chosen(evaluate, manifest, folder):
    evaluate(manifest, "--part", "val")
    assert [row["source"] for row in record(folder)["sources"]] == ["other"]


def test_options_reach_the_recipe(evaluate, manifest, folder):
    evaluate(manifest, "--threshold", 0.7, "--min-area", 400, "--tile", 128, "--split-touching")
    recipe = record(folder)["recipe"]
    assert [recipe[name] for name in ("threshold", "min_area", "tile", "split_touching")] == [
        0.7,
        400,
        128,
        True,
    ]


def test_the_precision_is_the_one_that_was_asked_for(evaluate, manifest, folder):
    asked = ("--precision", "float32", "--backend", "torch")
    assert evaluate(manifest, *asked)[0] == 0
    assert record(folder)["recipe"]["made_with"]["precision"] == "float32"
    status, _, complaints = evaluate(manifest, "--precision", "float128")
    assert (status, len(complaints)) == (2, 1)
    assert "There is no precision 'float128'" in complaints[0]


def test_as_many_of_the_worst_are_pictured_as_asked_for(evaluate, folder):
    evaluate(folder / "images", "--masks", folder / "masks", "--worst", 1)
    assert len(list((folder / "out" / "pictures").iterdir())) == 1


def test_an_image_that_fails_is_listed_and_the_status_1(evaluate, folder):
    (folder / "images" / "b.tif").write_bytes(b"")
    status, said, complaints = evaluate(folder / "images", "--masks", folder / "masks")
    assert status == 1
    assert len(complaints) == 1
    assert complaints[0].startswith("spheroseg: b.tif: ")
    assert "Best threshold" in said


def test_files_without_a_partner_are_counted_and_no_failure(evaluate, folder):
    (folder / "masks" / "b.tif").unlink()
    status, said, _ = evaluate(folder / "images", "--masks", folder / "masks")
    assert status == 0
    assert "1 file has no partner" in said
    assert "b.tif has no mask" in (folder / "out" / "report.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--part", "tset"), "There are: test, val, all."),
        (("--model", "no_such_model"), "no_such_model"),
        (("--threshold", 2), "threshold"),
        (("--no-such-option",), "--help"),
    ],
)
def test_bad_usage_exits_2_with_one_line_that_helps(evaluate, manifest, wrong, said):
    status, _, complaints = evaluate(manifest, *wrong)
    assert (status, len(complaints)) == (2, 1)
    assert said in complaints[0]


def test_a_folder_without_masks_is_bad_usage(evaluate, folder):
    status, _, complaints = evaluate(folder / "images")
    assert (status, len(complaints)) == (2, 1)
    assert "masks" in complaints[0]


def test_a_missing_folder_of_masks_is_one_line(evaluate, folder):
    status, _, complaints = evaluate(folder / "images", "--masks", folder / "nowhere")
    assert (status, len(complaints)) == (1, 1)
    assert "nowhere" in complaints[0]
    assert not (folder / "out").exists()
