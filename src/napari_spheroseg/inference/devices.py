"""Where networks run: the device that was asked for, or the best that is there."""

from __future__ import annotations

import platform
import sys
from ctypes.util import find_library

from ..errors import NoDevice

NAMES = ("auto", "cuda", "mps", "cpu")


def choose(device: str = "auto") -> str:
    """Name of the device to use.

    Parameters
    ----------
    device : str
        "auto" (CUDA, else MPS, else CPU), "cuda", "cuda:1", "mps" or "cpu".

    Returns
    -------
    str
        As torch names it.

    Raises
    ------
    NoDevice
        One was asked for by name and is not there: never silently the CPU.
    """
    if device == "cpu" or (device == "auto" and not may_have_gpu()):
        return "cpu"
    import torch

    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return next(name for name, is_there in there.items() if is_there)
    kind, _, number = device.partition(":")
    others = ", ".join(name for name, is_there in there.items() if is_there)
    if not there.get(kind, False):
        raise NoDevice(f"This machine has no device '{device}'", hint=f"It has: {others}, or auto.")
    if number and (kind != "cuda" or not number.isdigit() or int(number) >= _gpus()):
        raise NoDevice(
            f"This machine has no device '{device}'", hint=f"It has {_gpus()} CUDA devices."
        )
    return device


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def may_have_gpu() -> bool:
    """Whether it is worth importing torch to look for a GPU.

    False only where there can be none that torch would use: no driver, or a build of torch without
    CUDA.
    """
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    from importlib.metadata import version

    drivers = ("nvcuda",) if sys.platform == "win32" else ("cuda", "amdhip64")
    return not version("torch").endswith("+cpu") and any(map(find_library, drivers))


_threads = 0


def use_threads(count: int) -> None:
    """Threads on the CPU, for backends opened from now on; 0 leaves the choice to them."""
    global _threads
    _threads = count


def threads() -> int:
    """What `use_threads` said."""
    return _threads
