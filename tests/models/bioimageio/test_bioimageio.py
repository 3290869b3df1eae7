import sys
import zipfile

import numpy as np
import pytest
import torch
import yaml

import napari_spheroseg as ss
from napari_spheroseg import models
from napari_spheroseg.errors import BadSetting, MissingPackage, UnreadableFile
from napari_spheroseg.export import ExportFailed, bioimageio, export
from napari_spheroseg.models.bioimageio import UnfitPackage, install_package, open_package

pytest.importorskip("bioimageio.core")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def package(bright, tmp_path_factory):
    """A package of the bright model; writing it has it tested by bioimageio.core."""
    path = tmp_path_factory.mktemp("package") / "bright.zip"
    export(bright, path, authors=["A. Author"], licence="MIT")
    return path


def described(path):
    with zipfile.ZipFile(path) as file:
        return yaml.safe_load(file.read("rdf.yaml"))


@pytest.fixture
def edited(package, tmp_path):
    """A copy of the package as somebody else's, with changes in its description."""

    def edit(change=lambda rdf: None, **files):
        path = tmp_path / "other.zip"
        with zipfile.ZipFile(package) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                if name == "rdf.yaml":
                    rdf = yaml.safe_load(content)
                    del rdf["config"]["spheroseg"]
                    change(rdf)
                    content = yaml.safe_dump(rdf).encode()
                new.writestr(name, files.get(name.replace(".", "_"), content))
        return path

    return edit


# ---------------------------------------------------------------- writing


def test_a_package_that_bioimageio_core_refuses_is_not_kept(bright, tmp_path, monkeypatch):
    describe = bioimageio.describe

    def with_another_result(v0_5, model, folder, *others):
        np.save(folder / "test_output.npy", 1 - np.load(folder / "test_output.npy"))
        return describe(v0_5, model, folder, *others)

    monkeypatch.setattr(bioimageio, "describe", with_another_result)
    with pytest.raises(ExportFailed, match="refuses"):
        export(bright, tmp_path / "a.zip", licence="MIT")
    assert not (tmp_path / "a.zip").exists()


def test_a_package_has_what_the_zoo_asks_for(package):
    rdf = described(package)
    assert set(rdf["weights"]) == {"torchscript", "onnx"}
    assert (rdf["license"], rdf["authors"][0]["name"]) == ("MIT", "A. Author")
    assert rdf["covers"]
    assert rdf["documentation"]
    assert rdf["cite"][0]["doi"] == "10.1007/978-3-319-24574-4_28"


def test_a_model_without_a_licence_is_not_packed(bright, tmp_path):
    with pytest.raises(BadSetting, match="licence"):
        export(bright, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("scaling", [{"intensity": "columns"}, {"normalise": "standard"}], ids=str)
def test_a_scaling_that_the_format_has_no_words_for_is_not_packed(scaling, model, tmp_path):
    preparation = model.metadata.preparation.replace(**scaling)
    model.metadata = model.metadata.replace(preparation=preparation)
    with pytest.raises(BadSetting, match="no words"):
        export(model, tmp_path / "a.zip", licence="MIT")
    assert not (tmp_path / "a.zip").exists()


def test_a_licence_that_nobody_knows_is_refused(bright, tmp_path):
    with pytest.raises(BadSetting, match="not valid"):
        export(bright, tmp_path / "a.zip", licence="mine alone")


@pytest.mark.parametrize("package_name", ["bioimageio.core", "bioimageio.spec"])
def test_without_the_package_the_error_names_the_extra(
    package_name, bright, package, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, package_name, None)
    with pytest.raises(MissingPackage, match=r"napari-spheroseg\[bioimageio\]"):
        export(bright, tmp_path / "a.zip", licence="MIT")
    with pytest.raises(MissingPackage, match=r"napari-spheroseg\[bioimageio\]"):
        open_package(package)


# ---------------------------------------------------------------- ours, opened


def test_a_package_of_ours_comes_back_as_it_was(package, model):
    opened = open_package(package)
    assert opened.metadata == model.metadata
    state = opened.network.state_dict()
    assert all(torch.equal(state[k], v) for k, v in model.network.state_dict().items())


def test_a_package_of_ours_is_installed_under_a_name(package):
    install_package(package, "from_zoo")
    assert models.load("from_zoo").metadata.title == "bright"


# ---------------------------------------------------------------- others', opened


def test_a_package_of_others_that_fits_finds_what_ours_finds(edited, model, image):
    found = ss.segment(image, open_package(edited()), device="cpu").labels
    expected = ss.segment(image, model, device="cpu", backend="torch").labels
    assert np.array_equal(found > 0, expected > 0)


def test_the_sigmoid_of_a_graph_is_not_taken_twice(edited):
    def without(rdf):
        rdf["outputs"][0]["postprocessing"] = []

    assert open_package(edited(without)).network._is_probability


def preprocessing(*steps):
    def change(rdf):
        rdf["inputs"][0]["preprocessing"] = [{"id": id, "kwargs": kwargs} for id, kwargs in steps]

    return change


CLIP = ("clip", {"min": 0.0, "max": 1.0})


def test_percentiles_are_understood(edited):
    kwargs = {"axes": ["channel", "y", "x"], "min_percentile": 1.0, "max_percentile": 99.0}
    preparation = open_package(edited(preprocessing(("scale_range", kwargs), CLIP))).metadata
    assert (preparation.preparation.low, preparation.preparation.high) == (1, 99)


def test_fixed_grey_values_are_understood(edited):
    step = ("scale_linear", {"gain": 0.001, "offset": -0.1})
    found = open_package(edited(preprocessing(step, CLIP))).metadata.preparation
    assert found.intensity == "fixed"
    assert (found.low, found.high) == pytest.approx((100, 1100))


def axes(rdf, which="inputs"):
    return rdf[which][0]["axes"]


def make_3d(rdf):
    axes(rdf).insert(2, {"type": "space", "id": "z", "size": {"min": 1, "step": 1}})


def two_maps(rdf):
    axes(rdf, "outputs")[1]["channel_names"] = ["one", "other"]


def without_onnx(rdf):
    del rdf["weights"]["onnx"]


def unclear_result(rdf):
    rdf["outputs"][0]["postprocessing"] = []
    rdf["outputs"][0]["data"]["range"] = [None, None]


REFUSED = {
    "has a step": preprocessing(("softmax", {})),
    "by itself": preprocessing(("zero_mean_unit_variance", {"axes": ["x"]})),
    "row by itself": preprocessing(("scale_range", {"axes": ["x"]}), CLIP),
    "axes batch, channel, z": make_3d,
    "is called foreground": two_maps,
    "no ONNX": without_onnx,
    "neither said": unclear_result,
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_does_not_fit_is_refused_with_the_reason(reason, edited):
    with pytest.raises(UnfitPackage, match=reason):
        open_package(edited(REFUSED[reason]))


def test_a_damaged_graph_is_an_error(edited):
    with pytest.raises(UnreadableFile):
        open_package(edited(weights_onnx=b"no graph"))


def test_what_is_no_package_is_an_error(tmp_path, package):
    with pytest.raises(UnreadableFile, match="no file"):
        open_package(tmp_path / "a.zip")
    (tmp_path / "b.zip").write_text("text")
    with pytest.raises(UnreadableFile, match="no zip"):
        open_package(tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as file:
        file.writestr("rdf.yaml", "type: model\n")
    with pytest.raises(UnreadableFile):
        open_package(tmp_path / "c.zip")


def test_weights_of_ours_that_are_missing_are_an_error(package, tmp_path):
    with zipfile.ZipFile(package) as old, zipfile.ZipFile(tmp_path / "a.zip", "w") as new:
        for name in old.namelist():
            if name != "weights.safetensors":
                new.writestr(name, old.read(name))
    with pytest.raises(UnreadableFile):
        open_package(tmp_path / "a.zip")
