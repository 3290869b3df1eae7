"""The machine that a benchmark ran on, and the versions of what ran."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from ..inference.memory import GIGABYTE
from ..inference.record import versions

_PACKAGES = ("openvino", "onnxruntime", "onnx")
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16")


def usable_cores() -> int:
    """Cores that this process may use; two threads of a core count as one."""
    physical = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return min(physical, len(os.sched_getaffinity(0)))
    return int(physical)


def load_average() -> float | None:
    """Processes that wanted a core in the last minute; None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def machine() -> dict[str, Any]:
    """Processor, cores, memory, graphics cards, system, and how busy it is."""
    processor = _cpuinfo()
    flags = set(processor.get("flags", processor.get("Features", "")).split())
    return {
        "processor": processor.get("model name") or platform.processor() or platform.machine(),
        "instructions": [flag for flag in _FLAGS if flag in flags],
        "cores": psutil.cpu_count(logical=False),
        "usable_cores": usable_cores(),
        "memory_gb": round(psutil.virtual_memory().total / GIGABYTE, 1),
        "gpus": _gpus(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average": load_average(),
    }


def all_versions() -> dict[str, str]:
    """Versions of what decides results and speed; what is not installed is left out."""
    found = dict(versions())
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def headline(facts: dict[str, Any]) -> str:
    """A machine in a sentence."""
    instructions = f" ({', '.join(facts['instructions'])})" if facts["instructions"] else ""
    gpus = ", ".join(facts["gpus"]) or "no CUDA device"
    return (
        f"{facts['usable_cores']} of {facts['cores']} cores of {facts['processor']}{instructions}, "
        f"{facts['memory_gb']:g} GB, {gpus}; {facts['system']}, Python {facts['python']}"
    )


def _cpuinfo() -> dict[str, str]:
    """Of the first core, where the system has /proc."""
    try:
        first = Path("/proc/cpuinfo").read_text("utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _gpus() -> list[str]:
    torch = sys.modules.get("torch")  # where no network has run, none can have used a GPU
    if torch is None or not torch.cuda.is_available():
        return []
    count = torch.cuda.device_count()
    return [torch.cuda.get_device_properties(number).name for number in range(count)]
