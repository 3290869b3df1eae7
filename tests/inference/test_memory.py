import logging
import os
import subprocess
import sys

import psutil
import pytest
import torch

from napari_spheroseg.inference import memory
from napari_spheroseg.inference.memory import log_memory, memory_use, peak_memory, total_memory


@pytest.fixture
def logger(caplog):
    logger = logging.getLogger("test_memory")
    caplog.set_level(logging.INFO, logger.name)
    return logger


def test_the_ram_is_that_of_the_machine_and_of_this_process():
    ram = memory_use("cpu").ram
    assert ram.total == psutil.virtual_memory().total / 1e9
    assert 0 < ram.by_process < ram.total
    assert 0 < ram.free < ram.total
    assert 0 < ram.used < ram.total


def test_what_this_process_takes_is_seen():
    before = memory_use("cpu").ram.by_process
    kept = os.urandom(1000) * 200_000  # pages that are written to
    assert memory_use("cpu").ram.by_process - before == pytest.approx(len(kept) / 1e9, abs=0.05)


def test_the_peak_is_kept_after_the_memory_is_given_back():
    before = memory_use("cpu").ram.by_process
    kept = os.urandom(1000) * 200_000
    del kept
    assert peak_memory() >= before + 0.15


def test_the_peak_of_a_child_is_its_own():
    kept = os.urandom(1000) * 300_000
    code = "from napari_spheroseg.inference.memory import peak_memory; print(peak_memory())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0.005 < float(done.stdout) < len(kept) / 1e9


def test_the_total_of_cpu_and_mps_is_that_of_the_machine():
    assert total_memory("cpu") == total_memory("mps") == psutil.virtual_memory().total / 1e9


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.parametrize("device", ["auto", "cuda", "cuda:0", "cpu"])
def test_without_cuda_there_is_no_vram(device):
    assert memory_use(device).vram is None


def test_torch_is_not_imported_to_be_asked():
    code = (
        "import sys; from napari_spheroseg.inference.memory import memory_use;"
        "memory_use('cuda'); memory_use(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_vram_that_this_process_takes_is_seen():
    kept = torch.zeros(100_000_000, dtype=torch.uint8, device="cuda")
    vram = memory_use("cuda").vram
    assert vram.by_process >= kept.nbytes / 1e9
    assert vram.total == pytest.approx(total_memory("cuda"), rel=0.05)
    assert vram.used == pytest.approx(vram.total - vram.free)


def test_a_card_in_use_is_measured(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    sizes = {1: (3e9, 8e9), 2: (1e9, 8e9)}
    monkeypatch.setattr(torch.cuda, "mem_get_info", sizes.get)
    monkeypatch.setattr(torch.cuda, "memory_reserved", {1: 2e9, 2: 4e9}.get)
    assert memory_use("auto").vram == memory.Memory(total=8, free=3, used=5, by_process=2)
    assert memory_use("cuda:2").vram == memory.Memory(total=8, free=1, used=7, by_process=4)
    assert str(memory_use("cuda")).endswith("VRAM: 2.00 GB used by this process, 3.00 GB free")
    assert memory_use("cpu").vram is None


def test_a_log_line_ends_with_the_memory(logger, caplog):
    log_memory(logger, "Model loaded at 100 %s", device="cpu")
    assert caplog.messages[0].startswith("Model loaded at 100 %s | RAM: ")
    assert caplog.messages[0].endswith(" GB free")
    assert caplog.records[0].filename == "test_memory.py"
    assert caplog.records[0].levelno == logging.INFO


def test_nothing_is_measured_for_a_level_that_is_off(logger, caplog, monkeypatch):
    monkeypatch.setattr(memory, "memory_use", None)
    log_memory(logger, "Detail", logging.DEBUG)
    assert caplog.messages == []


def test_a_measurement_that_fails_ends_nothing(logger, caplog, monkeypatch):
    def fail(device):
        raise RuntimeError("CUDA error")

    monkeypatch.setattr(memory, "memory_use", fail)
    log_memory(logger, "Model loaded", logging.WARNING)
    assert caplog.messages == ["Model loaded | memory cannot be measured (CUDA error)"]
