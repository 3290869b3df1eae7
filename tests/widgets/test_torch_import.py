from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("napari")

_BEGIN = """
import gc, sys
from napari_spheroseg.widgets.torch_import import let_viewer_live
let_viewer_live(); let_viewer_live()
assert "torch" not in sys.modules
"""


def _run(code, path=""):
    """In a process that has not imported torch."""
    environment = os.environ | {"PYTHONPATH": os.fspath(path)}
    subprocess.run([sys.executable, "-c", _BEGIN + code], env=environment, check=True)


def test_while_torch_is_imported_nobody_looks_through_all_objects_for_garbage():
    _run("""
full = []
gc.callbacks.append(lambda phase, info: full.append(info) if info["generation"] == 2 else None)
import torch
assert not full and gc.isenabled()
assert torch.ones(2).sum() == 2
""")


def test_an_import_of_torch_that_fails_says_so_and_leaves_garbage_collected(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ImportError('a broken torch')")
    _run(
        """
try:
    import torch
except ImportError as error:
    assert str(error) == "a broken torch"
else:
    raise AssertionError("it was imported")
assert gc.isenabled()
""",
        tmp_path,
    )


def test_where_torch_is_not_installed_python_says_so():
    _run("""
sys.path = []
try:
    import torch
except ModuleNotFoundError as error:
    assert error.name == "torch"
else:
    raise AssertionError("it was imported")
""")
