"""Imports go down only: a package uses those below it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import napari_spheroseg

ROOT = Path(napari_spheroseg.__file__).parent
FLOORS = (
    ("errors",),
    ("registry", "settings", "steps", "polygon", "synthetic", "extras"),
    ("readwrite", "networks"),
    ("models",),
    ("inference",),
    ("export", "restoration"),
    ("segmentation",),
    ("classification", "tracking"),
    ("training", "batch"),
    ("benchmark", "doctor"),
    ("widgets",),
    ("cli",),
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}


def imported(path: Path) -> set[str]:
    """Packages and modules right under napari_spheroseg that a file imports, wherever it does."""
    found = set()
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = (*package[: len(package) - node.level + 1], *(node.module or "").split("."))
        base = tuple(part for part in base if part)
        found |= {base[0]} if base else {alias.name for alias in node.names}
    return found & FLOOR.keys()


@pytest.mark.parametrize("name", FLOOR)
def test_imports_go_down_only(name):
    files = (ROOT / name).rglob("*.py") if (ROOT / name).is_dir() else [ROOT / f"{name}.py"]
    upward = {
        f"{path.relative_to(ROOT)} imports {other}"
        for path in files
        if path.exists()
        for other in imported(path)
        if other != name and FLOOR[other] >= FLOOR[name]
    }
    assert not upward


def test_every_package_has_a_floor():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    modules = {path.stem for path in ROOT.glob("*.py")} - {"__init__", "__main__"}
    assert packages | modules <= FLOOR.keys()
