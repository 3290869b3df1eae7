import csv

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_spheroseg.training.focus.fit import LEARNING, Varied, augmented, fit
from napari_spheroseg.training.focus.measure import (
    area_under_curve,
    best_threshold,
    judge,
    pooled,
    report,
)
from napari_spheroseg.training.focus.stacks import TILE, deal, read_stacks
from napari_spheroseg.training.focus.tiles import defocused, join, sharp_images, tiles_of


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two fields of three and of five planes, and one image to defocus, with manifests."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    rows = []
    for field, (planes, best) in {"one": (3, 1), "two": (5, 2)}.items():
        rough = gaussian_filter(rng.random((140, 150)), 1)
        for z in range(planes):
            plane = gaussian_filter(rough, 1.5 * abs(z - best))
            name = f"focus/made/{field}/z{z}.png"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / name), (plane * 255).astype(np.uint8))
            rows.append({"source": "made", "file": name, "z": planes - z, "group": field})
    rows.append({"source": "other", "file": "none.png", "z": "", "group": "none"})
    write(folder / "manifest_unlabelled.csv", rows)
    image = (gaussian_filter(rng.random((200, 200)), 1.2) * 255).astype(np.uint8)
    cv2.imwrite(str(folder / "image.png"), image)
    labelled = [{"source": "fis_organoids", "file": "image.png", "part": "train"}]
    labelled += [{"source": "fis_organoids", "file": "missing.png", "part": "test"}]
    write(folder / "manifest.csv", labelled)
    return folder


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def stacks(data):
    return read_stacks(data)


def test_stacks_are_in_order_of_their_depth_and_know_their_sharpest_plane(stacks):
    assert [len(each.raw) for each in stacks] == [3, 5]
    assert [each.best for each in stacks] == [1, 2]


def test_fields_of_one_group_share_a_fold(stacks):
    assert deal(stacks, 2) == {"made one": 0, "made two": 1}
    assert deal(stacks * 2, 2) == deal(stacks, 2)


def test_tiles_of_a_stack_are_sharp_at_its_sharpest_plane(stacks):
    tiles = tiles_of(stacks[1], np.random.default_rng(0))
    assert tiles.values.shape[1:] == (TILE, TILE)
    assert 0 < tiles.sharp.mean() < 1
    steps = np.abs(np.diff(tiles.values, axis=2)).mean(axis=(1, 2))
    assert steps[tiles.sharp].min() > steps[~tiles.sharp].max()


def test_only_the_train_part_is_defocused(data):
    images = sharp_images(data)
    assert len(images["fis_organoids"]) == 1
    tiles = defocused({"fis_organoids": images["fis_organoids"]}, 5, np.random.default_rng(0))
    assert tiles.sharp.tolist() == [True, False] * 5
    steps = np.abs(np.diff(tiles.values, axis=2)).mean(axis=(1, 2))
    assert (steps[::2] > steps[1::2]).all()


def test_tiles_are_the_same_from_the_same_seed(stacks):
    first, second = (tiles_of(stacks[0], np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first.values, second.values)


def test_an_augmented_tile_stays_in_range_and_differs():
    tile = np.random.default_rng(0).random((TILE, TILE), np.float32)
    changed = augmented(tile, np.random.default_rng(1))
    assert changed.shape == (TILE, TILE)
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert not np.array_equal(changed, tile)


def test_every_other_tile_is_in_focus_whatever_the_shares(stacks):
    few, many = (tiles_of(stacks[1], np.random.default_rng(seed)) for seed in (0, 1))
    varied = Varied([(many, 0.9), (few, 0.1)], seed=0)
    assert [float(varied[number][1][0]) for number in range(6)] == [0, 1] * 3
    assert np.array_equal(varied[3][0], varied[3][0])
    assert not np.array_equal(varied[3][0], varied[5][0])


def test_a_network_learns_what_is_in_focus(stacks, tmp_path):
    tiles = join([tiles_of(each, np.random.default_rng(0)) for each in stacks])
    short = LEARNING.replace(epochs=1, steps_per_epoch=40, batch_size=16, warm_up=4)
    network = fit([(tiles, 1.0)], tmp_path, short)
    with torch.inference_mode():
        logits = network(torch.from_numpy(tiles.values)[:, None])[:, 0].numpy()
    assert area_under_curve(logits[tiles.sharp], logits[~tiles.sharp]) > 0.9


def test_the_area_under_the_curve_is_how_often_sharp_wins():
    sharp, blurred = np.array([0.9, 0.5]), np.array([0.1, 0.5, 0.7])
    assert area_under_curve(sharp, blurred) == pytest.approx((3 + 1.5) / 6)
    assert area_under_curve(blurred + 1, sharp) == 1


def test_the_threshold_parts_both_sides():
    threshold = best_threshold(np.array([0.8, 0.9]), np.array([0.1, 0.2]))
    assert threshold == pytest.approx(0.5, abs=0.05)


def test_planes_next_to_the_sharpest_do_not_count(stacks, detector):
    judged = judge(stacks[1], detector)
    sharp, blurred = pooled([judged], "tenengrad")
    assert len(sharp) == 1
    assert len(blurred) == 2
    assert report([judged])["auc_held_out"]["tenengrad"] == {"made": 1.0, "all": 1.0}
