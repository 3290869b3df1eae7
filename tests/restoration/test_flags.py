"""The detector of a collection, run by a package with the interface of rfdetr 1.11."""

import importlib.util
import io
import json
import sys
import zipfile
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
import yaml

from napari_spheroseg import models
from napari_spheroseg.errors import BadImage, Cancelled, MissingPackage, WrongWeights
from napari_spheroseg.models.collections.unpack import install_collection
from napari_spheroseg.restoration.flags import flag_places
from napari_spheroseg.restoration.focus import object_focus

STEM = "RFDETR-oof_detector"
INFERER = {"patch_size": 64, "overlap_ratio": 0.5, "class_dict": {"out": 1, "in": 0}}


class RFDETRBase:
    """Finds what is as bright as can be; refuses what the real one refuses."""

    opened: ClassVar = []

    def __init__(self, *, trust_checkpoint=False, pretrain_weights, num_classes, device):
        content = torch.load(pretrain_weights, weights_only=True)
        if content["model"]["class_embed.bias"].shape[0] != num_classes + 1:
            raise RuntimeError("size mismatch for class_embed.bias")
        if content["model"]["class_embed.bias"][0] < 0:
            raise RuntimeError("these weights do not fit")
        self.device = device
        self.seen = []
        RFDETRBase.opened.append(self)

    def predict(self, images, threshold=0.5, shape=None, patch_size=None, **kwargs):
        return [self._look(each, threshold) for each in images]

    def _look(self, tile, threshold):
        assert isinstance(tile, np.ndarray)
        assert (tile.dtype, tile.shape[2]) == (np.float32, 3)
        assert tile.min() >= 0
        assert tile.max() <= 1
        self.seen.append(tile)
        rows, columns = np.nonzero(tile[..., 0] == 1)
        boxes = np.zeros((0, 4), np.float32)
        if len(rows):
            sides = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            boxes = np.array([sides], np.float32)
        scores = np.full(len(boxes), 0.9 if threshold < 0.9 else 0, np.float32)
        return SimpleNamespace(
            xyxy=boxes[scores > threshold],
            confidence=scores[scores > threshold],
            class_id=np.ones(int((scores > threshold).sum()), np.int64),
        )


@pytest.fixture
def package(monkeypatch):
    """A module called rfdetr."""
    module = ModuleType("rfdetr")
    module.RFDETRBase = RFDETRBase
    module.__spec__ = importlib.util.spec_from_loader("rfdetr", None)
    monkeypatch.setitem(sys.modules, "rfdetr", module)
    monkeypatch.setattr(RFDETRBase, "opened", [])
    return module


@pytest.fixture
def collection(tmp_path):
    """A function that opens a collection that holds a detector."""

    def write(inferer=None, state=None, described=None, key="oof_detector"):
        state = {"class_embed.bias": torch.zeros(3)} if state is None else state
        buffer = io.BytesIO()
        torch.save({"model": state, "epoch": 3}, buffer)
        entry = {
            "model_path": f"models/{STEM}.pth",
            "model_metadata": f"metadata/{STEM}.json",
            "inferer_args": INFERER | (inferer or {}),
        }
        path = tmp_path / "cells.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.yml", yaml.safe_dump({key: entry}))
            archive.writestr(f"models/{STEM}.pth", buffer.getvalue())
            archive.writestr(f"metadata/{STEM}.json", json.dumps(described or {}))
        return models.open_collection(path)

    return write


@pytest.fixture
def detector(package, collection):
    return collection().detector("oof_detector")


@pytest.fixture
def bright_place():
    image = np.full((100, 150), 10, np.uint16)
    image[40:60, 66:84] = 4000
    return image


def test_with_the_package_a_detector_is_loadable(package, collection):
    found = collection()
    assert found.entries["oof_detector"].state == "loadable"
    assert found.detectors == ("oof_detector",)
    assert not RFDETRBase.opened  # looking into a collection builds no network


def test_without_the_package_it_says_which_to_install(collection, monkeypatch):
    monkeypatch.setitem(sys.modules, "rfdetr", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    found = collection()
    assert found.entries["oof_detector"].state == "missing package"
    assert "pip install rfdetr" in found.entries["oof_detector"].reason
    with pytest.raises(MissingPackage):
        found.detector("oof_detector")


def test_what_is_not_run_here_asks_for_no_package(collection):
    entry = collection(key="sc_segmenter").entries["sc_segmenter"]
    assert entry.state == "unknown network"
    assert "install" not in entry.reason
    assert "HiTMicTools" in entry.reason


def test_to_load_it_as_a_network_says_how_it_is_opened(package, collection):
    with pytest.raises(WrongWeights, match=r"collection\.detector\('oof_detector'\)"):
        collection().load("oof_detector")


def test_a_place_is_found_once_whatever_tiles_it_lies_in(detector, bright_place):
    (row,) = flag_places(bright_place, detector, device="cpu").table.to_dict("records")
    assert row == {
        "left_px": 66,
        "top_px": 40,
        "right_px": 84,
        "bottom_px": 60,
        "class": "out",
        "score": pytest.approx(0.9),
    }


def test_the_mask_holds_the_boxes_of_the_classes_that_count(detector, bright_place):
    flags = flag_places(bright_place, detector, device="cpu")
    assert np.array_equal(flags.mask(), bright_place == 4000)
    assert np.array_equal(flags.mask(classes=["out"]), flags.mask())
    assert not flags.mask(classes=["in"]).any()


def test_objects_get_the_part_of_them_that_is_flagged(detector, bright_place):
    labels = np.zeros(bright_place.shape, int)
    labels[50:70, 66:84], labels[80:90, 10:20] = 1, 2
    flags = flag_places(bright_place, detector, device="cpu")
    assert object_focus(flags.mask(), labels).tolist() == [0.5, 0]


def test_frames_of_a_stack_have_rows_and_masks_of_their_own(detector, bright_place):
    constant = np.full_like(bright_place, 7)
    stack = np.stack([bright_place, constant, bright_place[::-1]])
    with pytest.warns(UserWarning, match="1 of 3 frames are constant"):
        flags = flag_places(stack, detector, axes="TYX", device="cpu")
    assert flags.table["t"].tolist() == [0, 2]
    assert not flags.mask((1,)).any()
    assert np.array_equal(flags.mask((2,)), stack[2] == 4000)


def test_boxes_of_a_region_lie_in_the_image(detector, bright_place):
    flags = flag_places(bright_place, detector, region=(30, 100, 60, 150), device="cpu")
    assert flags.table[["left_px", "top_px"]].to_numpy().tolist() == [[66, 40]]
    assert flags.mask()[10:30, 6:24].all()
    assert flags.mask().sum() == 20 * 18


def test_an_image_smaller_than_a_tile_is_filled_up(detector):
    image = np.zeros((20, 30), np.uint8)
    image[15:, 25:] = 9
    flags = flag_places(image, detector, device="cpu")
    assert np.array_equal(flags.mask(), image > 0)
    assert RFDETRBase.opened[0].seen[0].shape == (64, 64, 3)


def test_pixels_that_are_no_numbers_are_dark(detector, bright_place):
    image = bright_place.astype(np.float32)
    image[:10, :10], image[0, 20] = np.nan, np.inf
    assert np.array_equal(flag_places(image, detector, device="cpu").mask(), bright_place == 4000)


def test_an_image_without_a_number_is_refused(detector):
    with pytest.raises(BadImage):
        flag_places(np.full((20, 20), np.nan, np.float32), detector, device="cpu")


def test_the_score_of_the_collection_decides(package, collection, bright_place):
    strict = collection({"score_threshold": 0.95}).detector("oof_detector")
    assert len(flag_places(bright_place, strict, device="cpu").table) == 0


def test_a_class_without_a_name_has_its_number(package, collection, bright_place):
    nameless = collection({"class_dict": {}}).detector("oof_detector")
    table = flag_places(bright_place, nameless, device="cpu").table
    assert table["class"].tolist() == ["Unknown_Class_1"]


def test_the_network_is_built_once_and_sees_no_file_of_the_collection(detector, bright_place):
    for _ in range(2):
        flag_places(bright_place, detector, device="cpu")
    (network,) = RFDETRBase.opened
    assert network.device == "cpu"


def test_weights_that_the_package_refuses_are_named(package, collection, bright_place):
    state = {"class_embed.bias": torch.full((3,), -1.0)}
    with pytest.raises(WrongWeights, match="these weights do not fit"):
        flag_places(bright_place, collection(state=state).detector("oof_detector"), device="cpu")


def test_weights_of_something_else_are_damaged(package, collection):
    entry = collection(state={"weight": torch.zeros(3)}).entries["oof_detector"]
    assert entry.state == "damaged"
    assert "RF-DETR" in entry.reason


def test_another_kind_of_detector_does_not_fit(package, collection):
    entry = collection(described={"model_type": "rfdetrlarge"}).entries["oof_detector"]
    assert entry.state == "does not fit"
    assert "rfdetrlarge" in entry.reason


def test_a_version_without_the_class_says_which_has_it(package, detector, bright_place):
    del package.RFDETRBase
    with pytest.raises(MissingPackage, match=r"rfdetr<2"):
        flag_places(bright_place, detector, device="cpu")


def test_it_can_be_cancelled(detector, bright_place):
    with pytest.raises(Cancelled):
        flag_places(bright_place, detector, device="cpu", cancel=lambda: True)


def test_it_is_not_installed_as_a_model(package, collection):
    with pytest.raises(WrongWeights, match="oof_detector: loadable"):
        install_collection(collection().path)
