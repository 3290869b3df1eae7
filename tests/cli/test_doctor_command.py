import zipfile

import pytest
import tifffile

from napari_spheroseg.doctor import Finding
from napari_spheroseg.doctor.examine import CHECKS


@pytest.fixture
def finds(monkeypatch):
    """Let one check find this, and no other run."""

    def only(*findings):
        CHECKS.clear()
        CHECKS["a"] = lambda: findings

    before = dict(CHECKS)
    yield only
    CHECKS.clear()
    CHECKS.update(before)


def test_doctor_exits_0_where_there_are_only_notes(finds, spheroseg):
    finds(Finding("a", "ok", "fine"), Finding("b", "note", "slow"))
    status, said, _ = spheroseg("doctor")
    assert status == 0
    assert said.splitlines() == ["ok       a: fine", "note     b: slow", "All is well"]


def test_doctor_exits_1_and_says_what_mends_a_problem(finds, spheroseg):
    finds(Finding("a", "problem", "torn", "pip install a"))
    status, said, _ = spheroseg("doctor")
    assert status == 1
    assert "-> pip install a" in said
    assert said.endswith("1 problem found\n")


def test_doctor_writes_a_zip(finds, spheroseg, tmp_path):
    finds(Finding("a", "ok", "fine"))
    status, said, _ = spheroseg("doctor", "--zip", tmp_path / "report.zip")
    assert status == 0
    assert "report.zip" in said
    assert "report.txt" in zipfile.ZipFile(tmp_path / "report.zip").namelist()


# ---------------------------------------------------------------- models export


def test_models_export_writes_a_file_and_says_how_close_it_is(spheroseg, bright, tmp_path):
    status, said, _ = spheroseg("models", "export", bright, "-o", tmp_path / "a.pt")
    assert status == 0
    assert (tmp_path / "a.pt").is_file()
    assert "difference from PyTorch" in said


def test_models_export_in_int8_tells_the_dice(spheroseg, bright, image, tmp_path):
    pytest.importorskip("onnxruntime")
    tifffile.imwrite(tmp_path / "a.tif", image)
    given = ("-o", tmp_path / "a.onnx", "--int8", tmp_path, "--least-dice", "0.9")
    status, said, _ = spheroseg("models", "export", bright, *given)
    assert status == 0
    assert "INT8: Dice" in said


def test_models_export_of_an_unknown_format_is_bad_usage(spheroseg, bright, tmp_path):
    status, _, complaints = spheroseg("models", "export", bright, "-o", tmp_path / "a.keras")
    assert status == 2
    assert "torchscript" in complaints[0]
