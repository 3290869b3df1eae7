from __future__ import annotations

import csv

import cv2
import pytest

from napari_spheroseg.models import Preparation
from napari_spheroseg.synthetic import spheroids
from napari_spheroseg.training.restoration.settings import RestorationTraining


@pytest.fixture
def data(tmp_path):
    """A folder with manifests: two images to train on, one to validate, one plane of a stack."""
    rows, unlabelled = [], []
    for number, part in enumerate(("train", "train", "val")):
        name = f"drawn{number}.png"
        cv2.imwrite(str(tmp_path / name), spheroids((128, 128), 3, seed=number).image)
        rows.append({"source": "drawn", "file": name, "part": part})
    cv2.imwrite(str(tmp_path / "plane.png"), spheroids((128, 128), 3, seed=9).image)
    unlabelled.append({"source": "drawn", "file": "plane.png", "z": "0"})
    for name, own in (("manifest.csv", rows), ("manifest_unlabelled.csv", unlabelled)):
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(own[0]))
            writer.writeheader()
            writer.writerows(own)
    return tmp_path


@pytest.fixture
def settings():
    return RestorationTraining(
        name="tiny",
        title="Tiny",
        arguments={"width": 4, "enc_blk_nums": [1], "dec_blk_nums": [1]},
        preparation=Preparation(clip=False, multiple=2),
        sources={"drawn": 1},
        epochs=1,
        steps_per_epoch=2,
        batch_size=2,
        crop=64,
        warm_up=0,
        learning_rate=1e-2,
    )
