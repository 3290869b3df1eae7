"""Fixtures of the training tests: small images with masks on disk."""

import cv2
import pytest
import tifffile

from napari_spheroseg.synthetic import spheroids
from napari_spheroseg.training.pairs import Pair
from napari_spheroseg.training.settings import Data, Machine, TrainingSettings


@pytest.fixture
def folders(tmp_path):
    """Empty folders of images and masks, as settings name them."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    return Data(images=tmp_path / "images", masks=tmp_path / "masks")


@pytest.fixture
def save(folders):
    """The function that writes an image and its mask, and returns the pair."""

    def write(name, image, mask, **fields):
        pair = Pair(folders.images / name, folders.masks / name, **fields)
        for path, pixels in ((pair.image, image), (pair.mask, mask)):
            if path.suffix == ".tif":
                tifffile.imwrite(path, pixels)
            else:
                cv2.imwrite(str(path), pixels)
        return pair

    return write


@pytest.fixture
def save_drawn(save):
    """The function that draws, writes and returns pairs, each other than the next."""

    def draw(count, part="train", *, first=0, change=lambda labels: labels, **fields):
        pairs = []
        for number in range(first, first + count):
            drawn = spheroids((128, 128), 3, seed=number, radius=(0.12, 0.2))
            mask = change(drawn.labels).astype("uint16")
            pairs.append(save(f"{part}{number}.tif", drawn.image, mask, part=part, **fields))
        return pairs

    return draw


@pytest.fixture(scope="session")
def six_images(tmp_path_factory):
    """Folders of six small images and their masks, as settings name them."""
    place = tmp_path_factory.mktemp("six")
    data = Data(images=place / "images", masks=place / "masks", validation_share=0.34)
    for number in range(6):
        drawn = spheroids((96, 96), 3, "fluorescence", seed=number, radius=(0.12, 0.2))
        for folder, pixels in ((data.images, drawn.image), (data.masks, drawn.labels)):
            folder.mkdir(exist_ok=True)
            tifffile.imwrite(folder / f"{number}.tif", pixels.astype("uint16"))
    return data


@pytest.fixture(scope="session")
def tiny(six_images):
    """Settings of a training that takes a second: three epochs of four steps."""
    return TrainingSettings(
        name="tiny",
        data=six_images,
        network="unet",
        arguments={"features": [4, 8, 16], "keep_unused": False},
        crop=64,
        batch_size=2,
        epochs=3,
        steps_per_epoch=4,
        warm_up=2,
        dropout=0.2,
        machine=Machine(accelerator="cpu"),
    )
