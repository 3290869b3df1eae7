import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_spheroseg.errors import UnknownName
from napari_spheroseg.restoration.grid import Grid
from napari_spheroseg.restoration.sharpness import (
    SHARPNESS,
    noise_share,
    sharpness,
    tile_map,
    why_unknown,
)

MEASURES = list(SHARPNESS)


@pytest.fixture(scope="module")
def texture():
    rough = np.random.default_rng(0).random((160, 200))
    return gaussian_filter(rough, 1.0) * 1000 + 500


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("smooth", [0, 1])
def test_more_blur_is_less_sharp(measure, smooth, texture):
    seen = [sharpness(gaussian_filter(texture, s), measure, smooth) for s in (0, 0.5, 1, 2, 4, 8)]
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("gain", "offset"), [(2, 0), (0.5, 0), (1, 5000), (-1, 0), (1e-6, 1e-3)])
def test_neither_gain_nor_offset_changes_it(measure, gain, offset, texture):
    changed = sharpness(gain * texture + offset, measure)
    assert changed == pytest.approx(sharpness(texture, measure), rel=1e-4)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_turned_plane_is_as_sharp(measure, texture):
    turned = sharpness(texture.T, measure)
    assert turned == pytest.approx(sharpness(texture, measure), rel=1e-5)


def test_measures_agree_with_their_definition(texture):
    unit = (texture - texture.mean()) / texture.std()
    inner = unit[2:-2, 2:-2]
    brenner = ((unit[:, 2:] - unit[:, :-2]) ** 2).mean() + ((unit[2:] - unit[:-2]) ** 2).mean()
    laplacian = unit[1:-1, 2:] + unit[1:-1, :-2] + unit[2:, 1:-1] + unit[:-2, 1:-1]
    laplacian -= 4 * unit[1:-1, 1:-1]
    slopes = np.gradient(gaussian_filter(inner, 0))
    assert sharpness(texture, "brenner", 0) == pytest.approx(brenner / 2, rel=0.06)
    assert sharpness(texture, "laplacian", 0) == pytest.approx(laplacian.var(), rel=0.06)
    # Sobel also smooths across, so it is a little below plain differences
    plain = (slopes[0] ** 2 + slopes[1] ** 2).mean()
    assert 0.6 * plain < sharpness(texture, "tenengrad", 0) < plain


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_any_type_gives_the_same(dtype, texture):
    plane = (texture / texture.max() * 255).astype(np.uint8)
    assert sharpness(plane.astype(dtype)) == pytest.approx(sharpness(plane), rel=1e-5)


def test_colours_are_averaged(texture):
    assert sharpness(np.dstack([texture] * 3)) == pytest.approx(sharpness(texture), rel=1e-4)


@pytest.mark.parametrize(
    ("plane", "why"),
    [
        (np.zeros((9, 9)), "equal"),
        (np.full((9, 9), np.nan), "number"),
        (np.array([[7]], np.uint8), "equal"),
    ],
)
@pytest.mark.parametrize("measure", MEASURES)
def test_what_cannot_be_measured_is_nan_and_the_reason_is_said(measure, plane, why):
    assert np.isnan(sharpness(plane, measure))
    assert why in why_unknown(plane)
    assert np.isnan(tile_map(plane, measure, tile=4, step=2)).all()


def test_single_pixels_that_are_no_numbers_change_little(texture):
    gaps = texture.copy()
    gaps[::40, ::40] = np.nan
    assert why_unknown(gaps) is None
    assert sharpness(gaps) == pytest.approx(sharpness(texture), rel=0.1)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_map_tells_where_a_plane_is_blurred(measure, texture):
    plane = texture.copy()
    plane[:, 100:] = gaussian_filter(texture, 3)[:, 100:]
    values = Grid(plane.shape, 32, 16).spread(tile_map(plane, measure, tile=32, step=16))
    assert values[:, :72].min() > 2 * values[:, 136:].max()


def test_a_map_does_not_see_the_contrast_of_a_tile(texture):
    dim = texture.copy()
    dim[:, 96:] = (dim[:, 96:] - dim.mean()) * 0.1 + dim.mean()
    apart = {"tile": 32, "step": 32}
    ratio = tile_map(dim, **apart)[:, 4:] / tile_map(texture, **apart)[:, 4:]
    assert np.allclose(ratio, 1, rtol=0.02)


def test_empty_tiles_have_no_sharpness(texture):
    plane = texture.copy()
    plane[:, 90:] = 700
    values = tile_map(plane, tile=32, step=32)
    assert np.isnan(values[:, 4:]).all()
    assert np.isfinite(values[:, :2]).all()


def test_an_unknown_measure_is_answered_with_the_near_one(texture):
    with pytest.raises(UnknownName, match="brenner"):
        sharpness(texture, "brener")


@pytest.mark.parametrize("share", [0.1, 0.4, 0.7])
def test_the_share_of_noise_is_that_which_was_added(share, texture):
    smooth = gaussian_filter(texture, 6)
    noise = np.random.default_rng(1).normal(0, smooth.std(), smooth.shape)
    noisy = np.sqrt(1 - share**2) * smooth + share * noise
    assert noise_share(noisy) == pytest.approx(share, rel=0.1)


def test_of_a_smooth_plane_no_share_is_noise_and_of_a_constant_one_it_is_unknown(texture):
    assert noise_share(gaussian_filter(texture, 6)) < 0.01
    assert np.isnan(noise_share(np.ones((9, 9))))


def test_noise_of_a_large_plane_with_gaps_is_seen_without_warnings():
    plane = np.random.default_rng(0).normal(0, 1, (40, 3000)).astype(np.float32)
    plane[:9], plane[20, 20] = np.nan, np.inf
    assert noise_share(plane) == pytest.approx(1, rel=0.35)
    plane = np.full((9, 9), np.nan)
    plane[::2, ::2] = np.arange(25).reshape(5, 5)
    assert np.isfinite(noise_share(plane))
    plane = np.zeros((3000, 3000))
    plane[1, 1] = 1
    assert noise_share(plane) == 0
