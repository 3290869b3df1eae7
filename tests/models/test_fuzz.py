"""Damaged and hostile files, by the hundred: whatever they do, the error is ours.

``SPHEROSEG_FUZZ`` in the environment raises the number of cases of each test.
"""

import json
import os
import pickle
import random
import struct
import zipfile

import psutil
import pytest
import torch
from safetensors.torch import save_file

from napari_spheroseg import models, networks
from napari_spheroseg.errors import SpherosegError, UnsafeFile, WrongWeights
from napari_spheroseg.models import ModelMetadata, library
from napari_spheroseg.models.model import sha256_of

CASES = int(os.environ.get("SPHEROSEG_FUZZ", "60"))
MOST_MEMORY = 500e6
ARGUMENTS = {"features": [2, 3]}
FORMS = ["new", "old", "safetensors", "torchscript", "onnx", "json"]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return networks.create("unet", **ARGUMENTS).eval()


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


@pytest.fixture
def watched(tmp_path):
    """A folder to load from, of which nothing may leave; memory may not grow beyond bounds."""
    inside = tmp_path / "inside"
    inside.mkdir()
    before = psutil.Process().memory_info().rss
    yield inside
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert psutil.Process().memory_info().rss - before < MOST_MEMORY


def mutated(content, draw):
    """Bytes cut, flipped, doubled, or overwritten by extreme numbers."""
    changed = bytearray(content)
    kind = draw.randrange(5)
    if kind == 0:
        return bytes(changed[: draw.randrange(len(changed))])
    if kind == 1:
        at = draw.randrange(len(changed))
        return bytes(changed[:at] + changed[at // 2 : at] + changed[at:])
    near = draw.choice([len(changed), min(len(changed), 2000)])
    for _ in range(draw.choice([1, 4, 20])):
        at = draw.randrange(near)
        if kind == 2:
            changed[at] ^= 1 << draw.randrange(8)
        elif kind == 3:
            changed[-1 - at] = draw.randrange(256)  # a zip's directory lies at its end
        else:
            number = draw.choice([-1, 1 << 31, 1 << 40, (1 << 63) - 1])
            changed[at : at + 8] = struct.pack("<q", number)
    return bytes(changed)


def mutated_json(text, draw):
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
def test_however_a_file_is_mutated_the_error_is_ours(form, originals, watched):
    draw = random.Random(form)
    whole = originals[form].read_bytes()
    path = watched / originals[form].name
    for _ in range(CASES):
        path.write_bytes(mutated(whole, draw))
        open_quietly(path)


def test_however_metadata_are_mutated_the_error_is_ours(network, watched):
    draw = random.Random("json")
    save_file(network.state_dict(), watched / library.WEIGHTS)
    checksum = sha256_of(watched / library.WEIGHTS)
    metadata = ModelMetadata(
        name="m", title="M", network="unet", arguments=ARGUMENTS, sha256=checksum
    )
    text = metadata.model_dump_json()
    for _ in range(CASES):
        changed = mutated_json(text, draw)
        (watched / library.METADATA).write_text(changed, encoding="utf-8")
        open_quietly(watched)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".onnx", ".xml", ".pt"])
def test_files_of_random_bytes_are_refused(suffix, watched):
    draw = random.Random(suffix)
    beginnings = [b"", b"PK\x03\x04", b"\x80\x02", b"<net>", b"\x08\x07", b"x" * 8]
    for _ in range(CASES // 2):
        path = watched / f"a{suffix}"
        path.write_bytes(draw.choice(beginnings) + draw.randbytes(draw.randrange(300)))
        with pytest.raises(SpherosegError):
            models.load(path)


@pytest.mark.parametrize("depth", range(min(CASES, 20)))
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
