import json
import math
import sys

import cv2
import numpy as np
import pytest

from napari_spheroseg import models
from napari_spheroseg.benchmark import case, growth, machine, measure, networks, plot, report
from napari_spheroseg.benchmark.combinations import combinations
from napari_spheroseg.benchmark.flops import flops, matrix_flops
from napari_spheroseg.benchmark.results import CaseResult, Growth, Peak, Results
from napari_spheroseg.benchmark.run import benchmark
from napari_spheroseg.benchmark.settings import BenchmarkSettings
from napari_spheroseg.benchmark.stages import STAGES, foreground_dice
from napari_spheroseg.benchmark.timing import Timing, alternate, same_threads
from napari_spheroseg.errors import BadSetting, NoDevice, UnknownName
from napari_spheroseg.inference import devices


@pytest.fixture(scope="module")
def quick(bright):
    """Settings of a benchmark that takes a second."""
    return BenchmarkSettings(
        models=(str(bright),),
        sizes=(64,),
        backends=("torch",),
        precisions=("float32",),
        device="cpu",
        repeats=2,
        threads=1,
        memory=False,
        around_size=64,
    )


@pytest.fixture(scope="module")
def folder(quick, tmp_path_factory):
    """Results of a whole benchmark: all backends, one of them missing."""
    out = tmp_path_factory.mktemp("benchmark")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "onnxruntime", None)
        for _ in benchmark(quick.replace(backends=("all",)), out):
            pass
    return out


@pytest.fixture(scope="module")
def record(folder):
    return json.loads((folder / "benchmark.json").read_text())


# ---------------------------------------------------------------- the record


def test_the_record_says_what_ran_where(record):
    assert record["finished"]
    assert record["threads"] == 1
    assert {"torch", "numpy", "napari-spheroseg"} <= set(record["versions"])
    assert record["machine"]["processor"]
    assert record["settings"]["sizes"] == [64]


def test_every_backend_is_a_case_or_not_available(record):
    told = [(each["backend"], each["precision"]) for each in record["cases"]]
    told += [(each["backend"], each["precision"]) for each in record["unavailable"]]
    assert {backend for backend, _ in told} == {"torch", "openvino", "onnxruntime"}
    assert len(told) == len(set(told))


def test_a_backend_that_is_not_installed_is_listed_with_the_reason(record):
    (missing,) = (each for each in record["unavailable"] if each["backend"] == "onnxruntime")
    assert "ONNX Runtime is not installed" in missing["reason"]


def test_ratios_follow_from_the_times(record):
    for each in record["cases"]:
        assert each["error"] == ""
        assert each["speed"] == pytest.approx(each["plain_ms"] / each["ms"])
        assert each["cpu_speed"] == pytest.approx(each["plain_cpu_ms"] / each["cpu_ms"])
        assert each["images_per_second"] == pytest.approx(1000 / each["ms"])
        assert each["files_speed"] == pytest.approx(each["torch_files_ms"] / each["files_ms"])
        assert each["range_ms"][0] <= each["ms"] <= each["range_ms"][1]


def test_every_stage_has_its_share_and_together_they_are_the_whole(record):
    for each in record["cases"]:
        assert list(each["shares"]) == list(STAGES)
        assert sum(each["shares"].values()) == pytest.approx(1)
        assert all(value > 0 for value in each["stages_ms"].values())


def test_labels_of_backends_agree(record):
    assert all(each["dice"] > 0.99 for each in record["cases"])


def test_everything_around_the_network_is_a_figure_of_its_own(record):
    (around,) = record["around_the_network"]
    own = sum(v for k, v in around["stages_ms"].items() if k not in ("network", "read", "write"))
    assert around["memory_ms"] == pytest.approx(own)
    assert around["size"] == 64


def test_what_was_not_measured_is_null(record):
    (first, *_) = record["cases"]
    assert first["peak"] == {"memory_gb": None, "device_gb": None}
    assert first["memory_ratio"] is first["tflops"] is None


def test_the_report_has_machine_table_and_plot(folder):
    text = (folder / "benchmark.md").read_text()
    assert "1 threads" in text
    assert "| bright | torch | float32 | 64 |" in text
    assert "## Not available here" in text
    assert cv2.imread(str(folder / "benchmark.png")).shape[1] == 1600


# ---------------------------------------------------------------- stopped, failed


def test_a_run_that_is_stopped_leaves_what_was_measured(quick, tmp_path):
    steps = benchmark(quick.replace(sizes=(64, 96), precisions=("float32", "bfloat16")), tmp_path)
    assert next(steps).total == 5
    steps.close()
    record = json.loads((tmp_path / "benchmark.json").read_text())
    assert [each["size"] for each in record["cases"]] == [64]
    assert record["finished"] is None
    assert "stopped" in (tmp_path / "benchmark.md").read_text()
    assert devices.threads() == 0


def test_a_case_that_fails_does_not_stop_the_others(quick, tmp_path, monkeypatch):
    monkeypatch.setattr(networks.np.random, "default_rng", None)
    *_, last = benchmark(quick, tmp_path)
    assert last.results.finished
    assert "TypeError" in last.results.cases[0].error
    assert "## Failed" in (tmp_path / "benchmark.md").read_text()


# ---------------------------------------------------------------- batches


def test_each_batch_is_a_case_with_the_time_of_one_image(quick, tmp_path, monkeypatch):
    clocks = {"one": iter(range(0, 10**6, 8)), "two": iter(range(0, 10**6, 4))}
    monkeypatch.setattr(
        measure,
        "alternate",
        lambda runs, repeats: [
            each
            for run in runs
            for each in alternate([run], repeats, clocks["one"].__next__, clocks["two"].__next__)
        ],
    )
    *_, last = benchmark(quick.replace(batches=(1, 4), files=False), tmp_path)
    assert last.done == last.total == 2
    record = json.loads((tmp_path / "benchmark.json").read_text())
    found = [
        (each["batch"], each["ms"], each["plain_ms"], each["cpu_ms"]) for each in record["cases"]
    ]
    assert found == [(1, 8000, 8000, 4000), (4, 2000, 2000, 1000)]
    assert record["cases"][1]["images_per_second"] == 0.5
    assert "| 64 | 4 |" in (tmp_path / "benchmark.md").read_text()


def test_from_file_to_files_is_measured_once_whatever_the_batch(quick, tmp_path):
    *_, last = benchmark(quick.replace(batches=(2, 3)), tmp_path)
    assert [bool(each.stages_ms) for each in last.results.cases] == [True, False]
    assert not last.results.failures


def test_an_automatic_batch_is_what_a_run_takes_and_no_case_twice(quick, model, monkeypatch):
    bench = measure.Bench(model, quick.replace(batches=("auto", 1, 12)), 1, None)
    cpu = combinations(quick, model)[0]
    assert bench.batches(cpu, 64) == [1, 12]
    monkeypatch.setattr(measure, "batch_for", lambda model, tile, device, most: min(12, most))
    assert bench.batches(cpu, 64) == [12, 1]


@pytest.mark.parametrize("batches", [(), (0,), ("many",)])
def test_a_batch_is_a_number_or_auto(batches):
    with pytest.raises(BadSetting, match="batches"):
        BenchmarkSettings(batches=batches)


# ---------------------------------------------------------------- what is asked for


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"models": ("nothing",)}, UnknownName, "nothing"),
        ({"models": ("unett",), "published": True}, UnknownName, "did you mean 'unet'"),
        ({"backends": ("tensorflow",)}, UnknownName, "tensorflow"),
        ({"precisions": ("float8",)}, BadSetting, "float8"),
        ({"device": "tpu"}, NoDevice, "tpu"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_is_written(
    quick, tmp_path, wrong, error, says
):
    with pytest.raises(error, match=says):
        next(benchmark(quick.replace(**wrong), tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("sizes", [(), (63,), (100,)])
def test_sizes_are_multiples_of_32(sizes):
    with pytest.raises(BadSetting, match="sizes"):
        BenchmarkSettings(sizes=sizes)


def test_a_backend_that_was_asked_for_by_name_and_is_missing_is_an_error(quick, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(NoDevice, match="ONNX Runtime is not installed"):
        combinations(quick.replace(backends=("torch", "onnxruntime")), model)


def test_a_precision_that_one_of_the_named_backends_has_is_no_error(quick, model):
    asked = quick.replace(backends=("all",), precisions=("bfloat16",))
    found = {each.backend: each for each in combinations(asked, model)}
    assert found["torch"].reason == ""
    assert "float32" in found["onnxruntime"].reason


def test_auto_is_no_second_case_where_it_has_a_name_already(quick, model):
    found = combinations(quick.replace(precisions=("auto", "float32")), model)
    assert [(each.backend, each.precision) for each in found] == [("torch", "float32")]


# ---------------------------------------------------------------- the parts


def test_runs_take_turns_and_the_warm_up_does_not_count():
    seen = []
    ticks, cpu_ticks = iter(range(100)), iter(range(0, 200, 2))
    runs = [lambda: seen.append("a"), lambda: seen.append("b")]
    first, second = alternate(runs, 2, lambda: next(ticks), lambda: next(cpu_ticks))
    assert "".join(seen) == "ab" + "ab" + "ba"
    assert first.seconds == second.seconds == (1, 1)
    assert first.cpu_seconds == second.cpu_seconds == (2, 2)


def test_time_is_the_median_in_milliseconds():
    assert Timing((0.1, 9.0, 0.2)).ms == pytest.approx(200)


def test_threads_are_as_before_afterwards():
    import torch

    before = torch.get_num_threads()
    with same_threads(3) as count:
        assert count == torch.get_num_threads() == devices.threads() == 3
    assert (torch.get_num_threads(), devices.threads()) == (before, 0)


def test_memory_is_that_of_a_process_of_its_own(bright):
    arguments = {"backend": "openvino", "precision": "float32", "device": "cpu", "threads": 1}
    arguments["batch"] = 2
    found = case.in_own_process("predict", model=str(bright), size=64, **arguments)
    assert 0.01 < found["idle_gb"] <= found["memory_gb"] < 2
    assert found["device_gb"] is None


def test_an_error_of_the_other_process_arrives():
    arguments = {"backend": "torch", "precision": "float32", "device": "cpu", "threads": 1}
    with pytest.raises(case.CaseFailed, match="no model 'nothing'"):
        case.in_own_process("predict", model="nothing", size=64, **arguments)


@pytest.mark.parametrize(
    ("changes", "kind", "megapixels"),
    [({"grow_sizes": (512,)}, "size", 0.262144), ({"grow_frames": (2,)}, "frames", 0.524288)],
)
def test_growth_is_measured_from_file_to_files(
    quick, model, tmp_path, monkeypatch, capsys, changes, kind, megapixels
):
    def here(work, **arguments):
        case.main(json.dumps({"work": work, **arguments}))
        return json.loads(capsys.readouterr().out)

    monkeypatch.setattr(growth, "in_own_process", here)  # the process has a test of its own
    (grown,) = growth.grow(model, quick.replace(**changes), 1, tmp_path)
    devices.use_threads(0)
    assert (grown.kind, grown.megapixels, grown.error) == (kind, megapixels, "")
    assert grown.seconds > 0
    assert grown.memory_gb > 0.01


def test_operations_of_a_network_are_counted(model):
    assert flops(model, 128) == pytest.approx(4 * flops(model, 64))


def test_operations_of_a_matrix_product_are_measured():
    assert matrix_flops("cpu", "float32", side=64, repeats=2) > 1e6


def test_the_dice_of_nothing_is_not_defined():
    nothing, something = np.zeros((2, 2), np.int32), np.eye(2, dtype=np.int32)
    assert math.isnan(foreground_dice(nothing, nothing))
    assert foreground_dice(nothing, something) == 0
    assert foreground_dice(something, something * 7) == 1


def test_memory_of_a_graphics_card_is_compared_with_its_own():
    result = CaseResult("m", "torch", "float16", "cuda", 64, peak=Peak(9, 1), plain_peak=Peak(9, 2))
    assert result.memory_ratio == 0.5


def test_growth_is_drawn_in_panels_of_its_own(quick):
    results = Results(quick, machine.machine(), {"torch": "2"}, 1, "now")
    before = plot.draw(results).height
    results.growth += [Growth("m", "size", 512, 1.0, 1.0), Growth("m", "size", 1024, 4.0, 2.0)]
    assert plot.draw(results).height > before
    assert "| m | 512² |" in report.markdown(results)


def test_published_networks_are_the_same_in_every_run(tmp_path, monkeypatch):
    small = {"unet": "napari_spheroseg.networks.unet:UNet"}
    assert set(small) <= set(networks.networks.names())
    create = networks.networks.create
    monkeypatch.setattr(networks.networks, "create", lambda name: create(name, features=[4, 8]))
    sums = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (model,) = networks.wanted_models(("unet",), True, tmp_path / name)
        sums.append(model.metadata.sha256)
    assert sums[0] == sums[1]
    assert models.load(tmp_path / "first" / "unet").metadata.preparation.channels == 3


def test_a_machine_is_told_in_a_sentence():
    facts = machine.machine()
    assert facts["processor"] in machine.headline(facts)
    assert facts["usable_cores"] >= 1
