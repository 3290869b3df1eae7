"""Checkpoints of every published form are loaded, and hostile or broken ones refused."""

import argparse
import pickle
import random
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_spheroseg import models, networks
from napari_spheroseg.errors import (
    SpherosegError,
    UnreadableFile,
    UnsafeFile,
    WrongWeights,
)

NARROW = {
    "unet": {"features": [2, 3, 4]},
    "cbam_resunet": {"features": [4, 6]},
    "hrnet": {"widths": [2, 3, 4, 5], "stem_width": 2, "modules": [1, 1, 1], "blocks": 1},
}


@pytest.fixture(scope="module")
def state(small_network):
    return small_network.state_dict()


class Hostile:
    """Unpickling this creates a file: code that ran."""

    def __init__(self, witness):
        self.witness = str(witness)

    def __reduce__(self):
        return (open, (self.witness, "w"))


def same(loaded, expected):
    got = loaded.network.state_dict()
    return list(got) == list(expected) and all(torch.equal(got[k], expected[k]) for k in expected)


FORMS = {
    "bare": lambda state: state,
    "model_state_dict": lambda state: {
        "model_state_dict": state,
        "epoch": 3,
        "optimizer_state_dict": {"state": {}},
        "loss": 0.1,
        "config": {"a": 1},
    },
    "state_dict": lambda state: {"state_dict": state},
    "Namespace": lambda state: {"state_dict": state, "args": argparse.Namespace(lr=1e-3)},
    "numpy scalars": lambda state: {
        "state_dict": state,
        "best": np.float64(0.9),
        "epoch": np.int64(4),
        "half": np.float32(0.5),
        "done": np.bool_(True),
    },
    "DataParallel": lambda state: {f"module.{k}": v for k, v in state.items()},
    "torch.compile": lambda state: {f"_orig_mod.{k}": v for k, v in state.items()},
    "both wrappers": lambda state: {f"module._orig_mod.{k}": v for k, v in state.items()},
    "parameters": lambda state: {k: torch.nn.Parameter(v) for k, v in state.items()},
    "double": lambda state: {k: v.double() for k, v in state.items()},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_checkpoint_of_any_published_form_is_loaded(form, state, tmp_path):
    torch.save(FORMS[form](state), tmp_path / "a.pth")
    assert same(models.load(tmp_path / "a.pth"), state)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision_become_float32(kind, state, tmp_path):
    torch.save({k: v.to(kind) for k, v in state.items()}, tmp_path / "a.pth")
    loaded = models.load(tmp_path / "a.pth")
    assert same(loaded, {k: v.to(kind).float() for k, v in state.items()})


def test_a_checkpoint_of_the_old_torch_format_is_loaded(state, tmp_path):
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert same(models.load(tmp_path / "a.pth"), state)


def test_a_safetensors_file_is_loaded(state, tmp_path):
    save_file(state, tmp_path / "a.safetensors")
    assert same(models.load(tmp_path / "a.safetensors"), state)


@pytest.mark.parametrize("suffix", [".pt", ".ckpt", ".bin", ""])
def test_the_suffix_does_not_matter(suffix, state, tmp_path):
    torch.save(state, tmp_path / f"a{suffix}")
    assert same(models.load(tmp_path / f"a{suffix}"), state)


@pytest.mark.parametrize("name", NARROW)
def test_network_and_widths_are_recognised(name, tmp_path):
    torch.save(networks.create(name, **NARROW[name]).state_dict(), tmp_path / "a.pth")
    metadata = models.load(tmp_path / "a.pth").metadata
    assert metadata.network == name
    assert {key: metadata.arguments[key] for key in NARROW[name]} == NARROW[name]


def test_batch_norm_is_recognised(tmp_path):
    network = networks.create("unet", **NARROW["unet"], use_instance_norm=False)
    torch.save(network.state_dict(), tmp_path / "a.pth")
    assert same(models.load(tmp_path / "a.pth"), network.state_dict())


def test_a_loaded_network_is_ready_to_predict(checkpoint):
    assert not models.load(checkpoint).network.training


def test_a_published_checkpoint_is_prepared_for_as_the_service_does(checkpoint):
    preparation = models.load(checkpoint).metadata.preparation
    assert (preparation.size, preparation.normalise) == ((1024, 1024), "imagenet")


def test_a_checkpoint_of_one_channel_is_prepared_for_without_colours(tmp_path):
    network = networks.create("unet", **NARROW["unet"], in_channels=1)
    torch.save(network.state_dict(), tmp_path / "a.pth")
    preparation = models.load(tmp_path / "a.pth").metadata.preparation
    assert (preparation.channels, preparation.normalise) == (1, "unit")


@pytest.mark.parametrize("name", ["epoch 12.best.pth", "modèle.pth", "模型.pth", "_.pth"])
def test_a_checkpoint_may_have_any_file_name(name, state, tmp_path):
    torch.save(state, tmp_path / name)
    assert same(models.load(tmp_path / name), state)


# ---------------------------------------------------------------- what is refused


def hostile_file(form, path, witness, state):
    if form == "checkpoint":
        torch.save({"state_dict": state, "args": Hostile(witness)}, path)
    elif form == "old checkpoint":
        content = {"state_dict": state, "args": Hostile(witness)}
        torch.save(content, path, _use_new_zipfile_serialization=False)
    else:
        path.write_bytes(pickle.dumps(Hostile(witness), protocol=int(form)))


@pytest.mark.parametrize("form", ["checkpoint", "old checkpoint", "0", "2", "5"])
def test_a_hostile_pickle_never_runs(form, state, tmp_path):
    witness = tmp_path / "witness"
    hostile_file(form, tmp_path / "a.pth", witness, state)
    with pytest.raises(SpherosegError):
        models.load(tmp_path / "a.pth")
    assert not witness.exists()


def test_the_author_of_a_hostile_checkpoint_is_asked_for_safetensors(state, tmp_path):
    hostile_file("checkpoint", tmp_path / "a.pth", tmp_path / "witness", state)
    with pytest.raises(UnsafeFile, match=r"could run code.*safetensors"):
        models.load(tmp_path / "a.pth")


def test_a_whole_pickled_network_is_refused(small_network, tmp_path):
    torch.save(small_network, tmp_path / "a.pth")
    with pytest.raises(UnsafeFile):
        models.load(tmp_path / "a.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.99])
def test_a_truncated_file_is_refused(suffix, part, state, tmp_path):
    path = tmp_path / f"a{suffix}"
    torch.save(state, path) if suffix == ".pth" else save_file(state, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(UnreadableFile):
        models.load(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".zip"])
@pytest.mark.parametrize(
    "content", [b"", b"not a checkpoint\n" * 9, bytes(1000), b"\x80\x02", b"\x80", b"{"]
)
def test_a_file_without_weights_is_refused(suffix, content, tmp_path):
    (tmp_path / f"a{suffix}").write_bytes(content)
    with pytest.raises(SpherosegError, match="a" + suffix):
        models.load(tmp_path / f"a{suffix}")


def damaged_files(whole):
    """The file cut short, or with a few bytes changed, in ways that a seed decides."""
    draw = random.Random(0)
    for _ in range(20):
        yield whole[: draw.randrange(len(whole))]
        changed = bytearray(whole)
        for _ in range(20):
            changed[draw.randrange(min(len(whole), 3000))] = draw.randrange(256)
        yield bytes(changed)


@pytest.mark.parametrize("form", ["new", "old", "safetensors"])
def test_however_a_file_is_damaged_the_error_is_ours(form, tmp_path):
    state = networks.create("unet", **NARROW["unet"]).state_dict()
    path = tmp_path / ("a.safetensors" if form == "safetensors" else "a.pth")
    if form == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "new")
    for content in damaged_files(path.read_bytes()):
        path.write_bytes(content)
        try:
            models.load(path)
        except SpherosegError:
            continue


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused(value, state, tmp_path):
    key = list(state)[5]
    torch.save(state | {key: torch.full_like(state[key], value)}, tmp_path / "a.pth")
    with pytest.raises(WrongWeights, match=rf"not numbers, first in {key}"):
        models.load(tmp_path / "a.pth")


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("change", ["missing", "scalar"])
def test_a_checkpoint_is_refused_whichever_weight_is_missing_or_misshapen(name, change, tmp_path):
    from napari_spheroseg.models.formats.fitting import compare, recognise

    built = {}  # building a network for every key would take long

    def load(weights):
        network, arguments = recognise(weights, "a.pth")
        if str(arguments) not in built:
            built[str(arguments)] = networks.create(network, **arguments)
        compare(built[str(arguments)], weights, "a.pth")

    state = networks.create(name, **NARROW[name]).state_dict()
    for key in state:
        altered = {other: value for other, value in state.items() if other != key}
        if change == "scalar":
            altered[key] = torch.tensor(1.0)
        with pytest.raises(SpherosegError):
            load(altered)


def test_a_checkpoint_that_lacks_keys_says_which(state, tmp_path):
    torch.save(dict(list(state.items())[:-3]), tmp_path / "a.pth")
    with pytest.raises(WrongWeights, match=r"a\.pth"):
        models.load(tmp_path / "a.pth")


def test_a_checkpoint_with_more_than_the_network_has_is_refused(state, tmp_path):
    torch.save({**state, "another.weight": torch.ones(3)}, tmp_path / "a.pth")
    with pytest.raises(WrongWeights, match=r"another\.weight"):
        models.load(tmp_path / "a.pth")


def test_a_weight_of_another_shape_is_refused(state, tmp_path):
    torch.save({**state, "bottleneck.double_conv.1.bias": torch.ones(3)}, tmp_path / "a.pth")
    with pytest.raises(WrongWeights, match=r"bottleneck\.double_conv\.1\.bias"):
        models.load(tmp_path / "a.pth")


def test_a_checkpoint_of_an_unknown_network_lists_those_that_are_known(tmp_path):
    torch.save(torch.nn.Linear(3, 3).state_dict(), tmp_path / "a.pth")
    with pytest.raises(WrongWeights, match=r"no network that we know.*hrnet, cbam_resunet, unet"):
        models.load(tmp_path / "a.pth")


@pytest.mark.parametrize(
    "content",
    [{}, [], 3, {"epoch": 3}, {"state_dict": None}, {"state_dict": {}}, {"state_dict": {"a": 1}}],
)
def test_a_checkpoint_without_a_state_dict_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(WrongWeights, match="no state_dict"):
        models.load(tmp_path / "a.pth")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match=r"no file .*nowhere\.pth"):
        models.load(tmp_path / "nowhere.pth")


@pytest.mark.parametrize("inside", ["../../witness", "/witness", "model/weights.pth"])
def test_a_zip_of_other_things_is_refused_and_not_unpacked(inside, tmp_path):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "collection.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(inside, b"x")
    with pytest.raises(SpherosegError):
        models.load(path)
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["collection.zip", "in"]
