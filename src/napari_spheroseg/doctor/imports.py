"""Packages with libraries of their own: whether importing them works, and what they find."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from ctypes.util import find_library
from typing import Any

from ..extras import install_command
from .finding import Finding
from .packages import installed

_SECONDS = 120
_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
_OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)

_TORCH = """
import torch
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
each = [torch.cuda.get_device_properties(i) for i in range(count)]
found = {"cuda": torch.version.cuda or getattr(torch.version, "hip", None),
         "devices": [f"{one.name} ({one.total_memory / 1e9:.0f} GB)" for one in each],
         "mps": torch.backends.mps.is_available()}
"""
_OPENVINO = """
import openvino
core = openvino.Core()
found = {"devices": {each: core.get_property(each, "FULL_DEVICE_NAME")
                     for each in core.available_devices}}
"""
_ONNXRUNTIME = """
import onnxruntime
found = {"providers": onnxruntime.get_available_providers()}
"""
_QT = "from napari_spheroseg.widgets.qt_found import found"


class _Broken(Exception):
    """A package that is installed and cannot be used."""


def _ask(code: str) -> Any:
    """What a piece of Python, run in a process of its own, found: one that dies takes only it."""
    code = f"{code}\nimport json\nprint('\\nfound ' + json.dumps(found))"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise _Broken(f"did not answer within {_SECONDS} s") from error
    except OSError as error:
        raise _Broken(f"Python cannot be started: {error}") from error
    lines = done.stdout.splitlines()
    if done.returncode == 0 and lines and lines[-1].startswith("found "):
        return json.loads(lines[-1].removeprefix("found "))
    complaints = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
    if done.returncode < 0:
        complaints.append(f"it was ended by signal {-done.returncode}")
    raise _Broken(f"cannot be imported: {complaints[-1][:300]}")


def _anew(package: str) -> str:
    return f"pip install --force-reinstall --no-deps {package}"


def qt() -> Iterator[Finding]:
    """Which Qt there is, and whether it starts."""
    there = [name for name in _BINDINGS if installed(name)]
    if not there:
        verdict: Any = "problem" if installed("napari") else "note"
        yield Finding("Qt", verdict, "no binding is installed", install_command("gui"))
        return
    try:
        found = _ask(_QT)
    except _Broken as error:
        mend = _anew(there[0])
        if sys.platform.startswith("linux") and ".so" in str(error):
            mend = "sudo apt install libegl1 libgl1 libxkbcommon0 libdbus-1-3"
        yield Finding("Qt", "problem", str(error), mend)
        return
    yield Finding("Qt", "ok", f"{found['binding']} with Qt {found['version']}")
    if len(there) > 1:
        said = f"{' and '.join(there)} are installed; {found['binding']} is used"
        yield Finding("Qt", "note", said, f"pip uninstall {there[-1]}")


def torch() -> Iterator[Finding]:
    """PyTorch, the graphics cards that it sees, and those that it could see."""
    version = installed("torch")
    if version is None:
        yield Finding("PyTorch", "problem", "not installed", "pip install torch")
        return
    try:
        found = _ask(_TORCH)
    except _Broken as error:
        yield Finding("PyTorch", "problem", f"{version} {error}", _anew("torch"))
        return
    yield Finding("PyTorch", "ok", version)
    driver = _nvidia_driver()
    if found["devices"]:
        said = f"CUDA {found['cuda']}, driver {driver or 'unknown'}: {', '.join(found['devices'])}"
        yield Finding("CUDA", "ok", said)
    elif found["mps"]:
        yield Finding("GPU", "ok", "Apple's, through MPS")
    elif driver is None:
        yield Finding("CUDA", "note", "no NVIDIA driver was found: networks run on the CPU")
    elif found["cuda"] is None:
        said = f"the driver is there ({driver}), but this PyTorch is built without CUDA"
        mend = (
            "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu128"
        )
        yield Finding("CUDA", "note", said, mend)
    else:
        said = f"driver {driver}, but PyTorch (CUDA {found['cuda']}) finds no device"
        yield Finding("CUDA", "problem", said, "Install a newer NVIDIA driver, and restart")


def _nvidia_driver() -> str | None:
    """Version of the driver; "unknown" where it is there and does not tell; None without one."""
    if (program := shutil.which("nvidia-smi")) is not None:
        query = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            done = subprocess.run(query, capture_output=True, text=True, timeout=30)
        except (OSError, subprocess.TimeoutExpired):
            return "unknown"
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.split()[0]
    library = "nvcuda" if sys.platform == "win32" else "cuda"
    return "unknown" if find_library(library) else None


def openvino() -> Iterator[Finding]:
    """OpenVINO, and the devices that it finds."""
    version = installed("openvino")
    if version is None:
        said = "not installed: networks run more slowly on the CPU"
        yield Finding("OpenVINO", "note", said, install_command("openvino"))
        return
    try:
        devices = _ask(_OPENVINO)["devices"]
    except _Broken as error:
        yield Finding("OpenVINO", "problem", f"{version} {error}", _anew("openvino"))
        return
    names = ", ".join(f"{key}: {' '.join(name.split())}" for key, name in devices.items())
    yield Finding("OpenVINO", "ok", f"{version}; {names}")
    yield from _onnx("OpenVINO", "openvino")


def onnxruntime() -> Iterator[Finding]:
    """ONNX Runtime, and what its build runs on."""
    builds = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")
    there = [name for name in builds if installed(name)]
    if not there:
        yield Finding("ONNX Runtime", "note", "not installed", install_command("onnxruntime"))
        return
    named = " and ".join(f"{name} {installed(name)}" for name in there)
    if len(there) > 1:
        said = f"{named} are installed and overwrite each other's files"
        mend = f"pip uninstall -y {' '.join(there)} && pip install {there[-1]}"
        yield Finding("ONNX Runtime", "problem", said, mend)
    try:
        providers = _ask(_ONNXRUNTIME)["providers"]
    except _Broken as error:
        yield Finding("ONNX Runtime", "problem", f"{named} {error}", _anew(there[0]))
        return
    known = [each.removesuffix("ExecutionProvider") for each in providers]
    yield Finding("ONNX Runtime", "ok", f"{named}; {', '.join(known)}")
    yield from _onnx("ONNX Runtime", "onnxruntime")


def _onnx(topic: str, name: str) -> Iterator[Finding]:
    if installed("onnx") is None:
        said = "onnx is not installed, which converts networks for it"
        yield Finding(topic, "problem", said, install_command(name))


def opencv() -> Iterator[Finding]:
    """OpenCV: exactly one of its wheels, and it can be imported."""
    there = [name for name in _OPENCV if installed(name)]
    anew = f"pip uninstall -y {' '.join(there)} && pip install opencv-python-headless"
    if len(there) > 1:
        said = f"{' and '.join(there)} are installed and overwrite each other's files"
        yield Finding("OpenCV", "problem", said, anew)
    elif there and not there[0].endswith("headless"):
        said = f"{there[0]} brings a Qt of its own, which may keep napari's from starting"
        yield Finding("OpenCV", "note", said, anew)
    try:
        version = _ask("import cv2\nfound = cv2.__version__")
    except _Broken as error:
        mend = anew if there else "pip install opencv-python-headless"
        yield Finding("OpenCV", "problem", str(error), mend)
        return
    yield Finding("OpenCV", "ok", version)


def bermuda() -> Iterator[Finding]:
    """Bermuda, with which napari draws many polygons at once."""
    version = installed("bermuda")
    if version is None:
        said = "not installed: napari draws many polygons slowly"
        yield Finding("bermuda", "note", said, "pip install bermuda")
        return
    try:
        _ask("import bermuda\nfound = True")
    except _Broken as error:
        yield Finding("bermuda", "problem", f"{version} {error}", _anew("bermuda"))
        return
    yield Finding("bermuda", "ok", version)
