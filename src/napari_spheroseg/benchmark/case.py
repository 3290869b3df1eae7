"""One case in a process of its own, so that nothing else counts in its peak memory.

``python -m napari_spheroseg.benchmark.case JSON`` runs what the JSON says and writes what it found
to stdout, as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import SpherosegError, reason
from ..inference import devices
from ..inference.memory import GIGABYTE, peak_memory
from .settings import PLAIN

Found = dict[str, Any]


class CaseFailed(SpherosegError):
    """A case that did not run to its end."""


def in_own_process(work: str, **arguments: Any) -> Found:
    """Run a case in a fresh process.

    Parameters
    ----------
    work : {"predict", "segment"}
    **arguments
        Of that function; JSON can say them all.

    Raises
    ------
    CaseFailed
        It failed, or the system ended it.
    """
    asked = json.dumps({"work": work, **arguments})
    command = [sys.executable, "-m", "napari_spheroseg.benchmark.case", asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode < 0:
        raise CaseFailed(
            f"The system ended the process (signal {-done.returncode})",
            hint="Most often memory ran out.",
        )
    lines = done.stdout.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CaseFailed(f"The process failed: {last}")
    found: Found = json.loads(lines[-1])
    if "error" in found:
        raise CaseFailed(found["error"])
    return found


def predict(
    model: str,
    backend: str,
    precision: str,
    device: str,
    size: int,
    threads: int,
    batch: int = 1,
) -> Found:
    """Open a model and run its network twice; the peak memory of this process and its device."""
    from .. import models
    from .networks import network_input

    devices.use_threads(threads)
    opened = models.load(model)
    images = network_input(opened, size, batch)
    run: Callable[[Any], Any]
    if backend == PLAIN:
        import torch

        from .networks import plain_network

        torch.set_num_threads(threads)
        run = plain_network(model, device)
    else:
        from ..inference.backends import open_backend

        run = open_backend(opened, backend, device, precision).predict
    idle = peak_memory()
    for _ in range(2):
        run(images)
    return {"memory_gb": peak_memory(), "idle_gb": idle, "device_gb": _device_peak(device)}


def segment(
    model: str, device: str, backend: str, threads: int, warm: str, path: str, out: str
) -> Found:
    """Segment a small file to warm up, then another: seconds, objects and peak memory."""
    from ..batch.run import segment_files

    devices.use_threads(threads)
    found: Found = {}
    for name, each in (("warm", warm), ("", path)):
        start, before = time.perf_counter(), peak_memory()
        files = [Path(each)]
        for item in segment_files(
            files, Path(out) / name, model, device=device, backend=backend, existing="overwrite"
        ):
            if item.error:
                raise CaseFailed(item.error)
            found = {"objects": item.objects}
        found |= {"seconds": time.perf_counter() - start, "idle_gb": before}
    return {**found, "memory_gb": peak_memory(), "device_gb": _device_peak(device)}


def _device_peak(device: str) -> float | None:
    """GB that torch has taken of a CUDA device; None of others."""
    torch = sys.modules.get("torch")
    if torch is None or not device.startswith(("cuda", "auto")) or not torch.cuda.is_initialized():
        return None
    return float(torch.cuda.max_memory_reserved() / GIGABYTE)


_WORK: dict[str, Callable[..., Found]] = {"predict": predict, "segment": segment}


def main(asked: str) -> int:
    """Run what a JSON text asks for; write what was found, or the error."""
    arguments = json.loads(asked)
    try:
        found = _WORK[arguments.pop("work")](**arguments)
    except Exception as error:
        found = {"error": reason(error)}
    sys.stdout.write(json.dumps(found) + "\n")
    return int("error" in found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
