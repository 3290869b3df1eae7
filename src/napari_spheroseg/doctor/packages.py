"""What is installed, read from the packages' metadata: nothing is imported."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import TYPE_CHECKING

from ..extras import install_command
from .finding import Finding

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OURS = "napari-spheroseg"
_WITHOUT_BINDING = ("all", "gui", "pyside6")
"""Extras that other checks tell more about."""


def installed(name: str) -> str | None:
    """Version of an installed package; None where it is not."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def python() -> Iterator[Finding]:
    """Whether this Python is one that the package is made for."""
    said = f"{platform.python_version()} on {platform.platform()}"
    wanted = metadata(OURS)["Requires-Python"] if installed(OURS) else None
    if wanted is None or _specifier_holds(wanted, platform.python_version()):
        yield Finding("Python", "ok", said)
    else:
        mend = "Make an environment with a Python within these bounds, and install there"
        yield Finding("Python", "problem", f"{said}; {wanted} is needed", mend)
    if sys.maxsize <= 2**32:
        yield Finding("Python", "problem", "is a 32-bit one", "Install a 64-bit Python")


def requirements() -> Iterator[Finding]:
    """Whether everything that the package needs is there, in versions that it takes."""
    ours = installed(OURS)
    if ours is None:
        mend = f"pip install {OURS}"
        yield Finding(OURS, "problem", "runs from source and is not installed", mend)
        return
    yield Finding(OURS, "ok", ours)
    for each in _requirements():
        if (fault := _fault(each)) is not None:
            yield Finding(OURS, "problem", fault, f"pip install '{each.name}{each.specifier}'")


def napari() -> Iterator[Finding]:
    """Whether napari is there, in a version that the widgets work with."""
    found = installed("napari")
    if found is None:
        said = "not installed: scripts and the command line work, the widgets do not"
        yield Finding("napari", "note", said, install_command("gui"))
        return
    for each in _requirements("gui"):
        if each.name == "napari" and (fault := _fault(each)) is not None:
            yield Finding("napari", "problem", fault, install_command("gui"))
            return
    yield Finding("napari", "ok", found)


def extras() -> Iterator[Finding]:
    """Which of the optional parts are installed."""
    if installed(OURS) is None:
        return
    offered = metadata(OURS).get_all("Provides-Extra") or []
    for name in offered:
        if name in _WITHOUT_BINDING:
            continue
        faults = [fault for each in _requirements(name) if (fault := _fault(each)) is not None]
        topic = f"extra {name}"
        if faults:
            yield Finding(topic, "note", "; ".join(faults), install_command(name))
        else:
            yield Finding(topic, "ok", "installed")


def _requirements(wanted: str = "") -> Iterator[Requirement]:
    """What the package asks for here: always, or by an extra."""
    from packaging.requirements import Requirement

    for line in requires(OURS) or []:
        each = Requirement(line)
        always = each.marker is None or each.marker.evaluate({"extra": ""})
        here = each.marker is None or each.marker.evaluate({"extra": wanted})
        if here and always == (not wanted):
            yield each


def _fault(wanted: Requirement) -> str | None:
    found = installed(wanted.name)
    if found is None:
        return f"{wanted.name} is not installed"
    if wanted.specifier.contains(found, prereleases=True):
        return None
    return f"{wanted.name} is {found}, but {wanted.specifier} is needed"


def _specifier_holds(specifier: str, found: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier).contains(found, prereleases=True)
