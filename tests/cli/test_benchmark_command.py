import json
import subprocess
import sys

import pytest


@pytest.fixture
def benchmark(spheroseg, bright, tmp_path):
    def run(*arguments):
        given = ("--device", "cpu", "--repeats", 1, "--threads", 1, "--no-memory")
        given += ("--around-size", 64)
        return spheroseg("benchmark", bright, "-o", tmp_path / "out", *given, *arguments)

    return run


def test_benchmark_prints_the_table_and_writes_the_report(benchmark, tmp_path):
    how = ("--sizes", "64, 96", "--backends", "torch", "--precisions", "float32")
    status, said, complaints = benchmark(*how)
    assert (status, complaints) == (0, [])
    assert said.count("bright") == 2
    assert "benchmark.md" in said
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {"benchmark.json", "benchmark.md", "benchmark.png"}
    record = json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert [case["size"] for case in record["cases"]] == [64, 96]


def test_benchmark_shows_the_batches_where_there_are_any(benchmark, tmp_path):
    how = ("--sizes", "64", "--backends", "torch", "--precisions", "float32", "--no-files")
    assert "Batch" not in benchmark(*how)[1]
    status, said, _ = benchmark(*how, "--batches", "auto, 4")
    assert status == 0
    assert "Batch" in said
    record = json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert [case["batch"] for case in record["cases"]] == [1, 4]


@pytest.mark.parametrize(
    "wrong",
    [
        ("--backends", "tensorflow"),
        ("--sizes", "big"),
        ("--sizes", "65"),
        ("--precisions", "float7"),
        ("--device", "cuda:99"),
        ("--repeats", "0"),
        ("--batches", "0"),
        ("--batches", "some"),
        ("no_such_model",),
    ],
)
def test_bad_usage_exits_2_with_one_line(benchmark, wrong, tmp_path):
    status, said, complaints = benchmark(*wrong)
    assert (status, said, len(complaints)) == (2, "", 1)
    assert not (tmp_path / "out").exists()


def test_the_command_costs_nothing_before_it_runs():
    code = "import sys, napari_spheroseg.cli\n"
    code += "assert not {'torch', 'openvino', 'napari_spheroseg.benchmark.run'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
