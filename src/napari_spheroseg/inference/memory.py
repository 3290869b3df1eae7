"""How much memory there is, and how much of it this process uses.

A GB is 1e9 bytes.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class Memory:
    """State of one memory.

    Attributes
    ----------
    total, free : float
        GB that it has, and that could be had now.
    used : float
        GB that all processes use.
    by_process : float
        GB of them that are this process's: of RAM the resident pages, of VRAM what torch's
        allocator keeps.
    """

    total: float
    free: float
    used: float
    by_process: float

    def __str__(self) -> str:
        return f"{self.by_process:.2f} GB used by this process, {self.free:.2f} GB free"


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Memory of the machine and of its graphics card at one moment.

    Attributes
    ----------
    ram : Memory
    vram : Memory or None
        None where this process does not use CUDA.
    """

    ram: Memory
    vram: Memory | None = None

    def __str__(self) -> str:
        text = f"RAM: {self.ram}"
        return text if self.vram is None else f"{text} | VRAM: {self.vram}"


def memory_use(device: str = "auto") -> MemoryUse:
    """Measure the memory now; torch is asked only if this process uses CUDA already.

    Parameters
    ----------
    device : str
        The device whose memory is meant, as `devices.choose` takes it.
    """
    machine = psutil.virtual_memory()
    ram = Memory(
        total=machine.total / GIGABYTE,
        free=machine.available / GIGABYTE,
        used=machine.used / GIGABYTE,
        by_process=psutil.Process().memory_info().rss / GIGABYTE,
    )
    return MemoryUse(ram, _vram(device))


def _vram(device: str) -> Memory | None:
    is_cuda = device == "auto" or device.partition(":")[0] == "cuda"
    if not is_cuda or sys.modules.get("torch") is None:
        return None
    import torch

    # asking would start it, which takes memory itself
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return None
    number = cuda_number(device)
    free, total = torch.cuda.mem_get_info(number)
    return Memory(
        total=total / GIGABYTE,
        free=free / GIGABYTE,
        used=(total - free) / GIGABYTE,
        by_process=torch.cuda.memory_reserved(number) / GIGABYTE,
    )


def cuda_number(device: str) -> int:
    """Number of a CUDA device; the current one where the name has none."""
    import torch

    number = device.partition(":")[2]
    return int(number) if number else torch.cuda.current_device()


def total_memory(device: str) -> float:
    """GB that a device has, whoever uses them; of "mps" and "cpu" those of the machine.

    Parameters
    ----------
    device : str
        One that is there, by its own name: `devices.choose` finds it.
    """
    if device.partition(":")[0] != "cuda":
        return float(psutil.virtual_memory().total / GIGABYTE)
    import torch

    return float(torch.cuda.get_device_properties(cuda_number(device)).total_memory / GIGABYTE)


def kept_memory(device: str) -> float:
    """GB of a CUDA device that torch's allocator keeps for this process and does not use now.

    They are free for its next tensors, though the driver counts them as used.
    """
    if _vram(device) is None:
        return 0.0
    import torch

    number = cuda_number(device)
    kept = torch.cuda.memory_reserved(number) - torch.cuda.memory_allocated(number)
    return float(kept / GIGABYTE)


def give_back() -> None:
    """Give back to the GPU what torch's allocator keeps and does not use; other processes may."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def peak_memory() -> float:
    """The most RAM, in GB, that this process has had resident since it started."""
    use = psutil.Process().memory_info()
    if hasattr(use, "peak_wset"):  # Windows
        return float(use.peak_wset / GIGABYTE)
    kilobytes = _high_water_mark()
    if kilobytes is not None:
        return kilobytes * 1024 / GIGABYTE
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / GIGABYTE


def _high_water_mark() -> int | None:
    # ru_maxrss of a child begins at what its parent had on Linux: /proc tells the child's own
    try:
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)


def log_memory(
    logger: logging.Logger, message: str, level: int = logging.INFO, device: str = "auto"
) -> None:
    """Log a message and the memory behind it; nothing is measured if the level is off.

    Parameters
    ----------
    logger : logging.Logger
    message : str
        Complete, without arguments to come.
    level : int
        As `logging` counts them.
    device : str
        See `memory_use`.
    """
    if not logger.isEnabledFor(level):
        return
    try:
        memory = str(memory_use(device))
    except (OSError, RuntimeError, psutil.Error) as error:  # a log line ends no run
        memory = f"memory cannot be measured ({error})"
    logger.log(level, "%s | %s", message, memory, stacklevel=2)
