"""Fixtures that all tests share: an empty models folder, a tiny model, images with known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_spheroseg import models, networks
from napari_spheroseg.inference import devices, shared
from napari_spheroseg.models import ModelMetadata, library
from napari_spheroseg.models.library import write_metadata
from napari_spheroseg.models.metadata import Crop
from napari_spheroseg.models.model import sha256_of

FEATURES = [4, 8, 16]
torch.set_num_threads(1)  # networks this small only wait for each other's threads


@pytest.fixture(scope="session", autouse=True)
def _without_the_users_models(tmp_path_factory):
    """Fixtures that live longer than a test see no models of the user either."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPHEROSEG_MODELS", str(tmp_path_factory.mktemp("no_models")))
        patch.setenv("SPHEROSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def models_folder(tmp_path_factory, monkeypatch):
    """A models folder of its own for every test; no predictor or threads left from another."""
    folder = tmp_path_factory.mktemp("models") / "user"
    monkeypatch.setenv("SPHEROSEG_MODELS", str(folder))
    for name in ("SPHEROSEG_SHARED_MODELS", "SPHEROSEG_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    shared.forget_shared()
    yield folder
    shared.forget_shared()
    devices.use_threads(0)


@pytest.fixture
def waiting(models_folder) -> str:
    """Name of a model that is known and has no weights yet."""
    folder = models_folder / "waiting"
    folder.mkdir(parents=True)
    write_metadata(folder, ModelMetadata(name="waiting", title="Waiting", network="unet"))
    return folder.name


def threshold_network() -> torch.nn.Module:
    """A U-Net whose logit is 40 * (brightness - 0.5) at every pixel: what it finds is known."""
    network = networks.create(
        "unet", in_channels=1, features=FEATURES, use_instance_norm=False, keep_unused=False
    )
    state = network.state_dict()
    for key, value in state.items():
        # statistics that leave everything as it is, and convolutions that see nothing
        is_norm_weight = value.ndim == 1 and key.endswith("weight")
        value.fill_(1 if is_norm_weight or key.endswith("running_var") else 0)
    for layer in ("init_conv.double_conv.0", "init_conv.double_conv.4"):
        state[f"{layer}.weight"][0, 0, 1, 1] = 1
    for layer in ("decoder_blocks.1.double_conv.0", "decoder_blocks.1.double_conv.4"):
        state[f"{layer}.weight"][0, 0, 1, 1] = 1
    state["final_conv.weight"][0, 0] = 40
    state["final_conv.bias"][0] = -20
    network.load_state_dict(state)
    return network.eval()


def save_model(folder: Path, weights: torch.nn.Module, **metadata) -> Path:
    """Write a model's folder as `install` does, without going through it."""
    folder.mkdir(parents=True)
    save_file(weights.state_dict(), folder / library.WEIGHTS)
    values = {
        "name": folder.name,
        "title": folder.name,
        "network": "unet",
        "sha256": sha256_of(folder / library.WEIGHTS),
        **metadata,
    }
    library.write_metadata(folder, models.ModelMetadata(**values))
    return folder


def restoring_network(lift: float, channels: int) -> torch.nn.Module:
    """A NAFNet that adds `lift` to every pixel: what it restores is known."""
    torch.manual_seed(0)
    network = networks.create("nafnet", width=4, img_channel=channels)
    network.ending.weight.data.zero_()
    network.ending.bias.data.fill_(lift)
    return network.eval()


@pytest.fixture(scope="session")
def restorer(tmp_path_factory):
    """A function that makes the folder of a restoration model: lift, and fields of preparation."""

    def make(lift: float = 0.0, **preparation) -> Path:
        preparation = {"clip": False, "low": 0, "high": 100, "multiple": 8} | preparation
        channels = preparation.get("channels", 1)
        return save_model(
            tmp_path_factory.mktemp("restorer") / "sharpen",
            restoring_network(lift, channels),
            task="restoration",
            network="nafnet",
            arguments={"width": 4, "img_channel": channels},
            preparation=preparation,
        )

    return make


@pytest.fixture
def sizes(tmp_path_factory) -> Path:
    """Folder of a classifier of random weights, with the classes small and large."""
    torch.manual_seed(0)
    arguments = {"num_classes": 2, "min_size": 16, "initial_filters": 4}
    return save_model(
        tmp_path_factory.mktemp("classifier") / "sizes",
        networks.create("flexresnet", **arguments),
        task="classification",
        network="flexresnet",
        arguments=arguments,
        outputs=("small", "large"),
        crop=Crop(size=16),
    )


@pytest.fixture(scope="session")
def detector(tmp_path_factory) -> Path:
    """Folder of a focus detector with random weights."""
    torch.manual_seed(0)
    arguments = {"num_classes": 1, "min_size": 64, "initial_filters": 4}
    return save_model(
        tmp_path_factory.mktemp("detector") / "detector",
        networks.create("flexresnet", **arguments).eval(),
        task="focus",
        network="flexresnet",
        arguments=arguments,
        preparation={"tile": 64, "overlap": 0.5, "multiple": 1},
        threshold=0.4,
    )


ARGUMENTS = {
    "in_channels": 1,
    "features": FEATURES,
    "use_instance_norm": False,
    "keep_unused": False,
}


@pytest.fixture(scope="session")
def bright(tmp_path_factory) -> Path:
    """Folder of a model that finds what is brighter than half of the image's range."""
    folder = tmp_path_factory.mktemp("bright") / "bright"
    return save_model(folder, threshold_network(), arguments=ARGUMENTS)


@pytest.fixture(scope="session")
def small_network() -> torch.nn.Module:
    """A small U-Net of the published kind with random weights."""
    torch.manual_seed(0)
    return networks.create("unet", features=FEATURES).eval()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory, small_network) -> Path:
    """A bare state_dict on disk."""
    path = tmp_path_factory.mktemp("checkpoint") / "spheroids.pth"
    torch.save(small_network.state_dict(), path)
    return path


def draw_disc(shape, centre, radius) -> np.ndarray:
    """Pixels whose centre lies in a disc."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2


@pytest.fixture(scope="session")
def disc():
    """The function that draws a disc as a mask."""
    return draw_disc


@pytest.fixture(scope="session")
def image(disc) -> np.ndarray:
    """Three bright discs of radius 20, 14 and 9 on a dark ground, 16 bit."""
    plane = np.full((128, 160), 100, np.uint16)
    for centre, radius in (((40, 40), 20), ((90, 110), 14), ((30, 120), 9)):
        plane[disc(plane.shape, centre, radius)] = 3000
    return plane


@pytest.fixture
def model(bright) -> models.Model:
    """The bright model, opened."""
    return models.load(bright)
