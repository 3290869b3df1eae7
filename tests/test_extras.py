"""Packages that come with an extra: what is said where they are missing."""

import sys
from pathlib import Path

import pytest

from napari_spheroseg import extras
from napari_spheroseg.errors import MissingPackage
from napari_spheroseg.extras import require


def _zarr(folder):
    from napari_spheroseg.readwrite.images import open_image

    (folder / "a.zarr").mkdir()
    open_image(folder / "a.zarr")


def _train(folder):
    from napari_spheroseg.training.start import train

    train({}, folder)


def _workers(folder):
    from napari_spheroseg.batch.cluster import connect

    with connect(2):
        pass


def _motion(folder):
    from napari_spheroseg.tracking.run import link
    from napari_spheroseg.tracking.settings import Tracking

    link([], Tracking(method="motion"))


def _parquet(folder):
    from napari_spheroseg.batch.run import run_batch

    next(run_batch([], folder, table="parquet"))


def _teach(folder):
    from napari_spheroseg.classification.estimators import make_estimator
    from napari_spheroseg.classification.examples import TeachSettings

    make_estimator(TeachSettings())


def _skops(folder):
    from napari_spheroseg.models.formats.skops_file import dump_skops

    dump_skops(None)


def _backend(name):
    def open_it(folder):
        from napari_spheroseg.inference.backends import BACKENDS

        BACKENDS[name](None, "cpu", "auto")

    return open_it


def _graph(folder):
    from napari_spheroseg.models.formats.graphs import read_onnx

    read_onnx(folder / "a.onnx")


def _zoo(folder):
    from napari_spheroseg.models.bioimageio import open_package

    open_package(folder / "a.zip")


NEEDED = [
    ("zarr", "large", _zarr),
    ("lightning", "train", _train),
    ("monai", "train", _train),
    ("distributed", "cluster", _workers),
    ("laptrack", "tracking", _motion),
    ("pyarrow", "parquet", _parquet),
    ("sklearn", "classify", _teach),
    ("sklearn", "classify", _skops),
    ("skops", "classify", _skops),
    ("openvino", "openvino", _backend("openvino")),
    ("onnxruntime", "onnxruntime", _backend("onnxruntime")),
    ("onnx", "onnxruntime", _graph),
    ("bioimageio.core", "bioimageio", _zoo),
]


@pytest.mark.parametrize(("package", "extra", "use"), NEEDED, ids=lambda each: str(each)[:20])
def test_without_its_package_every_extra_is_named_with_the_command_that_installs_it(
    package, extra, use, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match="not installed") as caught:
        use(tmp_path)
    assert caught.value.hint == f'Install it with: pip install "napari-spheroseg[{extra}]".'


def test_every_extra_that_is_asked_for_is_one_that_there_is():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    there = project["project"]["optional-dependencies"]
    assert {extra for _, extra, _ in NEEDED} == set(there) - {"gui", "pyside6", "all"}


def test_what_is_installed_is_not_imported_to_see_that(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    require("colorsys", "train")
    assert "colorsys" not in sys.modules


def test_a_part_of_what_is_missing_is_missing(monkeypatch):
    with pytest.raises(MissingPackage, match=r"no_such_package\.part is not installed"):
        require("no_such_package.part")


def test_a_package_of_no_extra_is_installed_by_its_own_name():
    with pytest.raises(MissingPackage) as caught:
        require("no_such_package", purpose="a.engine")
    assert str(caught.value) == (
        "a.engine needs no_such_package, which is not installed. "
        "Install it with: pip install no_such_package."
    )


def test_a_package_is_called_what_people_call_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingPackage, match="Learning needs scikit-learn"):
        extras.require("sklearn", "classify", "Learning")
