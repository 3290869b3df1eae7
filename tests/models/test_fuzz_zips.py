"""Mutated collections and packages, and a library in which anything may lie."""

import contextlib
import json
import random
import shutil
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from napari_spheroseg import models, networks
from napari_spheroseg.errors import SpherosegError
from napari_spheroseg.models import ModelMetadata, library
from napari_spheroseg.models.model import sha256_of

NAMES = ["../up", "/etc/up", "a/../../up", "C:up", "con", "MODELS/x", "x\\y", "", ".", "x" * 300]


def theirs(network, path):
    """A collection in the way of HiTMicTools."""
    arguments = {"channels": [2, 3], "strides": [2]}
    state = networks.create("monai_unet", **arguments).state_dict()
    torch.save(state, path.with_suffix(".pth"))
    paths = {"model_path": "models/a.pth", "model_metadata": "metadata/a.json"}
    scaler = {"pmin": 1, "pmax": 99.8}
    inferer = {"patch_size": 64, "overlap_ratio": 0.25, "scaler_args": scaler}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "config.yml", json.dumps({"segmentation": paths | {"inferer_args": inferer}})
        )
        archive.writestr("metadata/a.json", json.dumps({"model_args": arguments}))
        archive.write(path.with_suffix(".pth"), "models/a.pth")


def ours(network, path):
    """A collection of our own."""
    models.install(path.parent / "m", "fuzzed")
    models.pack(["fuzzed"], path)
    models.remove("fuzzed")


def zoo(network, path):
    """A package of the BioImage Model Zoo, with our own weights and without a sample."""
    pytest.importorskip("bioimageio.core")
    tensor = {"axes": "bcyx", "data_type": "float32", "shape": [1, 1, 64, 64]}
    described = {
        "type": "model",
        "format_version": "0.4.10",
        "name": "a package",
        "description": "b",
        "authors": [{"name": "c"}],
        "cite": [],
        "license": "MIT",
        "timestamp": "2024-01-01T00:00:00",
        "documentation": "a.md",
        "inputs": [tensor | {"name": "x"}],
        "outputs": [tensor | {"name": "y"}],
        "test_inputs": ["a.npy"],
        "test_outputs": ["a.npy"],
        "weights": {"onnx": {"source": "weights.onnx"}},
        "config": {"spheroseg": {"metadata": library.METADATA}},
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rdf.yaml", json.dumps(described))
        for name in (library.METADATA, library.WEIGHTS):
            archive.write(path.parent / "m" / name, name)
        for name in ("a.md", "a.npy", "weights.onnx"):
            archive.writestr(name, b"x")


@pytest.fixture
def folder(network, tmp_path_factory):
    """A place for undamaged files, and a model to make them of."""
    place = tmp_path_factory.mktemp("whole")
    (place / "m").mkdir()
    save_file(network.state_dict(), place / "m" / library.WEIGHTS)
    checksum = sha256_of(place / "m" / library.WEIGHTS)
    metadata = ModelMetadata(
        name="m",
        title="M",
        network="unet",
        arguments={"features": [2, 3]},
        preparation={"channels": 3},
        sha256=checksum,
    )
    library.write_metadata(place / "m", metadata)
    return place


def mutated_tree(value, draw):
    """A JSON value of which one part became something else."""
    if isinstance(value, dict | list) and value and draw.random() < 0.8:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        chosen = draw.choice(list(keys))
        pairs = {key: value[key] for key in keys}
        pairs[chosen] = mutated_tree(pairs[chosen], draw)
        if isinstance(value, dict):
            return {draw.choice(NAMES) if draw.random() < 0.1 else k: v for k, v in pairs.items()}
        return list(pairs.values())
    return draw.choice(
        [-1, 0, 1e308, 10**12, None, "", "../up", [], {}, [[]], True, "unet", "x" * 999]
    )


def mutated_zip(whole, path, draw, mutated):
    """Write a zip of which a member is mutated, renamed, doubled, lost, a link or encrypted."""
    with zipfile.ZipFile(whole) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    at = draw.randrange(len(members))
    info, content = members[at]
    kind = draw.randrange(6)
    if info.filename.endswith((".json", ".yml", ".yaml")) and draw.random() < 0.8:
        members[at] = info, json.dumps(mutated_tree(json.loads(content), draw)).encode()
    elif kind == 0:
        members[at] = info, mutated(content, draw)
    elif kind == 1:
        members[at] = zipfile.ZipInfo(draw.choice(NAMES)), content
    elif kind == 2:
        members.append(draw.choice(members))
    elif kind == 3:
        del members[at]
    elif kind == 4:
        info.external_attr = draw.choice([0o120777, 0o020666, 0o777]) << 16
    with zipfile.ZipFile(path, "w", draw.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as new:
        for member, bytes_ in members:
            new.writestr(member, bytes_)
    if kind == 5:
        path.write_bytes(mutated(path.read_bytes(), draw))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("make", [theirs, ours, zoo])
def test_however_a_zip_is_mutated_the_error_is_ours_and_the_library_whole(
    make, network, folder, watched, models_folder, mutated, cases
):
    make(network, folder / "whole.zip")
    draw = random.Random(make.__name__)
    models.install(folder / "whole.zip")  # it is one
    for _ in range(cases):
        mutated_zip(folder / "whole.zip", watched / "a.zip", draw, mutated)
        with contextlib.suppress(SpherosegError):
            models.install(watched / "a.zip", replace=True)
    inside = [each.name for each in models_folder.iterdir() if not each.name.startswith(".")]
    assert {each.name for each in library.known()} >= set(inside)
    assert all(each.is_good for each in models.verify())


def test_whatever_lies_in_the_library_it_can_be_listed(folder, models_folder, mutated, cases):
    draw = random.Random("library")
    models.install(folder / "m", "mine")
    hidden = [".library.json", ".commit.json", ".trash", "mine/model.json", ".staged-x", ".lock"]
    for _ in range(cases):
        path = models_folder / draw.choice(hidden)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        content = json.dumps(mutated_tree({"defaults": {"a": "b"}, "shared": ["/x"]}, draw))
        path.write_bytes(
            mutated(content.encode(), draw) if draw.random() < 0.5 else content.encode()
        )
        assert "unet" in [each.name for each in models.available()]
        models.default()
    assert {each.name for each in models_folder.parent.iterdir()} == {models_folder.name}
