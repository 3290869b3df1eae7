import numpy as np
import pytest

from napari_spheroseg.synthetic import spheroids
from napari_spheroseg.training.alignment import REACH, common_shift, fit_outlines


def drawn(seed, modality="brightfield", shape=(128, 128)):
    return spheroids(shape, 3, modality, seed=seed, radius=(0.12, 0.2))


def fits(count, shift=(0, 0), shape=(128, 128)):
    scenes = [drawn(seed, shape=shape) for seed in range(count)]
    return [fit_outlines(each.image, np.roll(each.labels, shift, (0, 1))) for each in scenes]


@pytest.mark.parametrize("modality", ["brightfield", "fluorescence"])
@pytest.mark.parametrize("seed", range(5))
def test_outlines_of_true_masks_lie_on_edges(modality, seed):
    scene = drawn(seed, modality)
    assert fit_outlines(scene.image, scene.labels).here > 1.25


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_unit_of_grey_values_does_not_matter(dtype):
    scene = drawn(0)
    image = (scene.image / scene.image.max() * 200).astype(dtype)
    reference = fit_outlines(scene.image, scene.labels).edges
    assert np.allclose(fit_outlines(image, scene.labels).edges, reference, atol=0.05)


def test_colours_are_averaged():
    scene = drawn(0)
    rgb = np.stack([scene.image] * 3, axis=-1)
    reference = fit_outlines(scene.image, scene.labels).edges
    assert np.allclose(fit_outlines(rgb, scene.labels).edges, reference, atol=1e-3)


def test_the_middle_of_the_map_is_no_shift(disc):
    mask = disc((128, 128), (64, 60), 25)
    edges = fit_outlines(mask * 100.0, np.roll(mask, (4, -7), (0, 1)).astype(np.int32)).edges
    y, x = np.unravel_index(edges.argmax(), edges.shape)
    assert (y - REACH, x - REACH) == (-4, 7)


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        (np.zeros((40, 40)), np.eye(40, dtype=np.int32)),
        (np.zeros((128, 128)), np.eye(128, dtype=np.int32)),
        (np.random.default_rng(0).random((128, 128)), np.zeros((128, 128), np.int32)),
    ],
    ids=["small", "flat", "empty"],
)
def test_where_nothing_can_be_told_nothing_is(image, labels):
    assert fit_outlines(image, labels) is None


def test_values_that_are_no_numbers_do_not_matter():
    scene = drawn(0)
    image = scene.image.astype(np.float32)
    image[:3, :3] = np.nan
    assert fit_outlines(image, scene.labels).here > 1.25


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (0, -1)])
def test_masks_that_lie_well_are_left_where_they_are(shift):
    assert common_shift(fits(8, shift)) is None


@pytest.mark.parametrize("shift", [(6, -4), (-5, 0), (0, 8)])
def test_the_shift_that_masks_have_in_common_is_found(shift):
    found = common_shift(fits(8, shift))
    assert found == pytest.approx([-n for n in shift], abs=1)


def test_a_shift_is_in_pixels_of_the_image_though_it_is_reduced():
    (fit,) = fits(1, (12, -8), shape=(1024, 1024))
    found = common_shift([fit] * 5)
    assert found == pytest.approx((-12, 8), abs=2)


def test_masks_that_lie_off_each_in_its_own_way_have_no_common_shift():
    shifts = [(8, 0), (-8, 0), (0, 8), (0, -8), (7, 7), (-7, -7), (7, -7), (-7, 7)]
    moved = [fits(n + 1, shift)[n] for n, shift in enumerate(shifts)]
    assert common_shift(moved) is None


def test_few_images_tell_nothing():
    assert common_shift(fits(4, (8, 0))) is None
