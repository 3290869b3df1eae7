import cv2
import numpy as np
import pytest

from napari_spheroseg.training.augment import draw_map, take, vary_grey
from napari_spheroseg.training.settings import Augmentation

SIDE = 96
CENTRE = (63.5, 63.5)  # the middle of an image of 128 x 128
MOVES = {"elastic": 0.0, "grid": 0.0, "optical": 0.0}
GREYS = ("invert", "gamma", "contrast", "brightness", "vignetting", "blur", "noise", "out_of_focus")
STILL = Augmentation(flip=False, rotate=False, stretch=0, **MOVES, **dict.fromkeys(GREYS, 0.0))


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def scene(disc):
    """A bright disc on a dark ground, off the middle, and its mask."""
    mask = disc((128, 128), (58, 70), 22).astype(np.float32)
    return 0.1 + 0.8 * cv2.GaussianBlur(mask, (0, 0), 1), mask


# ---------------------------------------------------------------- what moves pixels


def test_without_any_variation_the_sample_is_the_middle_of_the_image():
    image = np.arange(128 * 128, dtype=np.float32).reshape(128, 128)
    where = draw_map(rng(), 64, 1, CENTRE, STILL)
    assert np.allclose(take(image, where), image[32:96, 32:96])


@pytest.mark.parametrize("scale", [0.5, 1, 2.5])
def test_objects_grow_with_the_scale(scale, scene):
    where = draw_map(rng(), round(128 * min(scale, 1)), scale, (58, 70), STILL)
    assert take(scene[1], where).sum() == pytest.approx(scene[1].sum() * scale**2, rel=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_turning_and_flipping_keep_areas(seed, scene):
    where = draw_map(rng(seed), 128, 1, (58, 70), STILL.replace(flip=True, rotate=True))
    assert take(scene[1], where).sum() == pytest.approx(scene[1].sum(), rel=0.01)


def test_half_of_the_samples_are_mirrored():
    handed = 0
    for seed in range(60):
        x, y = draw_map(rng(seed), 8, 1, CENTRE, STILL.replace(flip=True, rotate=True))
        along_x, along_y = (x[0, 1] - x[0, 0], y[0, 1] - y[0, 0]), (x[1, 0] - x[0, 0], y[1, 0])
        handed += along_x[0] * (along_y[1] - y[0, 0]) - along_x[1] * along_y[0] < 0
    assert 20 <= handed <= 40


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", ["elastic", "grid", "optical", "all"])
def test_image_and_mask_are_moved_together(kind, seed, scene):
    moves = dict.fromkeys(MOVES, 1.0) if kind == "all" else {kind: 1.0}
    settings = STILL.replace(flip=True, rotate=True, stretch=0.3, **moves)
    where = draw_map(rng(seed), SIDE, 0.9, CENTRE, settings)
    image, mask = (take(each, where) for each in scene)
    assert mask.max() == 1
    bright = image > 0.5
    assert (bright & (mask > 0.5)).sum() / (bright | (mask > 0.5)).sum() > 0.97


@pytest.mark.parametrize("kind", ["elastic", "grid", "optical"])
def test_each_distortion_changes_the_map_and_can_be_left_out(kind):
    still = draw_map(rng(1), SIDE, 1, CENTRE, STILL)
    moved = draw_map(rng(1), SIDE, 1, CENTRE, STILL.replace(**{kind: 1.0}))
    assert max(np.abs(a - b).max() for a, b in zip(still, moved, strict=True)) > 1


@pytest.mark.parametrize("seed", range(10))
def test_distortions_keep_the_middle_in_the_sample(seed):
    settings = STILL.replace(rotate=True, **dict.fromkeys(MOVES, 1.0))
    x, y = draw_map(rng(seed), SIDE, 1, CENTRE, settings)
    assert np.hypot(x - CENTRE[1], y - CENTRE[0]).min() < 3


@pytest.mark.parametrize("seed", range(5))
def test_stretching_makes_one_side_longer_at_most_as_asked(seed):
    x, y = draw_map(rng(seed), SIDE, 1, CENTRE, STILL.replace(stretch=0.2))
    ratio = np.ptp(x) / np.ptp(y)
    assert 1 / 1.23 <= ratio <= 1.23
    assert ratio != pytest.approx(1, abs=1e-4)


def test_beyond_the_border_the_image_is_mirrored():
    image = np.arange(16, dtype=np.float32)[None].repeat(16, axis=0)
    where = draw_map(rng(), 24, 1, (7.5, 7.5), STILL)
    assert take(image, where)[12].tolist() == [4, 3, 2, 1, *range(16), 14, 13, 12, 11]


def test_the_same_seed_gives_the_same_map():
    first, again, other = (draw_map(rng(n), SIDE, 1, CENTRE, Augmentation()) for n in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_map_is_what_opencv_takes():
    settings = Augmentation(**dict.fromkeys(MOVES, 1.0))
    where = draw_map(rng(), SIDE, 0.7, CENTRE, settings)
    assert [(each.dtype, each.shape) for each in where] == [(np.float32, (SIDE, SIDE))] * 2


# ---------------------------------------------------------------- what changes grey values


def grey(seed=0, channels=1):
    return rng(seed).random((channels, 32, 40), dtype=np.float32) * 0.6 + 0.2


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("seed", range(8))
def test_grey_values_stay_in_range_in_shape_and_in_type(seed, channels):
    varied = vary_grey(grey(channels=channels), rng(seed), Augmentation(**dict.fromkeys(GREYS, 1)))
    assert type(varied) is np.ndarray
    assert (varied.dtype, varied.shape) == (np.float32, (channels, 32, 40))
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert np.isfinite(varied).all()


def test_without_any_variation_grey_values_stay():
    assert np.allclose(vary_grey(grey(), rng(), STILL), grey())


@pytest.mark.parametrize("kind", GREYS)
def test_each_variation_changes_grey_values_and_can_be_left_out(kind):
    settings = STILL.replace(**{kind: 1.0})
    changes = [np.abs(vary_grey(grey(), rng(seed), settings) - grey()).max() for seed in range(4)]
    assert min(changes) > 0
    assert max(changes) > 0.03


def test_inverting_swaps_dark_and_bright():
    assert np.allclose(vary_grey(grey(), rng(), STILL.replace(invert=1)), 1 - grey(), atol=1e-6)


def test_the_same_seed_gives_the_same_grey_values():
    everything = Augmentation(**dict.fromkeys(GREYS, 1.0))
    first, again, other = (vary_grey(grey(), rng(n), everything) for n in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_other_settings_in_between_change_nothing():
    noisy, blurred = STILL.replace(noise=1), STILL.replace(blur=1)
    first = vary_grey(grey(), rng(1), noisy)
    vary_grey(grey(), rng(2), blurred)
    assert np.array_equal(vary_grey(grey(), rng(1), noisy), first)


def test_the_image_itself_is_left_alone():
    image = grey()
    vary_grey(image, rng(), Augmentation(**dict.fromkeys(GREYS, 1.0)))
    assert np.array_equal(image, grey())


@pytest.mark.parametrize("seed", range(6))
def test_a_disc_stays_where_it_is_when_grey_values_change(seed, scene):
    settings = Augmentation(**dict.fromkeys(GREYS, 1.0)).replace(out_of_focus=0, invert=0)
    image, mask = scene
    varied = vary_grey(image[None], rng(seed), settings)[0]
    assert varied[mask > 0].mean() > varied[mask == 0].mean() + 0.1
