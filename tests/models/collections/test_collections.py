import hashlib
import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import torch
import yaml

import napari_spheroseg as ss
from napari_spheroseg import models, networks
from napari_spheroseg.errors import (
    BadSetting,
    UnknownName,
    UnreadableFile,
    UnsafeFile,
    WrongWeights,
)
from napari_spheroseg.models.collections.hitmictools import class_names, preparation_of, settings_of
from napari_spheroseg.models.collections.unpack import install_collection

SMALL = {
    "segmentation": ("MonaiUnet-segmentation", "monai_unet", {"channels": [4, 8], "strides": [2]}),
    "bf_focus": ("NAFNet-bf_focus_restoration", "nafnet", {"width": 4}),
    "cell_classifier": ("FlexResNet-cell_classifier", "flexresnet", {"initial_filters": 4}),
}
INFERER = {"patch_size": 128, "overlap_ratio": 0.25, "scale_method": "none"}


def saved(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def write_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(0)
    return {
        key: networks.create(network, **arguments).state_dict()
        for key, (_, network, arguments) in SMALL.items()
        if network in networks.names()
    }


@pytest.fixture
def members(weights):
    """Files of a collection as HiTMicTools writes them."""
    config = {"_bundle_metadata": {"creation_date": "2026-01-01 00:00:00", "source_config": "a"}}
    found = {}
    for key, state in weights.items():
        stem, _, arguments = SMALL[key]
        found[f"models/{stem}.pth"] = saved(state)
        found[f"metadata/{stem}.json"] = json.dumps({"model_args": arguments})
        paths = {"model_path": f"models/{stem}.pth", "model_metadata": f"metadata/{stem}.json"}
        config[key] = paths | ({} if key == "cell_classifier" else {"inferer_args": INFERER})
    config["cell_classifier"]["model_args"] = {"classes": {0: "single-cell", 1: "clump"}}
    return found | {"config.yml": yaml.safe_dump(config)}


@pytest.fixture
def pack(tmp_path, members):
    """Write the collection with some of its config.yml and files changed."""

    def write(changes=None, files=None, name="cells_20260101.zip"):
        config = yaml.safe_load(members["config.yml"])
        for key, values in (changes or {}).items():
            config[key] = config.get(key, {}) | values
        everything = members | {"config.yml": yaml.safe_dump(config)} | (files or {})
        return write_zip(tmp_path / name, everything)

    return write


def same(network, state):
    return all(torch.equal(state[key], value) for key, value in network.state_dict().items())


# ---------------------------------------------------------------- HiTMicTools' zip


def test_every_network_of_a_collection_is_loaded_with_its_weights(pack, weights):
    collection = models.open_collection(pack())
    assert {key: entry.state for key, entry in collection.entries.items()} == dict.fromkeys(
        ("bf_focus", "segmentation", "cell_classifier"), "loadable"
    )
    assert all(same(collection.load(key).network, state) for key, state in weights.items())


def test_a_collection_is_named_by_its_file_without_the_date(pack):
    assert models.open_collection(pack()).name == "cells"


def test_what_the_settings_say_becomes_the_preparation(pack):
    args = {"patch_size": 256, "scale_method": "fixed_range", "scaler_args": {"bit_depth": 12}}
    path = pack({"segmentation": {"inferer_args": {"overlap_ratio": 0.5} | args}})
    preparation = models.open_collection(path).load("segmentation").metadata.preparation
    assert (preparation.tile, preparation.overlap, preparation.multiple) == (256, 0.5, 2)
    assert (preparation.intensity, preparation.low, preparation.high) == ("fixed", 0, 4095)


def test_classes_are_the_outputs_of_a_classifier_in_the_order_of_their_numbers(pack):
    model = models.open_collection(pack()).load("cell_classifier")
    unnamed = tuple(f"Unknown_Class_{number}" for number in (2, 3, 4))
    assert model.metadata.outputs == ("single-cell", "clump", *unnamed)
    assert model.metadata.task == "classification"


@pytest.mark.parametrize("place", ["beside", "within"])
def test_scaler_args_and_classes_are_found_where_docs_and_where_code_put_them(place):
    scaler, classes = {"bit_depth": 12}, {0: "a", 1: "b"}
    given = {"inferer_args": {"patch_size": 64}, "model_args": {}}
    if place == "beside":
        given |= {"scaler_args": scaler, "classes": classes}
    else:
        given["inferer_args"]["scaler_args"], given["model_args"]["classes"] = scaler, classes
    settings = settings_of(given)
    assert settings["inferer_args"]["scaler_args"] == scaler
    assert settings["classes"] == ("a", "b")


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        ({"b": 1, "a": 0}, ("a", "b")),
        ({"0": "a", "2": "c"}, ("a", "Unknown_Class_1", "c")),
        (["a", "b"], ("a", "b")),
        ({}, ()),
    ],
)
def test_names_of_classes_come_in_many_forms(classes, names):
    assert class_names(classes) == names


@pytest.mark.parametrize("classes", ["a", 3, {"a": "b"}, {10**9: "a"}])
def test_classes_without_numbers_are_refused(classes):
    with pytest.raises(BadSetting, match="class"):
        class_names(classes)


@pytest.mark.parametrize(
    "inferer",
    [
        {"scale_method": "magic"},
        {"scale_method": "fixed_range"},
        {"overlap_ratio": 1},
        {"patch_size": -3},
        {"scaler_args": "much"},
    ],
)
def test_settings_that_we_cannot_honour_are_refused_and_not_passed_over(inferer):
    with pytest.raises(BadSetting):
        preparation_of(inferer, 1, 16)


@pytest.mark.parametrize(
    ("method", "scaler", "expected"),
    [
        ("range01", {}, ("columns", 1, 99.8, True, "unit")),
        ("range01", {"pmin": 2, "pmax": 98, "clip": False}, ("columns", 2, 98, False, "unit")),
        ("combined", {"pmin": 2, "pmax": 98}, ("columns", 2, 98, True, "standard")),
        ("zscore", {}, ("fixed", 0, 1, False, "standard")),
        ("fixed_range", {"bit_depth": 12}, ("fixed", 0, 4095, False, "unit")),
        ("none", {}, ("fixed", 0, 1, False, "unit")),
    ],
)
@pytest.mark.parametrize("key", ["bf_focus", "fl_focus", "segmentation"])
def test_every_scaling_is_honoured_for_every_model(key, method, scaler, expected, pack, members):
    stem = "NAFNet-fl_focus_restoration"
    files = {
        f"{folder}/{stem}.{ending}": members[f"{folder}/NAFNet-bf_focus_restoration.{ending}"]
        for folder, ending in (("models", "pth"), ("metadata", "json"))
    }
    paths = {"model_path": f"models/{stem}.pth", "model_metadata": f"metadata/{stem}.json"}
    arguments = {"patch_size": 256, "scale_method": method, "scaler_args": scaler}
    entry = (paths if key == "fl_focus" else {}) | {
        "inferer_args": {"overlap_ratio": 0.25} | arguments
    }
    path = pack({key: entry}, files)
    made = models.open_collection(path).load(key).metadata.preparation
    assert (made.intensity, made.low, made.high, made.clip, made.normalise) == expected


def test_a_focus_restorer_of_a_collection_restores_as_its_settings_say(pack, image):
    scaler = {"pmin": 2, "pmax": 98}
    inferer = INFERER | {"scale_method": "range01", "scaler_args": scaler}
    path = pack({"bf_focus": {"inferer_args": inferer}})
    model = models.open_collection(path).load("bf_focus")
    with torch.no_grad():  # what goes in comes out
        model.network.ending.weight.zero_()
        model.network.ending.bias.zero_()
    restored = ss.restore_focus(image + np.arange(160, dtype=np.uint16), model, backend="torch")
    low, high = (
        np.quantile(np.quantile(image + np.arange(160), end, axis=0), end) for end in (0.02, 0.98)
    )
    expected = np.clip(image + np.arange(160), low, high)
    assert restored.dtype == np.uint16
    assert np.abs(restored - expected).max() <= 1


@pytest.mark.parametrize(("half", "precision"), [(True, "float16"), (False, "auto")])
def test_half_precision_is_what_the_model_asks_for_on_a_gpu(half, precision, pack):
    path = pack({"bf_focus": {"inferer_args": {"half_precision": half}}})
    model = models.open_collection(path).load("bf_focus")
    assert model.metadata.precision == precision


def test_one_folder_a_model_is_read_too(tmp_path, members, weights):
    moved = {}
    for key, (stem, _, _) in SMALL.items():
        moved[f"{key}/weights.pth"] = members[f"models/{stem}.pth"]
        moved[f"{key}/metadata.json"] = members[f"metadata/{stem}.json"]
    collection = models.open_collection(write_zip(tmp_path / "a.zip", moved))
    assert set(collection.entries) == set(SMALL)
    assert same(collection.load("segmentation").network, weights["segmentation"])


def test_a_tracker_comes_along_and_what_is_strange_is_told(pack):
    path = pack({"colour": {"red": 1}}, {"config_tracker.yml": "max_distance: 9"})
    collection = models.open_collection(path)
    assert collection.tracker == {"max_distance": 9}
    assert len(collection.notes) == 1
    assert "'colour'" in collection.notes[0]


def test_a_model_of_a_collection_is_loaded_by_path_and_key(pack, weights):
    reference = models.open_collection(pack()).load("bf_focus").reference
    assert same(models.load(reference).network, weights["bf_focus"])


def test_a_model_is_described_by_the_type_that_the_code_calls_it_by(tmp_path, members, weights):
    for name in ("models/MonaiUnet-segmentation.pth", "metadata/MonaiUnet-segmentation.json"):
        (tmp_path / name).parent.mkdir()
        content = members[name]
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    given = yaml.safe_load(members["config.yml"])["segmentation"]
    for name in ("segmentator", "segmentation"):
        model = models.load_described(name, given, tmp_path)
        assert same(model.network, weights["segmentation"])
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"segmentator": given}))
    collection = models.open_collection(tmp_path / "config.yaml")
    assert same(collection.load("segmentation").network, weights["segmentation"])


def test_an_unknown_type_is_answered_with_the_near_one():
    with pytest.raises(UnknownName, match="segmentation"):
        models.load_described("segmentatoin", {})


@pytest.mark.parametrize("lacks", ["model_path", "model_metadata"])
def test_a_description_without_a_path_says_which(lacks, tmp_path):
    given = {"model_path": "a.pth", "model_metadata": "a.json"}
    given.pop(lacks)
    with pytest.raises(BadSetting, match=lacks):
        models.load_described("segmentation", given, tmp_path)


# ---------------------------------------------------------------- states


def test_weights_that_are_cut_short_are_damaged_and_hide_no_other(pack, members):
    name = "models/MonaiUnet-segmentation.pth"
    collection = models.open_collection(pack(files={name: members[name][:1000]}))
    assert collection.entries["segmentation"].state == "damaged"
    assert "MonaiUnet" in collection.entries["segmentation"].reason
    assert collection.entries["bf_focus"].state == "loadable"
    with pytest.raises(UnreadableFile):
        collection.load("segmentation")


def test_weights_of_another_network_are_damaged(pack, members):
    name = "models/MonaiUnet-segmentation.pth"
    path = pack(files={name: members["models/NAFNet-bf_focus_restoration.pth"]})
    assert models.open_collection(path).entries["segmentation"].state == "damaged"


def test_a_missing_file_is_damage(pack):
    path = pack({"segmentation": {"model_path": "models/nothing.pth"}})
    entry = models.open_collection(path).entries["segmentation"]
    assert entry.state == "damaged"
    assert "models/nothing.pth" in entry.reason


def test_a_path_out_of_the_zip_is_not_followed(pack, tmp_path):
    (tmp_path / "outside.pth").write_bytes(b"secret")
    path = pack({"segmentation": {"model_path": "../outside.pth"}})
    assert models.open_collection(path).entries["segmentation"].state == "damaged"


def test_weights_that_would_run_code_are_unsafe(pack):
    path = pack(files={"models/MonaiUnet-segmentation.pth": saved({"state_dict": print})})
    assert models.open_collection(path).entries["segmentation"].state == "unsafe file"


def test_a_detector_names_the_package_that_it_needs(pack):
    path = pack(
        {
            "oof_detector": {
                "model_path": "models/RFDETR-oof_detector.pth",
                "inferer_args": {"class_dict": {"out": 1, "in": 0}},
            }
        },
        {"models/RFDETR-oof_detector.pth": b"x"},
    )
    entry = models.open_collection(path).entries["oof_detector"]
    assert entry.state == "missing package"
    assert "pip install rfdetr" in entry.reason
    assert entry.settings["classes"] == ("in", "out")


def test_a_network_that_we_do_not_have_is_unknown(pack, monkeypatch):
    monkeypatch.setattr(networks.NETWORKS, "_entries", {"unet": "nowhere:UNet"})
    assert models.open_collection(pack()).entries["segmentation"].state == "unknown network"


def monai(**arguments):
    """Files of a collection's segmentation model, and its network."""
    torch.manual_seed(0)
    stem, name, widths = SMALL["segmentation"]
    network = networks.create(name, **widths, **arguments).eval()
    described = json.dumps({"model_args": widths | arguments})
    files = {f"models/{stem}.pth": saved(network.state_dict()), f"metadata/{stem}.json": described}
    return files, network


def test_a_network_of_other_channels_does_not_fit_and_hides_no_other(pack):
    files, _ = monai(in_channels=2)
    installed = install_collection(pack(files=files))
    assert [each.metadata.name for each in installed] == ["cells-bf_focus", "cells-cell_classifier"]
    assert "'segmentation' takes 2 channels at once" in installed[0].passed_over[0]
    entry = models.open_collection(pack(files=files)).entries["segmentation"]
    assert entry.state == "does not fit"


def test_of_several_channels_the_largest_counts(pack, image):
    files, network = monai(out_channels=3)
    model = models.open_collection(pack(files=files)).load("segmentation")
    grey = image.astype(np.float32)
    found = ss.segment(grey, model, device="cpu", backend="torch", tile=None).probability
    with torch.inference_mode():
        expected = network(torch.from_numpy(grey)[None, None]).sigmoid().amax(1)[0]
    assert np.allclose(found, expected, atol=1e-5)


def test_a_network_that_would_fill_the_memory_is_not_built(pack):
    lying = json.dumps({"model_args": {"channels": [60_000] * 5, "strides": [2] * 4}})
    path = pack(files={"metadata/MonaiUnet-segmentation.json": lying})
    assert models.open_collection(path).entries["segmentation"].state == "damaged"


def test_a_key_that_is_not_there_is_answered_with_those_that_are(pack):
    with pytest.raises(UnknownName, match="bf_focus"):
        models.open_collection(pack()).load("bf_focsu")


# ---------------------------------------------------------------- classifiers


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def pickled(pack, tmp_path):
    """A collection with a pickle that makes a file when it is opened: zip, file, checksum."""
    content = pickle.dumps(Touch(tmp_path / "touched"))
    name = "models/PIClassifier.pkl"
    path = pack({"pi_classification": {"model_path": name}}, {name: content})
    return path, tmp_path / "touched", hashlib.sha256(content).hexdigest()


def test_a_pickle_is_refused_and_never_opened(pickled):
    path, touched, checksum = pickled
    collection = models.open_collection(path)
    assert collection.entries["pi_classification"].state == "unsafe file"
    for allow in (None, "0" * 64):
        with pytest.raises(UnsafeFile, match=checksum):
            collection.classifier("pi_classification", allow=allow)
    with pytest.raises(UnsafeFile):
        collection.load("pi_classification")
    assert not touched.exists()


def test_a_pickle_is_opened_by_its_own_checksum(pickled):
    pytest.importorskip("joblib")
    path, touched, checksum = pickled
    models.open_collection(path).classifier("pi_classification", allow=checksum).close()
    assert touched.exists()


def test_an_onnx_classifier_that_is_none_is_damaged(pack):
    pytest.importorskip("onnxruntime")
    name = "models/PIClassifier.onnx"
    path = pack({"pi_classification": {"model_path": name}}, {name: b"nothing"})
    assert models.open_collection(path).entries["pi_classification"].state == "damaged"


def test_a_network_is_no_classifier(pack):
    with pytest.raises(WrongWeights, match="load"):
        models.open_collection(pack()).classifier("segmentation")


# ---------------------------------------------------------------- install


def test_the_networks_of_a_collection_are_installed_under_its_name(pack, weights):
    metadata = models.install(pack())
    assert metadata.name == "cells-bf_focus"
    state = models.load("cells-segmentation").network.state_dict()
    assert all(torch.equal(state[key], value) for key, value in weights["segmentation"].items())


def test_a_collection_with_a_damaged_model_installs_none(pack, members, models_folder):
    name = "models/MonaiUnet-segmentation.pth"
    with pytest.raises(WrongWeights, match="'segmentation'"):
        models.install(pack(files={name: members[name][:1000]}))
    assert not models_folder.exists()


def test_a_name_that_is_taken_installs_none_of_them(pack, checkpoint):
    models.install(checkpoint, "cells-segmentation")
    with pytest.raises(BadSetting, match="'cells-segmentation' is installed"):
        models.install(pack())
    assert "cells-bf_focus" not in [each.name for each in models.known()]
    models.install(pack(), replace=True)
    assert models.info("cells-segmentation").network == "monai_unet"


def test_weights_are_used_as_they_are(pack):
    found = models.open_collection(pack()).load("segmentation")
    with torch.inference_mode():
        output = found.network(torch.zeros(1, 1, 32, 32))
    assert np.isfinite(output.numpy()).all()
