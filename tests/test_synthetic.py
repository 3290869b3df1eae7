import numpy as np
import pytest

from napari_spheroseg import synthetic
from napari_spheroseg.errors import BadSetting

MODALITIES = ["brightfield", "fluorescence", "any"]


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_same_seed_draws_the_same_image(modality):
    first, second = (synthetic.spheroids((96, 96), 3, modality, seed=5) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.labels, second.labels)


def test_another_seed_draws_another_image():
    first, second = (synthetic.spheroids((96, 96), 3, seed=seed) for seed in (1, 2))
    assert not np.array_equal(first.image, second.image)


def test_all_modalities_show_the_same_spheroids():
    first, *others = (synthetic.spheroids((96, 96), 3, each, seed=2) for each in MODALITIES)
    assert all(np.array_equal(first.labels, other.labels) for other in others)


def test_any_look_is_now_dark_on_bright_and_now_bright_on_dark():
    drawn = [synthetic.spheroids((128, 128), 4, "any", seed=seed) for seed in range(12)]
    signs = {
        np.sign(each.image[each.labels > 0].mean() - each.image[each.labels == 0].mean())
        for each in drawn
    }
    assert signs == {-1, 1}
    assert all(each.image.std() > 20 for each in drawn)


@pytest.mark.parametrize(("modality", "sign"), [("brightfield", -1), ("fluorescence", 1)])
def test_spheroids_are_dark_in_brightfield_and_bright_in_fluorescence(modality, sign):
    drawn = synthetic.spheroids((256, 256), 5, modality, seed=3)
    inside = drawn.image[drawn.labels > 0].mean()
    outside = drawn.image[drawn.labels == 0].mean()
    assert sign * (inside - outside) > 100


@pytest.mark.parametrize("seed", range(4))
def test_labels_are_numbered_without_gaps(seed):
    labels = synthetic.spheroids((200, 300), 5, seed=seed).labels
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))


def test_the_image_has_the_size_and_type_that_it_promises():
    drawn = synthetic.spheroids((80, 120), 2, pixel_size=0.65)
    assert (drawn.image.shape, drawn.image.dtype) == ((80, 120), np.uint16)
    assert (drawn.labels.shape, drawn.labels.dtype) == ((80, 120), np.int32)
    assert drawn.pixel_size == 0.65
    assert drawn.image.max() <= 4095


def test_where_no_room_is_left_fewer_spheroids_are_drawn():
    assert synthetic.spheroids((64, 64), 50, radius=(0.3, 0.4)).labels.max() < 50


def test_an_image_without_spheroids_has_no_labels():
    assert synthetic.spheroids((64, 64), 0).labels.max() == 0


def test_an_unknown_modality_is_refused():
    with pytest.raises(BadSetting, match="brightfield, fluorescence"):
        synthetic.spheroids((64, 64), modality="x-ray")


def test_a_movie_is_a_stack_of_image_and_labels():
    movie = synthetic.movie(3, shape=(96, 96))
    assert movie.image.shape == movie.labels.shape == (3, 96, 96)


@pytest.mark.parametrize("seed", [0, 3, 12, 25, 47, 51, 117])
def test_the_spheroids_of_a_movie_keep_their_numbers_and_grow(seed):
    labels = synthetic.movie(4, seed=seed, shape=(128, 128)).labels
    for number in range(1, labels.max() + 1):
        masks = [frame == number for frame in labels]
        areas = [mask.sum() for mask in masks]
        centres = [np.argwhere(mask).mean(axis=0) for mask in masks if mask.any()]
        assert np.all(np.diff(areas) >= 0), (number, areas)
        assert np.ptp(centres, axis=0).max() < 6, number
