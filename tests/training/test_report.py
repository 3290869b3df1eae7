import csv
import json

import cv2
import numpy as np
import pytest
import tifffile

import napari_spheroseg as ss
from napari_spheroseg.errors import UnreadableFile
from napari_spheroseg.models.model import sha256_of
from napari_spheroseg.training.metrics import NAMES
from napari_spheroseg.training.pairs import Pair
from napari_spheroseg.training.report import HEADS, draw_case, write_report

BLUE, ORANGE, WHITE = (255, 170, 0), (0, 120, 255), (255, 255, 255)


@pytest.fixture
def pairs(tmp_path, image):
    """Two images of two sources, one of them with a binary mask, and one that is damaged."""
    mask = cv2.connectedComponents((image > 1000).astype(np.uint8))[1].astype(np.uint16)
    paths = {name: tmp_path / f"{name}.tif" for name in ("a", "b (2)_x", "mask", "damaged")}
    tifffile.imwrite(paths["a"], image)
    tifffile.imwrite(paths["b (2)_x"], image)
    tifffile.imwrite(paths["mask"], np.where(mask == 3, 0, mask))
    paths["damaged"].write_bytes(b"")
    return [
        Pair(paths["a"], paths["mask"], "plate_1"),
        Pair(paths["b (2)_x"], paths["mask"], "plate|2", binary=True),
        Pair(paths["damaged"], paths["mask"], "plate|2"),
    ]


@pytest.fixture
def evaluation(bright, pairs):
    return ss.evaluate(bright, pairs, device="cpu", thresholds=[0.4, 0.5])


@pytest.fixture
def out(evaluation, tmp_path):
    write_report(evaluation, tmp_path / "new" / "out")
    return tmp_path / "new" / "out"


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_folder_holds_tables_record_report_and_pictures(out):
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == [
        "evaluation.json",
        "images.csv",
        "pictures/01_a.png",
        "pictures/02_b (2)_x.png",
        "report.md",
        "sources.csv",
    ]


def test_every_image_is_a_row_the_failed_one_with_its_reason(out):
    table = rows(out / "images.csv")
    assert list(table[0]) == ["file", "source", "error", *NAMES]
    assert [row["file"] for row in table] == ["a.tif", "b (2)_x.tif", "damaged.tif"]
    assert "damaged.tif" in table[2]["error"]
    assert float(table[0]["detection_rate"]) == 1
    assert table[1]["detection_rate"] == table[2]["pixel_iou"] == ""


def test_every_source_is_a_row(out, evaluation):
    table = rows(out / "sources.csv")
    assert [(row["source"], row["images"], row["failed"]) for row in table] == [
        ("plate_1", "1", "0"),
        ("plate|2", "1", "1"),
    ]
    assert float(table[0]["object_f1"]) == pytest.approx(evaluation.overall["object_f1"])


def test_the_record_says_how_it_was_made_and_what_came_out(out, bright, evaluation):
    record = json.loads((out / "evaluation.json").read_text())
    assert record["model"]["sha256"] == sha256_of(bright / "weights.safetensors")
    assert record["recipe"] == json.loads(json.dumps(evaluation.recipe))
    assert {"napari-spheroseg", "torch"} <= set(record["versions"])
    assert record["overall"] == pytest.approx(evaluation.overall)
    assert [row["threshold"] for row in record["sweep"]] == [0.4, 0.5]
    assert record["best_threshold"] == 0.5
    assert [row["file"] for row in record["failures"]] == ["damaged.tif"]


def test_what_is_undefined_is_null_and_the_record_plain_json(out):
    text = (out / "evaluation.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["sources"][1]["object_f1"] is None


def test_the_report_has_the_tables_and_the_reason_of_failure(out, evaluation):
    text = (out / "report.md").read_text("utf-8")
    assert "| Source | Images | " + " | ".join(HEADS.values()) + " |" in text
    assert f"| plate\\_1 | 1 | {evaluation.images['pixel_iou'][0]:.3f} |" in text
    assert "| plate\\|2 | 1 |" in text
    assert "**0.5**" in text
    assert "## Images that failed: 1\n\n- damaged.tif: " in text


def test_pictures_are_linked_whatever_their_names(out):
    text = (out / "report.md").read_text("utf-8")
    assert "(pictures/02_b%20%282%29_x.png)" in text
    assert "### b (2)\\_x.tif" in text


def test_tables_have_as_many_cells_in_every_row(out):
    for block in (out / "report.md").read_text("utf-8").split("\n\n"):
        if block.startswith("|"):
            cells = {line.replace("\\|", "").count("|") for line in block.splitlines()}
            assert len(cells) == 1


def test_a_picture_shows_truth_found_and_both_in_three_colours(evaluation, image):
    case = evaluation.worst[0]
    picture = draw_case(case)
    height = round(900 * image.shape[0] / image.shape[1])
    assert (picture.shape, picture.dtype) == ((height + 32, 900, 3), np.uint8)
    lost = np.where(case.truth == 1, 0, case.truth)
    picture = draw_case(type(case)(**{**vars(case), "found": lost}))[:height]
    scale = 900 / image.shape[1]

    def around(y, x, radius):
        """Colours at the right rim of a disc of the image."""
        row, column = round((y + 0.5) * scale), round((x + radius + 1) * scale)
        window = picture[row, column - 6 : column + 7]
        return {tuple(colour) for colour in window.tolist()}

    by_number = {case.truth[40, 40]: (40, 40, 20), case.truth[30, 120]: (30, 120, 9)}
    assert BLUE in around(*by_number[1])
    assert WHITE in around(*next(at for number, at in by_number.items() if number > 1))
    assert ORANGE not in {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}


@pytest.mark.parametrize("kind", ["uint8", "float32", "RGB"])
@pytest.mark.parametrize("shape", [(8, 9), (40, 1300)])
def test_images_of_any_type_and_size_are_pictured(evaluation, kind, shape):
    plane = np.random.default_rng(0).integers(0, 255, shape)
    plane = np.stack([plane] * 3, axis=-1) if kind == "RGB" else plane.astype(kind)
    labels = np.zeros(shape, np.int32)
    labels[2:5, 2:5] = 1
    case = evaluation.worst[0]
    whole = {**vars(case), "image": plane, "truth": labels, "found": labels}
    assert draw_case(type(case)(**whole)).shape[1] == 900


def test_where_all_images_failed_there_is_a_report_still(bright, pairs, tmp_path):
    evaluation = ss.evaluate(bright, pairs[2:], device="cpu")
    text = write_report(evaluation, tmp_path / "out").read_text("utf-8")
    assert "| plate\\|2 | 0 | – |" in text
    assert "Images that failed: 1" in text
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["best_threshold"] is None


def test_a_folder_that_cannot_be_made_is_named(evaluation, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UnreadableFile, match=r"images\.csv"):
        write_report(evaluation, tmp_path / "out")
