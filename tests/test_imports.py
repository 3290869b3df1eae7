"""What may be imported by whom, each in a fresh interpreter."""

import subprocess
import sys

import pytest

BLOCKED = ("napari", "qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6", "magicgui", "superqt")

IMPORT_ALL = """
import importlib, pkgutil, sys

for name in {blocked!r}:
    sys.modules[name] = None  # importing it raises ImportError

import napari_spheroseg

skipped = "napari_spheroseg.widgets"
for module in pkgutil.walk_packages(napari_spheroseg.__path__, "napari_spheroseg."):
    if not module.name.startswith(skipped):
        importlib.import_module(module.name)
        print(module.name)
"""


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_everything_but_the_widgets_is_imported_without_napari_and_qt():
    imported = run(IMPORT_ALL.format(blocked=BLOCKED))
    assert {"napari_spheroseg.cli.demo", "napari_spheroseg.segmentation.layers"} <= set(imported)


@pytest.mark.parametrize(
    "use",
    [
        "",
        "ss.models.available()",
        "ss.models.known(); ss.models.info('hrnet')",
        "ss.models.default(); ss.models.trashed(); ss.models.shared_folders()",
        "ss.networks.names()",
        "ss.measure",
        "ss.synthetic.spheroids((64, 64), 1)",
        "import napari_spheroseg.cli",
        "from napari_spheroseg.segmentation.settings import PostProcessing; PostProcessing()",
    ],
)
def test_torch_is_not_imported_before_a_network_is_needed(use):
    run(f"import sys, napari_spheroseg as ss\n{use}\nassert 'torch' not in sys.modules")


def test_every_public_name_can_be_had():
    import napari_spheroseg as ss

    assert all(getattr(ss, name) is not None for name in ss.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    import napari_spheroseg as ss

    with pytest.raises(AttributeError, match="segmnet"):
        _ = ss.segmnet
