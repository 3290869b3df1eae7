"""A small classifier of random weights, and objects of many sizes and of four kinds."""

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_spheroseg import models, networks
from napari_spheroseg.models import ModelMetadata, Preparation, library
from napari_spheroseg.models.metadata import Crop
from napari_spheroseg.models.model import sha256_of

CLASSES = ("single-cell", "clump", "noise")
ARGUMENTS = {"num_classes": 3, "min_size": 16, "initial_filters": 4}


@pytest.fixture(scope="session")
def network():
    torch.manual_seed(0)
    return networks.create("flexresnet", **ARGUMENTS).eval()


@pytest.fixture(scope="session")
def classifier_folder(tmp_path_factory, network):
    folder = tmp_path_factory.mktemp("classifier") / "tiny_classifier"
    folder.mkdir()
    save_file(network.state_dict(), folder / library.WEIGHTS)
    metadata = ModelMetadata(
        name=folder.name,
        title="Tiny classifier",
        task="classification",
        network="flexresnet",
        arguments=ARGUMENTS,
        outputs=CLASSES,
        preparation=Preparation(intensity="fixed", low=0, high=1, tile=None, multiple=1),
        crop=Crop(size=16, batch=4),
        sha256=sha256_of(folder / library.WEIGHTS),
    )
    library.write_metadata(folder, metadata)
    return folder


@pytest.fixture
def classifier(classifier_folder):
    """The tiny classifier, opened."""
    return models.load(classifier_folder)


@pytest.fixture
def labels():
    """Objects of 1 px, of more pixels than a crop has, and of numbers that are not consecutive."""
    plane = np.zeros((60, 80), np.int32)
    plane[2, 3] = 7
    plane[10:14, 10:19] = 2
    plane[20:55, 5:15] = 900
    plane[22:50, 30:70] = 31
    plane[30:40, 40:45] = 32  # within the box of another
    plane[0:5, 60:65] = 12
    return plane


@pytest.fixture
def image():
    return np.random.default_rng(0).random((60, 80), dtype=np.float32)


KINDS = ("disc", "rod", "heap", "ring")
_SIDE = 48


def draw_kinds(count, seed):
    """An image, labels, and the kind of each label: as many of each kind, in turn."""
    rng = np.random.default_rng(seed)
    across = 10
    down = -(-count * len(KINDS) // across)
    image = np.full((down * _SIDE, across * _SIDE), 0.2, np.float32)
    labels = np.zeros(image.shape, np.int32)
    kinds = {}
    for number in range(1, count * len(KINDS) + 1):
        kind = KINDS[number % len(KINDS)]
        kinds[number] = kind
        corner = divmod(number - 1, across)
        centre = [int(_SIDE * (at + 0.5) + rng.integers(-3, 4)) for at in corner[::-1]]
        mask = _shape(image.shape, kind, centre, rng)
        labels[mask] = number
        image[mask] = rng.uniform(0.4, 0.9)
        if kind == "ring":
            image[cv2.erode(mask.astype(np.uint8), np.ones((5, 5))) > 0] = 0.25
    image = cv2.GaussianBlur(image, (0, 0), 1)
    return image + rng.normal(0, 0.03, image.shape).astype(np.float32), labels, kinds


def _shape(shape, kind, centre, rng):
    canvas = np.zeros(shape, np.uint8)
    size = rng.uniform(8, 14)
    if kind == "rod":
        axes = (int(1.2 * size), int(0.3 * size))
        cv2.ellipse(canvas, centre, axes, rng.uniform(0, 180), 0, 360, 1, -1)
    elif kind == "heap":
        for _ in range(5):
            place = [int(at + rng.uniform(-0.7, 0.7) * size) for at in centre]
            cv2.circle(canvas, place, int(0.4 * size), 1, -1)
        cv2.circle(canvas, centre, int(0.4 * size), 1, -1)
    else:
        cv2.circle(canvas, centre, int(size), 1, -1)
    return canvas.astype(bool)


@pytest.fixture(scope="session", name="draw_kinds")
def _draw_kinds():
    """The function that draws objects of four kinds from a seed."""
    return draw_kinds
