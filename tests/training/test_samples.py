import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from napari_spheroseg.errors import UnreadableFile
from napari_spheroseg.models import Preparation
from napari_spheroseg.segmentation.scale import usual_diameter
from napari_spheroseg.synthetic import spheroids
from napari_spheroseg.training.pairs import Dataset
from napari_spheroseg.training.samples import (
    Samples,
    Validation,
    distance_to_border,
    draw_synthetic,
)
from napari_spheroseg.training.settings import TrainingSettings

PLAIN = Preparation()
GREYS = ("invert", "gamma", "contrast", "brightness", "vignetting", "blur", "noise", "out_of_focus")


@pytest.fixture
def settings(folders):
    return TrainingSettings(name="mine", data=folders, network="unet", crop=64)


@pytest.fixture
def dataset(save_drawn):
    return Dataset((*save_drawn(3), *save_drawn(1, "val", first=10)))


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


# ---------------------------------------------------------------- distance


def test_the_distance_is_0_outside_1_at_the_centre_and_falls_between(disc):
    mask = disc((64, 64), (32, 32), 20)
    distance = distance_to_border(mask.astype(np.int32))
    assert distance.dtype == np.float32
    assert np.all(distance[~mask] == 0)
    assert np.all(distance[mask] > 0)
    assert distance[32, 32] == 1
    assert np.all(np.diff(distance[32, 32:]) <= 0)
    assert distance[32, 42] == pytest.approx(0.5, abs=0.05)


def test_every_object_reaches_1_whatever_its_size(disc):
    labels = np.where(disc((64, 96), (32, 30), 24), 1, 0).astype(np.int32)
    labels[disc((64, 96), (32, 80), 5)] = 2
    distance = distance_to_border(labels)
    assert [distance[labels == n].max() for n in (1, 2)] == [1, 1]


def test_touching_objects_have_a_valley_between(disc):
    labels = np.zeros((64, 96), np.int32)
    labels[disc(labels.shape, (32, 32), 18)] = 1
    labels[disc(labels.shape, (32, 64), 18) & (labels == 0)] = 2
    distance = distance_to_border(labels)
    assert distance[32, 47:52].max() < 0.2
    assert min(distance[32, 32], distance[32, 66]) > 0.9


@pytest.mark.parametrize(("axis", "flip"), list(itertools.product((0, 1), (False, True))))
def test_the_edge_of_the_image_is_no_border(axis, flip):
    labels = np.zeros((40, 40), np.int32)
    labels[10:30, :12] = 1
    labels = np.swapaxes(labels, 0, 1) if axis == 0 else labels
    labels = np.ascontiguousarray(np.flip(labels, axis) if flip else labels)
    distance = np.flip(distance_to_border(labels), axis) if flip else distance_to_border(labels)
    along = np.moveaxis(distance, axis, 0)[:12, 19]
    assert along[0] == along.max() == 1
    assert np.all(np.diff(along) <= 0)


def test_an_object_beside_another_at_the_edge_of_its_box_has_a_border_there():
    labels = np.zeros((20, 30), np.int32)
    labels[:, :15], labels[:, 15:] = 1, 2
    distance = distance_to_border(labels)
    assert distance[10, 14] < 0.2
    assert distance[10, 15] < 0.2
    assert distance[10, 0] == distance[10, 29] == 1


def test_an_image_that_is_all_object_and_one_that_is_none_have_a_map():
    assert np.all(distance_to_border(np.ones((20, 20), np.int32)) > 0)
    assert np.all(distance_to_border(np.zeros((20, 20), np.int32)) == 0)


def test_a_single_pixel_is_an_object():
    labels = np.zeros((5, 5), np.int32)
    labels[2, 2] = 1
    assert np.array_equal(distance_to_border(labels), labels)


# ---------------------------------------------------------------- samples


def test_a_number_always_gives_the_same_sample(dataset, settings):
    first, again = Samples(dataset, settings, PLAIN), Samples(dataset, settings, PLAIN)
    expected = {number: first[number] for number in (7, 0, 3)}
    assert all(same(again[number], expected[number]) for number in (3, 7, 0))


def test_other_numbers_and_other_seeds_give_other_samples(dataset, settings):
    samples = Samples(dataset, settings, PLAIN)
    others = Samples(dataset, settings.replace(seed=1), PLAIN)
    assert not same(samples[0], samples[1])
    assert not same(samples[0], others[0])


def test_samples_do_not_depend_on_what_is_kept_in_memory(dataset, settings):
    forgetful = Samples(dataset, settings.replace(machine={"cache_gb": 0}), PLAIN)
    assert all(same(forgetful[n], Samples(dataset, settings, PLAIN)[n]) for n in range(4))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sample_is_what_network_and_loss_take(channels, dataset, settings):
    preparation = Preparation(channels=channels)
    for number in range(6):
        sample = Samples(dataset, settings, preparation)[number]
        assert [each.shape for each in sample] == [(channels, 64, 64), (1, 64, 64), (1, 64, 64)]
        assert [each.dtype for each in sample] == [np.float32] * 3
        assert set(np.unique(sample.foreground)) <= {0, 1}
        assert sample.distance.min() >= 0
        assert sample.distance.max() <= 1


def test_grey_values_are_normalised_as_the_network_takes_them(dataset, settings):
    plain = Samples(dataset, settings, Preparation(channels=3))[0].image
    imagenet = Samples(dataset, settings, Preparation(channels=3, normalise="imagenet"))[0].image
    assert np.allclose(imagenet[0], (plain[0] - 0.485) / 0.229, atol=1e-5)


@pytest.mark.parametrize("number", range(12))
def test_a_bright_disc_stays_under_its_mask(number, save, disc, settings):
    mask = disc((160, 160), (80, 70), 30).astype(np.uint8)
    pair = save("disc.tif", 200 * mask + 20, mask, part="train")
    moves = {"stretch": 0.3, "elastic": 1, "grid": 1, "optical": 1, "diameter": (20, 45)}
    settings = settings.replace(augmentation=moves | dict.fromkeys(GREYS, 0))
    sample = Samples(Dataset((pair,)), settings, PLAIN)[number]
    bright, mask = sample.image[0] > 0.5, sample.foreground[0] > 0
    assert (bright != mask).mean() < 0.02
    assert np.all(sample.distance[0][~mask] < 0.1)


@pytest.mark.parametrize(("wanted", "crop"), [(30, 192), (60, 384)])
def test_objects_are_drawn_at_the_diameter_asked_for(wanted, crop, save, disc, settings):
    mask = disc((600, 600), (300, 300), 40).astype(np.uint8)
    pair = save("disc.tif", 200 * mask, mask, part="train")
    plain = {"diameter": (wanted, wanted), "stretch": 0, "elastic": 0, "grid": 0, "optical": 0}
    samples = Samples(Dataset((pair,)), settings.replace(augmentation=plain, crop=crop), PLAIN)
    for number in range(3):
        area = samples[number].foreground.sum()
        assert 2 * np.sqrt(area / np.pi) == pytest.approx(wanted, rel=0.03)


def test_an_image_without_objects_and_one_smaller_than_a_sample_are_learnt_from(save, settings):
    noise = np.random.default_rng(0).integers(0, 255, (40, 30), dtype=np.uint8)
    pair = save("small.tif", noise, np.zeros((40, 30), np.uint8), part="train")
    samples = Samples(Dataset((pair,)), settings, PLAIN)
    assert all(samples[n].foreground.max() == 0 for n in range(4))


def test_sources_are_drawn_as_often_as_asked(save, settings):
    black, white = (np.full((64, 64), value, np.uint8) for value in (0, 1))
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    rare = save("rare.tif", noise, white, part="train", source="rare")
    often = [save(f"o{n}.tif", noise, black, part="train", source="often") for n in range(3)]
    data = settings.data.replace(sources={"rare": 1, "often": 4})
    samples = Samples(Dataset((rare, *often)), settings.replace(data=data), PLAIN)
    drawn = Counter(bool(samples[n].foreground.any()) for n in range(150))
    assert drawn[True] == pytest.approx(30, abs=12)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_synthetic_images_are_drawn_as_often_as_asked(share, settings, save):
    nothing = np.zeros((64, 64), np.uint8)
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    pair = save("empty.tif", noise, nothing, part="train")
    data = settings.data.replace(synthetic_share=share)
    samples = Samples(Dataset((pair,)), settings.replace(data=data), PLAIN)
    assert any(samples[n].foreground.any() for n in range(8)) == bool(share)


@pytest.mark.parametrize("any_share", [0.0, 1.0])
def test_synthetic_images_follow_from_the_generator(any_share):
    first, again = (draw_synthetic(np.random.default_rng(4), any_share) for _ in range(2))
    assert same(first, again)


def test_images_of_any_look_are_drawn_where_asked(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "napari_spheroseg.training.samples.spheroids",
        lambda *given, **options: asked.append(given[2]) or spheroids(*given, **options),
    )
    for share in (0.0, 1.0):
        for seed in range(3):
            draw_synthetic(np.random.default_rng(seed), share)
    assert "any" not in asked[:3]
    assert asked[3:] == ["any"] * 3


def test_pairs_to_validate_with_are_never_learnt_from(dataset, settings):
    (held,) = dataset.part("val")
    held.image.unlink()
    samples = Samples(dataset, settings, PLAIN)
    for number in range(30):
        _ = samples[number]
    with pytest.raises(UnreadableFile):
        held.read()


# ---------------------------------------------------------------- validation


def test_validation_shows_whole_images_that_fit_the_network(dataset):
    sample = Validation(dataset.part("val"), PLAIN)[0]
    height, width = sample.foreground.shape[1:]
    assert sample.image.shape == (1, height, width)
    assert sample.distance.shape == (1, height, width)
    assert height % 32 == width % 32 == 0


def test_validation_is_never_varied(dataset):
    validation = Validation(dataset.part("val"), PLAIN)
    assert len(validation) == 1
    assert same(validation[0], validation[0])


@pytest.mark.parametrize(
    ("side", "radius", "expected"), [(128, 6, 24), (256, 20, 40), (512, 100, 96)]
)
def test_validation_brings_objects_to_a_usual_size(side, radius, expected, save, disc):
    mask = disc((side, side), (side / 2, side / 2), radius).astype(np.uint8)
    found = Validation([save("disc.tif", mask * 200, mask, part="val")], PLAIN)[0].foreground[0]
    assert usual_diameter((found > 0).astype(np.int32)) == pytest.approx(expected, rel=0.1)


def test_an_image_without_objects_can_be_validated_with(save):
    noise = np.random.default_rng(0).integers(0, 255, (50, 90), dtype=np.uint8)
    pair = save("empty.tif", noise, np.zeros((50, 90), np.uint8), part="val")
    sample = Validation([pair], PLAIN)[0]
    assert sample.foreground.max() == 0
    assert np.isfinite(sample.image).all()


def test_samples_become_a_batch_of_tensors(dataset, settings):
    samples = Samples(dataset, settings, Preparation(channels=3))
    batch = default_collate([samples[0], samples[1]])
    assert [tuple(each.shape) for each in batch] == [(2, 3, 64, 64), (2, 1, 64, 64), (2, 1, 64, 64)]
    assert {each.dtype for each in batch} == {torch.float32}
    assert all(each.is_contiguous() for each in batch)
    assert np.array_equal(batch.image[1].numpy(), samples[1].image)
