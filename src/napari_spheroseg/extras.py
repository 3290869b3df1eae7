"""Packages that come with an extra: one way to ask for them, and one error without them."""

from __future__ import annotations

import importlib.util

from .errors import MissingPackage

_TITLES = {
    "distributed": "dask.distributed",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "sklearn": "scikit-learn",
    "tensorrt": "TensorRT",
}
"""What packages call themselves, where they are imported under another name."""


def require(package: str, extra: str = "", purpose: str = "") -> None:
    """Check that a package is installed, without importing it, before the work that needs it.

    Parameters
    ----------
    package : str
        As it is imported.
    extra : str
        Which of ours brings it; none of ours does without one.
    purpose : str
        What cannot be done without it: "Training", the name of a file.

    Raises
    ------
    MissingPackage
        It is not there; the hint is the command that installs it.
    """
    if _is_there(package):
        return
    title = _TITLES.get(package, package)
    what = f"{purpose} needs {title}, which is not installed" if purpose else ""
    command = install_command(extra) if extra else f"pip install {package}"
    raise MissingPackage(what or f"{title} is not installed", hint=f"Install it with: {command}.")


def install_command(extra: str) -> str:
    """What somebody types to get an extra; quoted so that every shell takes it."""
    return f'pip install "napari-spheroseg[{extra}]"'


def _is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # what it is a part of is missing
        return False
