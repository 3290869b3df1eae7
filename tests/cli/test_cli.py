import contextlib
import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from napari_spheroseg import __version__, models
from napari_spheroseg.cli import main
from napari_spheroseg.inference import reservation
from napari_spheroseg.inference.predictor import Predictor
from napari_spheroseg.models import Preparation
from napari_spheroseg.segmentation.settings import PostProcessing


@pytest.fixture
def folder(tmp_path, image):
    place = tmp_path / "in"
    place.mkdir()
    for name in ("a", "b"):
        tifffile.imwrite(place / f"{name}.tif", image)
    return place


@pytest.fixture
def segment(spheroseg, bright, tmp_path):
    def run(*arguments):
        given = ("-o", tmp_path / "out", "--model", bright, "--device", "cpu")
        return spheroseg("segment", *given, *arguments)

    return run


# ---------------------------------------------------------------- segment


def test_segment_writes_the_results_and_exits_0(segment, folder, tmp_path):
    status, said, complaints = segment(folder)
    assert (status, complaints) == (0, [])
    assert "[2/2] b.tif: 3 objects" in said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a_labels.tif",
        "a_polygons.geojson",
        "b_labels.tif",
        "b_polygons.geojson",
        "images.csv",
        "journal.sqlite",
        "measurements.csv",
        "report.html",
        "run.json",
        "sizes.svg",
    ]


def test_segment_exits_1_and_lists_each_input_that_failed(segment, folder):
    (folder / "c.tif").write_bytes(b"")
    (folder / "d.png").write_text("no picture")
    status, said, complaints = segment(folder)
    assert status == 1
    assert [line.split(":")[0] for line in complaints] == ["spheroseg"] * 2
    assert "c.tif" in complaints[0]
    assert "d.png" in complaints[1]
    assert "2 of 4 images failed" in said


@pytest.fixture
def booked(monkeypatch):
    """What runs have booked."""
    made = []

    @contextlib.contextmanager
    def reserve(device, gigabytes):
        made.append((device, gigabytes))
        yield

    monkeypatch.setattr(reservation, "reserve", reserve)
    return made


def test_a_booking_that_is_left_to_the_plan_is_what_the_first_image_needs(
    segment, folder, booked, bright, image
):
    (folder / "a.tif").write_text("damaged: the next one is the first")
    assert segment(folder, "--reserve", "auto")[0] == 1
    plan = Predictor(models.load(bright), "cpu").plan(image.shape)
    assert booked == [("cpu", plan.device_gb + plan.host_gb)]
    assert booked[0][1] > 0


def test_a_booking_is_a_number_or_left_to_the_plan(segment, folder, booked, tmp_path):
    assert segment(folder, "--reserve", "1.5")[0] == 0
    assert booked == [("cpu", 1.5)]
    status, _, complaints = segment(folder, "--reserve", "some")
    assert (status, len(complaints)) == (2, 1)
    assert "Give GB, or auto." in complaints[0]


def test_a_missing_file_is_an_input_that_failed(segment, folder):
    status, _, complaints = segment(folder / "a.tif", folder / "nowhere.tif")
    assert status == 1
    assert len(complaints) == 1
    assert "nowhere.tif" in complaints[0]


def test_a_warning_is_told_with_the_image(segment, folder):
    tifffile.imwrite(folder / "c.tif", np.zeros((64, 64), np.uint8))
    assert "constant" in segment(folder)[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--threshold", "3"), "threshold = 3"),
        (("--model", "waiting"), "spheroseg models install"),
        (("--model", "nothing"), "no model 'nothing'"),
        (("--device", "cuda:99"), "no device 'cuda:99'"),
        (("--backend", "abacus"), "no backend"),
        (("--colour", "red"), "--colour"),
        (("--min-area", "many"), "--min-area"),
        (("--intensity", "loud"), "--intensity"),
        (("--max-area", "1", "--min-area", "5"), "max_area must not be below"),
    ],
)
def test_bad_usage_is_one_line_on_stderr_and_exits_2(
    arguments, words, segment, folder, tmp_path, waiting
):
    status, said, complaints = segment(folder, *arguments)
    assert status == 2
    assert len(complaints) == 1
    assert complaints[0].startswith("spheroseg: ")
    assert words in complaints[0]
    assert said == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [("segment",), ("segment", "a.tif"), ("nothing",)])
def test_what_is_missing_from_a_command_is_said_in_one_line(arguments, spheroseg):
    status, _, complaints = spheroseg(*arguments)
    assert (status, len(complaints)) == (2, 1)
    assert complaints[0].endswith("See --help.")


def test_a_folder_without_images_is_one_line_on_stderr(segment, tmp_path):
    status, _, complaints = segment(tmp_path)
    assert status != 0
    assert len(complaints) == 1
    assert "holds no image" in complaints[0]


@pytest.mark.parametrize(
    ("arguments", "objects"),
    [
        ((), 3),
        (("--min-area", "300"), 2),
        (("--max-area", "300"), 1),
        (("--exclude-edge",), 3),
        (("--intensity", "fixed", "--low", "0", "--high", "10000"), 0),
    ],
)
def test_options_reach_the_segmentation(arguments, objects, segment, folder):
    said = segment(folder / "a.tif", *arguments)[1]
    assert f"a.tif: {objects} object" in said


def test_the_pixel_size_makes_micrometres(segment, folder, tmp_path):
    segment(folder, "--pixel-size", "0.5")
    assert "area_um2" in (tmp_path / "out" / "measurements.csv").read_text().splitlines()[0]


def test_a_channel_can_be_chosen(segment, tmp_path, image):
    data = np.stack([np.zeros_like(image), image])
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "CYX"})
    assert "a.tif: 3 objects" in segment(tmp_path / "a.tif", "--channel", "1")[1]


def test_axes_can_be_told(segment, tmp_path, image):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([image, image]), metadata=None)
    assert segment(tmp_path / "a.tif", "--axes", "ZYX")[0] == 0
    assert ",z," in (tmp_path / "out" / "measurements.csv").read_text().splitlines()[0]


def test_what_was_set_is_in_the_record(segment, folder, tmp_path):
    segment(folder, "--split-touching", "--tolerance", "2", "--tile", "64")
    recipe = json.loads((tmp_path / "out" / "run.json").read_text())["recipe"]
    assert (recipe["split_touching"], recipe["tolerance"], recipe["tile"]) == (True, 2, 64)


@pytest.mark.parametrize("name", [*PostProcessing.model_fields, "long_side", "scale", "intensity"])
def test_every_setting_is_an_option_with_its_description(name, spheroseg):
    fields = {**PostProcessing.model_fields, **Preparation.model_fields}
    _, said, _ = spheroseg("segment", "--help")
    assert f"--{name.replace('_', '-')}" in said
    words = " ".join(said.split())
    assert fields[name].description.split(" (")[0].split("; ")[0] in words or name == "threshold"


# ---------------------------------------------------------------- errors


def test_debug_shows_the_traceback(folder, tmp_path, waiting):
    from napari_spheroseg.errors import NoWeights

    with pytest.raises(NoWeights):
        main(["segment", str(folder), "-o", str(tmp_path / "o"), "--model", waiting, "--debug"])


def test_without_debug_there_is_no_traceback(spheroseg, folder, tmp_path, waiting):
    _, _, complaints = spheroseg("segment", folder, "-o", tmp_path / "o", "--model", waiting)
    assert not any("Traceback" in line for line in complaints)


@pytest.mark.parametrize("arguments", [(), ("models",)])
def test_a_command_without_arguments_shows_its_help(arguments, spheroseg):
    status, said, complaints = spheroseg(*arguments)
    assert status == 2
    lines = said.splitlines() + complaints
    assert any(line.startswith("Usage:") for line in lines)
    assert len(lines) > 8


@pytest.mark.parametrize(
    "arguments",
    [(), ("segment",), ("demo",), ("models",), ("models", "list"), ("models", "install")],
)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_help(arguments, flag, spheroseg):
    status, said, complaints = spheroseg(*arguments, flag)
    assert (status, complaints) == (0, [])
    assert "Usage:" in said


def test_the_version_is_shown(spheroseg):
    assert spheroseg("--version") == (0, f"{__version__}\n", [])


# ---------------------------------------------------------------- models


def test_models_list_tells_which_wait_for_weights(spheroseg, checkpoint, waiting):
    models.install(checkpoint, "mine")
    status, said, _ = spheroseg("models", "list")
    states = {line.split()[0]: line for line in said.splitlines()}
    assert status == 0
    assert "no weights installed" in states[waiting]
    assert "no weights" not in states["mine"]


def test_models_info_is_json(spheroseg):
    status, said, _ = spheroseg("models", "info", "hrnet")
    assert status == 0
    assert json.loads(said)["title"] == "HRNet"


def test_models_install_makes_a_model_that_segment_can_use(spheroseg, bright, folder, tmp_path):
    status, said, _ = spheroseg("models", "install", bright, "--name", "mine")
    assert (status, "--model mine" in said) == (0, True)
    assert spheroseg("segment", folder, "-o", tmp_path / "out", "--model", "mine")[0] == 0


def test_models_install_asks_before_it_replaces(spheroseg, checkpoint):
    assert spheroseg("models", "install", checkpoint)[0] == 0
    status, _, complaints = spheroseg("models", "install", checkpoint)
    assert (status, len(complaints)) == (2, 1)
    assert spheroseg("models", "install", checkpoint, "--replace")[0] == 0


def test_models_install_refuses_what_is_no_checkpoint(spheroseg, tmp_path):
    (tmp_path / "a.pth").write_text("no checkpoint")
    status, _, complaints = spheroseg("models", "install", tmp_path / "a.pth")
    assert (status, len(complaints)) == (1, 1)
    assert models.available() == [each for each in models.available() if each.name != "a"]


def test_models_remove_removes(spheroseg, checkpoint):
    models.install(checkpoint, "mine")
    assert spheroseg("models", "remove", "mine")[0] == 0
    assert "mine" not in [each.name for each in models.known()]


@pytest.mark.parametrize("command", ["info", "remove"])
def test_an_unknown_model_is_bad_usage(command, spheroseg):
    status, _, complaints = spheroseg("models", command, "hrnett")
    assert (status, len(complaints)) == (2, 1)
    assert "did you mean 'hrnet'" in complaints[0]


# ---------------------------------------------------------------- the real thing


def test_the_installed_command_complains_in_one_line_for_each_file(folder, bright, tmp_path):
    whole = (folder / "a.tif").read_bytes()
    (folder / "cut.tif").write_bytes(whole[:100])
    (folder / "short.tif").write_bytes(whole[:4000])
    arguments = ["segment", folder, "-o", tmp_path / "out", "--model", bright, "--device", "cpu"]
    code = "from napari_spheroseg.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [name in line for name, line in zip(("cut", "short"), lines, strict=True)] == [True] * 2


def test_the_demo_writes_a_picture_and_a_table(spheroseg, tmp_path):
    status, said, _ = spheroseg("demo", "--picture", "-o", tmp_path / "demo")
    assert status == 0
    assert "mean diameter" in said
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
        "demo.png",
        "measurements.csv",
    ]
