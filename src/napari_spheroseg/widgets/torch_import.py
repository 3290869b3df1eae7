"""The first import of torch, made so that the viewer goes on meanwhile.

It happens in a worker's thread, but two things in it hold all threads: Python loads libraries
without letting go, and looks for garbage again and again among the many objects that torch makes.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Callable
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any


class _Finder:
    """Finds torch as Python does; its loader does more."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Nothing but torch, and only where it is installed."""
        if name != "torch":
            return None
        others = (each for each in sys.meta_path if each is not self)
        found = (each.find_spec(name, path, target) for each in others)
        spec = next((each for each in found if each is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = partial(_execute, spec.loader.exec_module)
        return spec


_finder = _Finder()


def let_viewer_live() -> None:
    """From now on; torch is not imported by this."""
    if "torch" not in sys.modules and _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def _execute(execute: Callable[[ModuleType], None], module: ModuleType) -> None:
    collects = gc.isenabled()
    gc.disable()
    try:
        _load_libraries(Path(module.__file__ or "").parent / "lib")
        execute(module)
    finally:
        if _finder in sys.meta_path:
            sys.meta_path.remove(_finder)
        if collects:
            gc.freeze()  # and back: objects become old ones without being looked through
            gc.unfreeze()
            gc.enable()


def _load_libraries(folder: Path) -> None:
    """As torch would next; but a function called through ctypes lets other threads run."""
    if sys.platform == "win32":  # torch does it so itself
        return
    load = ctypes.CDLL(None).dlopen
    load.argtypes, load.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    ending = "dylib" if sys.platform == "darwin" else "so"
    for name, visible in (("torch_global_deps", os.RTLD_GLOBAL), ("torch", os.RTLD_LOCAL)):
        # one that is missing or refuses is torch's to complain of
        load(os.fsencode(folder / f"lib{name}.{ending}"), os.RTLD_NOW | visible)
