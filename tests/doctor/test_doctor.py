import json
import os
import sys
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from napari_spheroseg import doctor, models
from napari_spheroseg.doctor import Finding, examine, imports, machine, packages, report, stored
from napari_spheroseg.doctor.examine import CHECKS
from napari_spheroseg.errors import UnreadableFile

LIGHT = {name: CHECKS[name] for name in ("Python", "napari-spheroseg", "extras", "memory", "disk")}


def worst(findings):
    return max((each.verdict for each in findings), key=["ok", "note", "problem"].index)


@pytest.fixture
def installed(monkeypatch):
    """Pretend that packages are installed in these versions, or not (None)."""
    real = packages.version

    def pretend(**versions):
        versions = {name.replace("_", "-"): version for name, version in versions.items()}

        def version(name):
            if versions.get(name, "") is None:
                raise PackageNotFoundError(name)
            return versions.get(name) or real(name)

        monkeypatch.setattr(packages, "version", version)

    return pretend


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Put a module of this text before the one that is installed."""

    def put(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return put


# ---------------------------------------------------------------- examine


def test_every_finding_has_a_verdict_and_says_something():
    findings = examine(LIGHT)
    assert {each.verdict for each in findings} <= {"ok", "note", "problem"}
    assert all(each.topic and each.said for each in findings)


def test_every_problem_of_this_machine_comes_with_what_mends_it():
    assert all(each.mend for each in examine(LIGHT) if each.verdict == "problem")


def test_a_check_that_stumbles_is_a_problem_and_the_others_go_on():
    def stumbles():
        yield Finding("a", "ok", "fine")
        raise RuntimeError("torn\napart")

    found = examine({"first": stumbles, "second": lambda: [Finding("b", "ok", "fine")]})
    assert [(each.topic, each.verdict) for each in found] == [("first", "problem"), ("b", "ok")]
    assert "RuntimeError: torn apart" in found[0].said


def test_importing_the_doctor_and_looking_at_metadata_imports_nothing_heavy():
    code = (
        "import sys; from napari_spheroseg.doctor import examine; "
        "from napari_spheroseg.doctor.examine import CHECKS; "
        "examine({n: CHECKS[n] for n in ('napari', 'extras', 'models', 'memory', 'folders')}); "
        "found = [m for m in ('torch', 'napari', 'cv2', 'openvino') if m in sys.modules]"
    )
    assert imports._ask(code) == []


# ---------------------------------------------------------------- packages


def test_a_requirement_that_is_missing_is_a_problem_with_its_command(installed):
    installed(tifffile=None)
    (problem,) = [each for each in packages.requirements() if each.verdict == "problem"]
    assert problem.said == "tifffile is not installed"
    assert problem.mend.startswith("pip install 'tifffile")


def test_a_requirement_that_is_too_old_is_a_problem(installed):
    installed(safetensors="0.1")
    (problem,) = [each for each in packages.requirements() if each.verdict == "problem"]
    assert "safetensors is 0.1" in problem.said


def test_a_python_outside_the_bounds_is_a_problem(monkeypatch):
    monkeypatch.setattr(packages.platform, "python_version", lambda: "3.8.1")
    assert worst(packages.python()) == "problem"


def test_without_napari_there_is_a_note_that_names_the_extra(installed):
    installed(napari=None)
    (note,) = packages.napari()
    assert (note.verdict, note.mend) == ("note", 'pip install "napari-spheroseg[gui]"')


def test_an_extra_that_is_not_there_is_a_note_with_its_command(installed):
    installed(openvino=None)
    (note,) = [each for each in packages.extras() if each.topic == "extra openvino"]
    assert note.verdict == "note"
    assert note.mend == 'pip install "napari-spheroseg[openvino]"'


# ---------------------------------------------------------------- imports


def test_both_wheels_of_opencv_are_a_problem(installed):
    installed(opencv_python="4.9", opencv_python_headless="4.9")
    problem = next(iter(imports.opencv()))
    assert problem.verdict == "problem"
    assert "opencv-python and opencv-python-headless" in problem.said
    assert problem.mend.endswith("pip install opencv-python-headless")


def test_both_builds_of_onnx_runtime_are_a_problem(installed):
    installed(onnxruntime="1.2", onnxruntime_gpu="1.2")
    assert next(iter(imports.onnxruntime())).verdict == "problem"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ImportError('libGL.so.1: cannot open')", "libGL.so.1: cannot open"),
        ("import os; os.abort()", "cannot be imported"),
        ("import sys; sys.exit(3)", "status 3"),
        ("print('no version here')", "AttributeError"),
    ],
)
def test_a_package_that_dies_when_imported_is_a_problem_and_takes_nothing_with_it(
    text, said, broken
):
    broken("cv2", text)
    problem = list(imports.opencv())[-1]
    assert problem.verdict == "problem"
    assert said in problem.said
    assert problem.mend


def test_a_qt_that_lacks_libraries_is_mended_with_those(broken, installed, monkeypatch):
    installed(PyQt6="6.9")
    monkeypatch.setattr(sys, "platform", "linux")
    broken("qtpy", "raise ImportError('libEGL.so.1: cannot open shared object file')")
    (problem,) = imports.qt()
    assert problem.verdict == "problem"
    assert "libegl1" in problem.mend


def test_a_package_that_does_not_answer_is_a_problem(broken, monkeypatch):
    monkeypatch.setattr(imports, "_SECONDS", 0.5)
    broken("cv2", "import time; time.sleep(60)")
    assert "did not answer" in list(imports.opencv())[-1].said


def found_by_torch(monkeypatch, driver, **found):
    usual = {"cuda": None, "devices": [], "mps": False}
    monkeypatch.setattr(imports, "_ask", lambda code: usual | found)
    monkeypatch.setattr(imports, "_nvidia_driver", lambda: driver)
    return list(imports.torch())[-1]


def test_a_driver_without_a_torch_for_it_is_a_note_with_the_command(monkeypatch):
    note = found_by_torch(monkeypatch, "570.1")
    assert note.verdict == "note"
    assert "--index-url" in note.mend


def test_a_torch_that_finds_no_device_though_there_is_a_driver_is_a_problem(monkeypatch):
    assert found_by_torch(monkeypatch, "450.1", cuda="12.8").verdict == "problem"


def test_devices_are_named(monkeypatch):
    found = found_by_torch(monkeypatch, "570.1", cuda="12.8", devices=["H200 (150 GB)"])
    assert found.said == "CUDA 12.8, driver 570.1: H200 (150 GB)"


# ---------------------------------------------------------------- machine


def test_little_memory_and_a_full_disk_are_told(monkeypatch):
    monkeypatch.setattr(machine, "_LITTLE_MEMORY", 1e9)
    monkeypatch.setattr(machine, "_NO_DISK", 1e9)
    assert worst(machine.memory()) == "note"
    assert worst(machine.disk()) == "problem"


@pytest.mark.parametrize(
    ("variable", "verdict"), [("SPHEROSEG_MODELS", "problem"), ("SPHEROSEG_CACHE", "note")]
)
def test_a_folder_that_cannot_be_written_is_told_with_the_variable_that_moves_it(
    variable, verdict, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(variable, str(tmp_path / "file" / "below"))
    bad = [each for each in machine.folders() if each.verdict != "ok"]
    assert [each.verdict for each in bad] == [verdict]
    assert variable in bad[0].mend


def test_looking_at_folders_makes_none(tmp_path, monkeypatch):
    monkeypatch.setenv("SPHEROSEG_CACHE", str(tmp_path / "a" / "b"))
    assert worst(machine.folders()) == "ok"
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- models


def test_models_that_are_as_described_are_ok():
    assert worst(stored.models()) == "ok"


def test_weights_that_were_changed_are_a_problem(checkpoint, models_folder):
    models.install(checkpoint, "mine")
    with (models_folder / "mine" / "weights.safetensors").open("ab") as file:
        file.write(b"0")
    (problem,) = [each for each in stored.models() if each.verdict == "problem"]
    assert problem.topic == "model mine"
    assert "spheroseg models remove mine" in problem.mend


def test_a_model_without_weights_is_a_note(waiting):
    assert [e.topic for e in stored.models() if e.verdict == "note"] == [f"model {waiting}"]


def test_a_folder_with_a_damaged_model_json_is_a_problem(models_folder):
    (models_folder / "torn").mkdir(parents=True)
    (models_folder / "torn" / "model.json").write_text("{")
    assert [e.topic for e in stored.models() if e.verdict == "problem"] == ["model torn"]


# ---------------------------------------------------------------- report


FINDINGS = [Finding("a", "ok", "fine"), Finding("b", "problem", "torn", "pip install b")]


def test_the_text_has_a_line_for_each_and_one_for_what_mends_it():
    assert doctor.as_text(FINDINGS).splitlines() == [
        "ok       a: fine",
        "problem  b: torn",
        "         -> pip install b",
    ]


@pytest.fixture
def somebody(tmp_path, monkeypatch):
    """A user of known names."""
    home = tmp_path / "Ann_Lee"
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setattr(report.getpass, "getuser", lambda: "annl")
    monkeypatch.setattr(report.platform, "node", lambda: "lab-pc.uni.edu")
    monkeypatch.setattr(report.socket, "gethostname", lambda: "lab-pc")
    return home


def test_home_user_and_host_are_replaced(somebody):
    text = f"{somebody}/x, D:/data/annl/y, /scratch/ann_lee/z, lab-pc.uni.edu, on LAB-PC"
    expected = "<home>/x, D:/data/<user>/y, /scratch/<user>/z, <host>, on <host>"
    assert report.without_names(text) == expected


def test_words_that_a_name_is_part_of_stay(somebody):
    assert report.without_names("annlong, planning") == "annlong, planning"


def test_the_zip_holds_findings_and_packages_and_no_names(somebody, tmp_path, monkeypatch):
    monkeypatch.setenv("SPHEROSEG_CACHE", str(somebody / "cache"))
    monkeypatch.setenv("SECRET_TOKEN", "abc123")
    private = Finding("models", "note", f"in {somebody / 'models'}")
    path = doctor.write_zip([*FINDINGS, private], tmp_path / "report.zip")
    with zipfile.ZipFile(path) as file:
        texts = {name: file.read(name).decode() for name in file.namelist()}
    assert json.loads(texts["findings.json"])[0]["topic"] == "a"
    assert "numpy==" in texts["packages.txt"]
    assert f"SPHEROSEG_CACHE=<home>{os.sep}cache" in texts["environment.txt"]
    everything = "".join(texts.values())
    assert not any(each in everything for each in ("Ann_Lee", "annl", "lab-pc", "abc123"))


def test_a_zip_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableFile):
        doctor.write_zip(FINDINGS, tmp_path / "file" / "report.zip")


def test_a_temporary_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    assert any(e.verdict == "problem" and "TMPDIR" in e.mend for e in machine.folders())
