import sys

import numpy as np
import pytest
import torch

from napari_spheroseg import models
from napari_spheroseg.errors import BadSetting, MissingPackage, UnknownName, UnreadableFile
from napari_spheroseg.export import ExportFailed, export
from napari_spheroseg.export import writing as module

PACKAGES = {"torchscript": "torch", "onnx": "onnxruntime", "openvino": "openvino"}


@pytest.fixture(params=PACKAGES)
def format(request):
    pytest.importorskip("onnx")
    pytest.importorskip(PACKAGES[request.param])
    return request.param


def path_for(folder, format):
    return folder / f"exported{module.SUFFIXES[format]}"


def test_what_is_exported_gives_what_pytorch_gives(format, model, tmp_path):
    done = export(model, path_for(tmp_path, format), format)
    assert done.difference < 1e-4
    assert done.files[0] == path_for(tmp_path, format)
    assert sorted(done.files) == sorted(tmp_path.iterdir())


def test_a_name_with_brackets_is_written_too(model, tmp_path):
    (path,) = export(model, tmp_path / "unet [2].pt").files
    assert path.is_file()


def test_the_ending_says_the_format(model, tmp_path):
    assert export(model, tmp_path / "a.pt").files == (tmp_path / "a.pt",)


def test_torchscript_takes_other_sizes_than_it_was_traced_with(model, tmp_path):
    export(model, tmp_path / "a.pt")
    image = torch.rand(3, 1, 48, 176)
    with torch.inference_mode():
        assert torch.allclose(
            torch.jit.load(tmp_path / "a.pt")(image), model.network(image), atol=1e-4
        )


def test_the_model_in_memory_is_left_as_it_is(model, tmp_path):
    before = model.network
    export(model, tmp_path / "a.pt")
    assert model.network is before


def test_openvino_is_two_files_the_second_beside_the_first(model, tmp_path):
    pytest.importorskip("openvino")
    done = export(model, tmp_path / "net.xml")
    assert [each.name for each in done.files] == ["net.xml", "net.bin"]


def test_int8_is_kept_where_it_finds_the_same(model, image, tmp_path):
    pytest.importorskip("onnxruntime")
    done = export(model, tmp_path / "a.onnx", calibration=[image])
    assert done.least_dice <= done.dice <= 1
    assert done.dice >= 0.99


def test_int8_below_the_dice_that_was_asked_for_is_not_kept(model, image, tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(ExportFailed, match="below 2"):
        export(model, tmp_path / "a.onnx", calibration=[image], least_dice=2)
    assert list(tmp_path.iterdir()) == []


def test_int8_runs_in_openvino_too(model, image, tmp_path):
    pytest.importorskip("openvino")
    assert export(model, tmp_path / "a.xml", calibration=[image]).dice >= 0.99


def test_int8_of_a_format_without_it_is_refused(model, image, tmp_path):
    with pytest.raises(BadSetting, match="onnx, openvino"):
        export(model, tmp_path / "a.pt", calibration=[image])


def test_what_differs_from_pytorch_is_not_kept(model, tmp_path, monkeypatch):
    def wrong(model, path):
        path.write_bytes(b"file")
        return lambda batch: np.zeros_like(batch)

    monkeypatch.setattr(module, "write_torchscript", wrong)
    (tmp_path / "a.pt").write_text("before")
    with pytest.raises(ExportFailed, match="differ"):
        export(model, tmp_path / "a.pt")
    assert (tmp_path / "a.pt").read_text() == "before"


def test_a_missing_package_is_an_error_that_names_its_extra(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackage, match=r"napari-spheroseg\[onnxruntime\]"):
        export(model, tmp_path / "a.onnx")


def test_tensorrt_that_is_not_installed_is_an_error_that_says_so(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingPackage, match="pip install tensorrt"):
        export(model, tmp_path / "a.engine")


def test_an_unknown_format_is_answered_with_those_there_are(model, tmp_path):
    with pytest.raises(UnknownName, match="torchscript"):
        export(model, tmp_path / "a.pt", "torchscrip")
    with pytest.raises(BadSetting, match="torchscript"):
        export(model, tmp_path / "a.keras")


def test_an_ending_of_another_format_is_refused(model, tmp_path):
    with pytest.raises(BadSetting, match=r"\.onnx"):
        export(model, tmp_path / "a.pt", "onnx")


def test_a_setting_that_the_format_lacks_is_refused(model, tmp_path):
    with pytest.raises(BadSetting, match="licence"):
        export(model, tmp_path / "a.pt", licence="MIT")


def test_a_folder_that_cannot_be_made_is_an_error(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableFile):
        export(model, tmp_path / "file" / "a.pt")


def test_a_model_without_weights_is_not_exported(waiting, tmp_path):
    with pytest.raises(models.no_weights(models.info(waiting)).__class__):
        export(waiting, tmp_path / "a.pt")
