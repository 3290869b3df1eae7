"""All checks, each by itself: one that stumbles is a finding, never a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from . import imports, machine, packages, stored
from .finding import Finding

Check = Callable[[], Iterable[Finding]]

CHECKS: dict[str, Check] = {
    "Python": packages.python,
    "napari-spheroseg": packages.requirements,
    "napari": packages.napari,
    "Qt": imports.qt,
    "PyTorch": imports.torch,
    "OpenVINO": imports.openvino,
    "ONNX Runtime": imports.onnxruntime,
    "OpenCV": imports.opencv,
    "bermuda": imports.bermuda,
    "extras": packages.extras,
    "memory": machine.memory,
    "disk": machine.disk,
    "folders": machine.folders,
    "models": stored.models,
}


def examine(checks: dict[str, Check] | None = None) -> list[Finding]:
    """Look at the installation, the machine and the models.

    Packages that may be broken are imported in processes of their own, several at once, so that
    none takes this one down. Takes seconds; nothing is changed.

    Parameters
    ----------
    checks : dict of str to callable, optional
        Topic to check; by default all.

    Returns
    -------
    list of Finding
        In the order of the checks, at least one from each.
    """
    checks = CHECKS if checks is None else checks
    with ThreadPoolExecutor(max_workers=4) as pool:
        done = list(pool.map(_caught, checks, checks.values()))
    return [finding for findings in done for finding in findings]


def _caught(topic: str, check: Check) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:  # whatever is broken: that is what was to be found out
        said = f"could not be examined: {type(error).__name__}: {error}"
        return [Finding(topic, "problem", " ".join(said.split()))]
