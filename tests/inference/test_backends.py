import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from napari_spheroseg import models
from napari_spheroseg.errors import BadSetting, NoDevice, OutOfMemory, UnknownName, WrongWeights
from napari_spheroseg.inference import backends
from napari_spheroseg.inference.backends import converted, open_backend
from napari_spheroseg.inference.backends.memory_errors import told_as_ours
from napari_spheroseg.inference.backends.torch import TorchBackend


@pytest.fixture(params=["openvino", "onnxruntime"])
def other(request):
    """Name of a backend that runs converted networks, where its package is installed."""
    pytest.importorskip(request.param)
    return request.param


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("SPHEROSEG_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _warn_again(monkeypatch):
    monkeypatch.setattr(backends, "_warned", set())


@pytest.fixture
def batch():
    return np.random.default_rng(0).random((2, 1, 64, 96), np.float32)


def blocked(monkeypatch, *packages):
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)


def conversions(monkeypatch):
    """Counts how often a network is converted."""
    seen = []
    convert = converted._convert
    monkeypatch.setattr(
        converted, "_convert", lambda *arguments: (seen.append(1), convert(*arguments))
    )
    return seen


def test_an_unknown_backend_is_answered_with_those_there_are(model):
    with pytest.raises(UnknownName, match=r"no backend 'tensorflow'.*torch"):
        open_backend(model, "tensorflow")


def test_an_unknown_precision_is_answered_with_those_there_are(model):
    with pytest.raises(BadSetting, match=r"no precision 'int3'.*float32"):
        open_backend(model, precision="int3")


@pytest.mark.parametrize("name", ["unet", "hrnet", "cbam_resunet"])
def test_backends_agree_in_float32_on_the_models_that_ship(name, other):
    image = np.random.default_rng(0).random((2, 1, 96, 128), np.float32)
    truth = open_backend(models.load(name), "torch", "cpu").predict(image)
    found = open_backend(models.load(name), other, "cpu", "float32").predict(image)
    assert found.dtype == np.float32
    assert np.abs(found - truth).max() < 1e-3 * np.abs(truth).max()


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (3, 1, 160, 64), (1, 1, 48, 80)])
def test_a_converted_network_takes_any_size_and_batch(shape, other, model):
    image = np.random.default_rng(0).random(shape, np.float32)
    truth = open_backend(model, "torch").predict(image)
    found = open_backend(model, other, precision="float32").predict(image)
    assert np.allclose(found, truth, atol=1e-3)


@pytest.mark.parametrize("name", ["unet", "hrnet", "cbam_resunet"])
def test_a_result_does_not_depend_on_what_came_before(name, other):
    model, rng = models.load(name), np.random.default_rng(0)
    usual, odd = (rng.random((1, 1, side, 64), np.float32) for side in (512, 96))
    backend = open_backend(model, other, "cpu")
    first = [backend.predict(each) for each in (usual, odd)]
    later = [backend.predict(each) for each in (odd, usual)]
    anew = open_backend(model, other, "cpu").predict(usual)
    assert np.array_equal(first[0], later[1])
    assert np.array_equal(first[1], later[0])
    assert np.array_equal(first[0], anew)


def test_several_threads_may_ask_one_backend(other, model, batch):
    backend = open_backend(model, other, "cpu")
    alone = backend.predict(batch)
    start = threading.Barrier(4)

    def ask(_):
        start.wait()
        return backend.predict(batch)

    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(each, alone) for each in pool.map(ask, range(4)))


def test_a_network_is_converted_once(other, bright, cache, batch, monkeypatch):
    seen = conversions(monkeypatch)
    first = open_backend(models.load(bright), other, "cpu").predict(batch)
    second = open_backend(models.load(bright), other, "cpu").predict(batch)
    assert len(seen) == 1
    assert np.array_equal(first, second)
    assert [path.suffix for path in cache.glob("*.onnx")] == [".onnx"]


def test_threads_that_ask_at_once_convert_once(bright, cache, monkeypatch):
    seen = conversions(monkeypatch)
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: converted.as_onnx(models.load(bright)), range(4)))
    assert len(seen) == len(paths) == 1


def test_weights_that_were_changed_in_memory_are_converted_anew(other, model, cache, batch):
    before = open_backend(model, other, "cpu", "float32").predict(batch)
    with torch.no_grad():
        model.network.get_parameter("final_conv.bias").add_(1)
    after = open_backend(model, other, "cpu", "float32").predict(batch)
    assert np.allclose(after, before + 1, atol=1e-4)


def test_weights_that_were_changed_on_disk_are_refused_though_a_conversion_is_there(
    other, bright, cache, tmp_path
):
    import shutil

    copy = shutil.copytree(bright, tmp_path / "copy")
    open_backend(models.load(copy), other, "cpu")
    weights = copy / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(WrongWeights, match="not those"):
        open_backend(models.load(copy), other, "cpu")


def test_the_cache_forgets_what_was_not_used_for_longest(bright, cache, monkeypatch):
    cache.mkdir()
    for age, name in enumerate(["new.onnx", "old.onnx"]):
        (cache / name).write_bytes(b"0" * 1000)
        import os

        os.utime(cache / name, (1e9 - age, 1e9 - age))
    used = converted.as_onnx(models.load(bright))
    monkeypatch.setattr(converted, "_MOST_BYTES", used.stat().st_size + 1500)
    converted.as_onnx(models.load(bright))
    assert {path.name for path in cache.glob("*.onnx")} == {"new.onnx", used.name}


def test_a_conversion_that_fails_leaves_nothing(bright, cache, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no such operator")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(RuntimeError, match="operator"):
        converted.as_onnx(models.load(bright))
    assert not list(cache.glob("*onnx*"))
    assert not list(cache.glob(".*.onnx.*"))


def test_a_folder_that_cannot_be_written_is_done_without(model, tmp_path, monkeypatch, batch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPHEROSEG_CACHE", str(tmp_path / "file" / "cache"))
    assert converted.as_onnx(model).is_file()


def test_auto_is_the_fastest_that_is_installed(model, monkeypatch):
    pytest.importorskip("openvino")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_backend(model, device="cpu").name == "openvino"


def test_without_other_packages_torch_runs_and_says_why_once(model, monkeypatch):
    blocked(monkeypatch, "openvino", "onnxruntime")
    with pytest.warns(UserWarning, match="OpenVINO is not installed: torch runs instead"):
        assert open_backend(model, device="cpu").name == "torch"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_backend(model, device="cpu")


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_missing_backend_that_was_asked_for_by_name_names_its_extra(name, model, monkeypatch):
    blocked(monkeypatch, name)
    with pytest.raises(NoDevice, match=rf"not installed.*spheroseg\[{name}\]"):
        open_backend(model, name)


def test_a_backend_that_cannot_convert_gives_way_with_the_reason(model, cache, monkeypatch):
    pytest.importorskip("openvino")

    def fail(*_, **__):
        raise RuntimeError("no such operator\nand more")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.warns(UserWarning, match=r"failed \(no such operator\): torch runs instead"):
        assert open_backend(model, device="cpu").name == "torch"


def test_a_backend_that_fails_while_it_runs_gives_way_with_the_same_answer(
    model, batch, monkeypatch
):
    openvino = pytest.importorskip("napari_spheroseg.inference.backends.openvino")
    backend = open_backend(model, device="cpu")
    truth = TorchBackend(model, "cpu", "float32").predict(batch)

    def fail(*_):
        raise RuntimeError("shape inference")

    monkeypatch.setattr(openvino.OpenVinoBackend, "predict", fail)
    with pytest.warns(UserWarning, match=r"openvino failed \(shape inference\)"):
        assert np.allclose(backend.predict(batch), truth, atol=1e-3)
    assert backend.name != "openvino"


def test_one_that_was_asked_for_by_name_does_not_give_way(model, batch, monkeypatch):
    openvino = pytest.importorskip("napari_spheroseg.inference.backends.openvino")

    def fail(*_):
        raise RuntimeError("shape inference")

    monkeypatch.setattr(openvino.OpenVinoBackend, "predict", fail)
    with pytest.raises(RuntimeError, match="shape inference"):
        open_backend(model, "openvino", "cpu").predict(batch)


@pytest.mark.parametrize("device", ["cuda", "gpu:7", "tpu"])
def test_a_device_that_is_not_there_is_an_error_in_every_backend(device, other, model):
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    for name in (other, "auto", "torch"):
        with pytest.raises(NoDevice, match="no device"):
            open_backend(model, name, device)


def test_onnx_runtime_refuses_what_it_does_not_compute_in(model):
    pytest.importorskip("onnxruntime")
    with pytest.raises(BadSetting, match="float32"):
        open_backend(model, "onnxruntime", "cpu", "bfloat16")


def test_torch_computes_in_lower_precision_where_asked(model, batch):
    exact = open_backend(model, "torch", "cpu", "float32").predict(batch)
    rough = open_backend(model, "torch", "cpu", "bfloat16")
    assert rough.precision == "bfloat16"
    assert 0 < np.abs(rough.predict(batch) - exact).max() < 1


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("std::bad_alloc"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"),
    ],
)
def test_every_backends_out_of_memory_becomes_ours(error):
    with (
        pytest.raises(OutOfMemory, match="cpu has too little memory for 2 x 64 x 96"),
        told_as_ours("cpu", (2, 1, 64, 96)),
    ):
        raise error


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shape"), told_as_ours("cpu", (1, 1, 8, 8)):
        raise RuntimeError("shape")


# ---------------------------------------------------------------- on the way to CUDA


class Travelling:
    """A tensor that says how it goes; pinned memory may be all taken."""

    def __init__(self, pinned=True):
        self.pinned, self.went = pinned, []

    def pin_memory(self):
        if not self.pinned:
            raise RuntimeError("CUDA error: out of memory")
        self.went.append("pinned")
        return self

    def to(self, device, **how):
        self.went.append((device, how))
        return self


@pytest.mark.parametrize(
    ("device", "pinned", "went"),
    [
        ("cuda:1", True, ["pinned", ("cuda:1", {"non_blocking": True})]),
        ("cuda", False, [("cuda", {})]),
        ("cpu", True, [("cpu", {})]),
    ],
)
def test_a_batch_goes_to_cuda_from_pinned_memory_where_there_is_some(device, pinned, went):
    from napari_spheroseg.inference.backends.torch import _sent

    assert _sent(Travelling(pinned), device).went == went
