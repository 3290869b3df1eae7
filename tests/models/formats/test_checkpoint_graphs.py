"""Weights from TorchScript, ONNX and OpenVINO's IR, where their names are still there."""

import warnings

import pytest
import torch

from napari_spheroseg import models, networks
from napari_spheroseg.errors import SpherosegError, UnreadableFile, WrongWeights
from napari_spheroseg.models import library
from napari_spheroseg.models.formats import graphs, torchscript
from napari_spheroseg.models.model import sha256_of

NARROW = {
    "unet": {"features": [4, 6, 8]},
    "cbam_resunet": {"features": [4, 6]},
    "hrnet": {"widths": [2, 3, 4, 5], "stem_width": 2, "modules": [1, 1, 1], "blocks": 1},
    "resunet_advanced": {"features": [4, 8], "blocks": [1, 1]},
    "resunet_small": {"features": [4, 6]},
    "monai_unet": {"channels": [2, 3, 4], "strides": [2, 2]},
    "nafnet": {"width": 2, "enc_blk_nums": [1, 1], "dec_blk_nums": [1, 2]},
    "flexresnet": {"initial_filters": 2},
}
GREY = {"monai_unet", "nafnet", "flexresnet"}


def trained(name):
    """A network whose weights all differ from each other."""
    torch.manual_seed(0)
    network = networks.create(name, **NARROW[name]).eval()
    with torch.no_grad():
        for value in network.state_dict().values():
            value += 0.3 * torch.rand(value.shape)
    return network


def image(name, height=32, width=64):
    draw = torch.Generator().manual_seed(0)
    return torch.rand(1, 1 if name in GREY else 3, height, width, generator=draw)


def written(name, path):
    network = trained(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".pt":
            torch.jit.trace(network, image(name)).save(path)
        elif path.suffix == ".onnx":
            pytest.importorskip("onnx")
            torch.onnx.export(network, (image(name),), path, dynamo=False, opset_version=18)
        else:
            ov = pytest.importorskip("openvino")
            ov.save_model(ov.convert_model(network, example_input=image(name)), path)
    return network


def same_answer(network, path, name):
    with torch.no_grad():
        size = image(name, 32, 96)
        return torch.equal(models.load(path).network(size), network(size))


@pytest.mark.parametrize("name", NARROW)
def test_a_torchscript_archive_is_traced_back_to_its_network(name, tmp_path):
    network = written(name, tmp_path / "a.pt")
    assert same_answer(network, tmp_path / "a.pt", name)


def test_a_scripted_archive_is_read_too(tmp_path):
    network = trained("monai_unet")
    torch.jit.script(network).save(tmp_path / "a.pt")
    assert same_answer(network, tmp_path / "a.pt", "monai_unet")


def test_code_of_a_torchscript_archive_never_runs(tmp_path, monkeypatch):
    written("unet", tmp_path / "a.pt")
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("its code was compiled"))
    models.load(tmp_path / "a.pt")


def test_a_frozen_archive_has_lost_its_names_and_says_so(tmp_path):
    frozen = torch.jit.freeze(torch.jit.trace(trained("unet"), image("unet")))
    frozen.save(tmp_path / "a.pt")
    with pytest.raises(WrongWeights, match="frozen TorchScript"):
        models.load(tmp_path / "a.pt")


@pytest.mark.parametrize(
    "hostile", [b"cos\nsystem\n(S'x'\ntR.", b"\x80\x02.", b"", b"\x80\x02}q\x00h\x05.", b"]"]
)
def test_a_pickle_is_read_as_data(hostile, monkeypatch):
    monkeypatch.setattr("os.system", lambda *_: pytest.fail("it was called"))
    with pytest.raises(Exception, match=r".*") as caught:
        torchscript._unpickle(hostile).state["a"]
    assert not isinstance(caught.value, pytest.fail.Exception)


def test_modules_that_contain_each_other_come_to_an_end():
    first = torchscript._Made("a")
    first.state.update({"b": first, "c": first})
    with pytest.raises(ValueError, match="nests"):
        list(torchscript._tensors(first))


@pytest.mark.parametrize("name", ["unet", "cbam_resunet", "hrnet", "resunet_small", "nafnet"])
def test_an_onnx_file_is_traced_back_to_its_network(name, tmp_path):
    network = written(name, tmp_path / "a.onnx")
    assert same_answer(network, tmp_path / "a.onnx", name)


@pytest.mark.parametrize("name", ["monai_unet", "flexresnet"])
def test_a_graph_that_does_not_tell_its_activations_is_refused(name, tmp_path):
    written(name, tmp_path / "a.onnx")
    with pytest.raises(WrongWeights, match="keeps no names of activations"):
        models.load(tmp_path / "a.onnx")


def test_openvino_drops_the_names_of_norms_and_the_refusal_says_so(tmp_path):
    written("unet", tmp_path / "a.xml")
    with pytest.raises(WrongWeights, match=r"lost \d+ of its network's names"):
        models.load(tmp_path / "a.xml")


def test_constants_of_openvino_that_have_names_are_read(tmp_path):
    network = written("unet", tmp_path / "a.xml")
    state = graphs.read_openvino(tmp_path / "a.xml")
    weight = network.state_dict()["init_conv.double_conv.0.weight"]
    assert torch.allclose(state["init_conv.double_conv.0.weight"].float(), weight, atol=1e-3)


def test_openvino_without_its_weights_is_refused(tmp_path):
    written("unet", tmp_path / "a.xml")
    (tmp_path / "a.bin").unlink()
    with pytest.raises(UnreadableFile, match="files beside it"):
        models.load(tmp_path / "a.xml")


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY b "bbb">]><net>&b;</net>',
        '<net><layer type="Const" name="a.b"><data element_type="f32" shape="9" offset="0" '
        'size="36"/></layer></net>',
        '<net><layer type="Const" name="a.b"><data element_type="f32" shape="1" offset="-4" '
        'size="4"/></layer></net>',
        "<net/>",
    ],
)
def test_xml_that_points_or_unfolds_anywhere_is_refused(text, tmp_path):
    (tmp_path / "a.xml").write_text(text)
    (tmp_path / "a.bin").write_bytes(bytes(8))
    with pytest.raises(SpherosegError):
        models.load(tmp_path / "a.xml")


# ---------------------------------------------------------------- what is installed


def test_an_installed_checkpoint_tells_the_checksum_of_its_file(checkpoint):
    assert models.install(checkpoint, "mine").source_sha256 == sha256_of(checkpoint)


@pytest.mark.parametrize(
    ("name", "task"),
    [("nafnet", "restoration"), ("flexresnet", "classification"), ("monai_unet", "segmentation")],
)
def test_a_checkpoint_is_installed_for_the_task_of_its_network(name, task, tmp_path, models_folder):
    torch.save(trained(name).state_dict(), tmp_path / "a.pth")
    metadata = models.install(tmp_path / "a.pth", "mine")
    assert (metadata.task, metadata.preparation.channels) == (task, 1)
    assert (models_folder / "mine" / library.WEIGHTS).is_file()


def test_an_advanced_resunet_is_fed_sides_that_it_can_halve(tmp_path):
    torch.save(trained("resunet_advanced").state_dict(), tmp_path / "a.pth")
    preparation = models.load(tmp_path / "a.pth").metadata.preparation
    assert (preparation.multiple, preparation.normalise) == (4, "imagenet")
