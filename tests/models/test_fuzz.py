"""Damaged and hostile files, by the hundred: whatever they do, the error is ours."""

import json
import pickle
import random
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from napari_spheroseg import models
from napari_spheroseg.errors import SpherosegError, UnsafeFile, WrongWeights
from napari_spheroseg.models import ModelMetadata, library
from napari_spheroseg.models.model import sha256_of

ARGUMENTS = {"features": [2, 3]}
FORMS = ["new", "old", "safetensors", "torchscript", "onnx", "json"]


@pytest.fixture(scope="module")
def originals(network, tmp_path_factory):
    """An undamaged file of every form."""
    folder = tmp_path_factory.mktemp("originals")
    state = network.state_dict()
    torch.save({"state_dict": state, "epoch": 3}, folder / "new.pth")
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    save_file(state, folder / "safetensors.safetensors")
    image = torch.rand(1, 3, 16, 16)
    torch.jit.trace(network, image).save(folder / "torchscript.pt")
    files = {path.stem: path for path in folder.iterdir()}
    if pytest.importorskip("onnx"):
        files["onnx"] = folder / "onnx.onnx"
        torch.onnx.export(network, (image,), files["onnx"], dynamo=False)
    return files


def mutated_json(text, draw, mutated):
    """Metadata with values, keys or digits changed."""
    values = [-1, 0, 3, 10**6, 10**12, 1e308, None, "", "../up", [], {}, [10**9], "unet", True]
    content = json.loads(text)
    where = draw.choice([content, content["arguments"], content["preparation"]])
    where[draw.choice([*where, "new"])] = draw.choice(values)
    changed = json.dumps(content)
    return changed if draw.random() < 0.7 else mutated(changed.encode(), draw).decode("latin-1")


def open_quietly(path):
    """Load and build; our errors are what is expected."""
    try:
        _ = models.load(path).network
    except SpherosegError:
        return


@pytest.mark.parametrize("form", FORMS[:-1])
def test_however_a_file_is_mutated_the_error_is_ours(form, originals, watched, mutated, cases):
    draw = random.Random(form)
    whole = originals[form].read_bytes()
    path = watched / originals[form].name
    for _ in range(cases):
        path.write_bytes(mutated(whole, draw))
        open_quietly(path)


def test_however_metadata_are_mutated_the_error_is_ours(network, watched, mutated, cases):
    draw = random.Random("json")
    save_file(network.state_dict(), watched / library.WEIGHTS)
    checksum = sha256_of(watched / library.WEIGHTS)
    metadata = ModelMetadata(
        name="m", title="M", network="unet", arguments=ARGUMENTS, sha256=checksum
    )
    text = metadata.model_dump_json()
    for _ in range(cases):
        changed = mutated_json(text, draw, mutated)
        (watched / library.METADATA).write_text(changed, encoding="utf-8")
        open_quietly(watched)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".onnx", ".xml", ".pt"])
def test_files_of_random_bytes_are_refused(suffix, watched, cases):
    draw = random.Random(suffix)
    beginnings = [b"", b"PK\x03\x04", b"\x80\x02", b"<net>", b"\x08\x07", b"x" * 8]
    for _ in range(cases // 2):
        path = watched / f"a{suffix}"
        path.write_bytes(draw.choice(beginnings) + draw.randbytes(draw.randrange(300)))
        with pytest.raises(SpherosegError):
            models.load(path)


@pytest.mark.parametrize("depth", range(20))
def test_pickles_of_anything_but_weights_are_refused(depth, watched):
    draw = random.Random(depth)
    content = draw.choice([1, "a", None, b"b", (1,), {"a": 1}, {1: torch.ones(2)}, [], set()])
    for _ in range(depth):
        content = draw.choice([[content], {"state_dict": content}, (content, content)])
    path = watched / "a.pth"
    if depth % 2:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(SpherosegError):
        models.load(path)


# ---------------------------------------------------------------- made to fill the memory


@pytest.mark.parametrize("name", ["a/data/0", "a/data.pkl", "a/code/x.py"])
def test_a_zip_that_unfolds_to_far_more_than_it_holds_is_refused(name, originals, watched):
    path = watched / "bomb.pth"
    path.write_bytes(originals["new"].read_bytes())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(80 << 20))
    with pytest.raises(UnsafeFile, match="unfold to"):
        models.load(path)


def test_a_tensor_that_repeats_one_number_is_refused(network, watched):
    state = network.state_dict()
    first = next(iter(state))
    state[first] = torch.zeros(1).expand(10**12)
    torch.save(state, watched / "a.pth")
    with pytest.raises(UnsafeFile, match="unfold to"):
        models.load(watched / "a.pth")


def test_widths_are_compared_before_a_network_takes_memory(watched):
    shapes = {
        "init_conv.double_conv.0.weight": (0, 3, 3, 3),
        "final_conv.weight": (1, 0, 1, 1),
        "ups.0.weight": (60_000, 50_000, 2, 0),
    }
    torch.save({key: torch.empty(shape) for key, shape in shapes.items()}, watched / "a.pth")
    with pytest.raises(WrongWeights):
        models.load(watched / "a.pth")


@pytest.mark.parametrize("kind", ["sparse", "complex", "meta"])
def test_tensors_that_are_no_plain_numbers_are_refused(kind, network, watched):
    tensor = {
        "sparse": lambda: torch.sparse_coo_tensor(torch.zeros(2, 0), [], (10**6, 10**6)),
        "complex": lambda: torch.zeros(3, dtype=torch.complex64),
        "meta": lambda: torch.zeros(3, device="meta"),
    }[kind]()
    torch.save(network.state_dict() | {"extra": tensor}, watched / "a.pth")
    with pytest.raises(SpherosegError):
        models.load(watched / "a.pth")
