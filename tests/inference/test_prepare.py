import numpy as np
import pytest
from PIL import Image

from napari_spheroseg.errors import BadImage
from napari_spheroseg.inference.prepare import (
    grey_range,
    is_constant,
    prepare,
    resize,
    scaling_of,
    with_grey_range,
    working_shape,
)
from napari_spheroseg.models import Preparation
from napari_spheroseg.models.metadata import PUBLISHED_PREPARATION

PLAIN = Preparation()
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (60, 80), dtype=np.uint8)


def test_percentiles_become_zero_and_one():
    plane = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    prepared = prepare(plane, Preparation(low=10, high=90))[0].ravel()
    assert np.count_nonzero(prepared == 0) == pytest.approx(1000, abs=2)
    assert np.count_nonzero(prepared == 1) == pytest.approx(1000, abs=2)
    assert prepared[5000] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("factor", [1, 7, 0.001, 1e6])
def test_the_unit_of_grey_values_does_not_matter(factor, noise):
    scaled = prepare(noise.astype(np.float64) * factor + 3 * factor, PLAIN)
    assert np.allclose(scaled, prepare(noise, PLAIN), atol=1e-5)


def test_eight_bit_is_divided_by_255(noise):
    assert np.allclose(prepare(noise, Preparation(intensity="8-bit"))[0], noise / 255)


def test_sixteen_bit_is_stretched_where_eight_bit_is_asked_for(noise):
    deep = noise.astype(np.uint16) * 200
    stretched = prepare(deep, Preparation(intensity="8-bit"))
    assert np.array_equal(stretched, prepare(deep, PLAIN))


def test_fixed_grey_values_become_zero_and_one():
    plane = np.linspace(0, 1000, 900, dtype=np.float32).reshape(30, 30)
    prepared = prepare(plane, Preparation(intensity="fixed", low=200, high=700))[0]
    assert np.allclose(prepared, np.clip((plane - 200) / 500, 0, 1), atol=1e-6)


def test_imagenet_normalises_each_channel(noise):
    settings = Preparation(channels=3, intensity="8-bit", normalise="imagenet")
    prepared = prepare(noise, settings)
    for channel in range(3):
        expected = (noise / 255 - MEAN[channel]) / DEVIATION[channel]
        assert np.allclose(prepared[channel], expected, atol=1e-5)


def test_grey_is_repeated_for_a_network_that_takes_colours(noise):
    prepared = prepare(noise, Preparation(channels=3))
    assert prepared.shape == (3, 60, 80)
    assert np.array_equal(prepared[0], prepared[2])


def test_colours_are_averaged_for_a_network_that_takes_grey():
    plane = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    prepared = prepare(plane, Preparation(intensity="8-bit"))
    assert np.allclose(prepared[0], plane.mean(axis=-1) / 255, atol=1e-5)


def test_colours_keep_their_order():
    plane = np.zeros((30, 40, 3), np.uint8)
    plane[..., 0] = 255
    prepared = prepare(plane, Preparation(channels=3, intensity="8-bit"))
    assert prepared.mean(axis=(1, 2)).tolist() == [1, 0, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_count_as_the_lowest(bad):
    plane = np.random.default_rng(0).random((30, 40)).astype(np.float32)
    plane[3, 4] = bad
    clean = np.where(np.isfinite(plane), plane, plane[np.isfinite(plane)].min())
    assert np.array_equal(prepare(plane, PLAIN), prepare(clean, PLAIN))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_image_without_a_number_is_refused(bad):
    with pytest.raises(BadImage, match="No value"):
        prepare(np.full((30, 40), bad), PLAIN)


def test_a_constant_image_is_prepared_without_warning(recwarn):
    assert np.isfinite(prepare(np.full((30, 40), 7, np.uint16), PLAIN)).all()
    assert not recwarn.list


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (60, 80)),
        ({"scale": 0.5}, (30, 40)),
        ({"scale": 2}, (120, 160)),
        ({"long_side": 40}, (30, 40)),
        ({"size": (33, 99)}, (33, 99)),
        ({"scale": 0.001}, (1, 1)),
    ],
)
def test_a_plane_is_resized_as_the_model_asks(settings, expected, noise):
    settings = Preparation(**settings)
    assert working_shape(noise.shape, settings) == expected
    assert prepare(noise, settings).shape == (1, *expected)


@pytest.mark.parametrize("how", ["bilinear", "lanczos"])
@pytest.mark.parametrize("samples", [1, 3])
def test_eight_bit_is_resized_exactly_as_pillow_does(how, samples):
    plane = np.random.default_rng(0).integers(0, 256, (60, 80, samples), dtype=np.uint8).squeeze()
    ours = resize(plane, (25, 47), Preparation(interpolation=how))
    kind = {"bilinear": Image.Resampling.BILINEAR, "lanczos": Image.Resampling.LANCZOS}[how]
    assert np.array_equal(ours, np.asarray(Image.fromarray(plane).resize((47, 25), kind)))
    assert ours.dtype == np.uint8


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.int32])
def test_deeper_images_are_resized_like_eight_bit_up_to_rounding(dtype, noise):
    deep = resize(noise.astype(dtype), (25, 47), PLAIN)
    assert np.abs(deep - resize(noise, (25, 47), PLAIN)).max() <= 1


def test_shrinking_is_antialiased():
    stripes = np.tile(np.array([0, 1000], np.uint16), (64, 32))
    assert np.ptp(resize(stripes, (16, 16), PLAIN)[:, 2:-2]) < 60


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "uint16", "int32", "uint64", "float16"])
def test_the_prepared_plane_is_float32_in_zero_to_one(dtype):
    plane = (np.random.default_rng(0).random((30, 40)) * 100 > 50).astype(dtype)
    prepared = prepare(plane, Preparation(scale=0.7))
    assert prepared.dtype == np.float32
    assert prepared.min() >= 0
    assert prepared.max() <= 1


def test_the_published_service_is_fed_1024_by_1024_in_colour(noise):
    assert prepare(noise, PUBLISHED_PREPARATION).shape == (3, 1024, 1024)


def test_the_image_itself_is_left_alone(noise):
    plane = noise.astype(np.float32)
    plane[0, 0] = np.nan
    before = plane.copy()
    prepare(plane, PLAIN)
    assert np.array_equal(plane, before, equal_nan=True)


@pytest.mark.parametrize(
    ("plane", "expected"),
    [
        (np.full((9, 9), 3), True),
        (np.array([[3.0, np.nan], [3.0, np.inf]]), True),
        (np.arange(81).reshape(9, 9), False),
        (np.zeros((9, 9), bool), True),
    ],
)
def test_a_constant_plane_is_recognised(plane, expected):
    assert is_constant(plane) is expected


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (64, 81)])
@pytest.mark.parametrize("wanted", [(0.5, 99.5), (0.0, 100.0), (33.3, 66.7)])
def test_percentiles_are_those_of_numpy_to_the_last_bit(dtype, shape, wanted):
    sample = np.random.default_rng(3).gamma(2, 30, shape).astype(dtype)[::2, ::2]
    preparation = Preparation(low=wanted[0], high=wanted[1])
    assert grey_range(sample, preparation) == tuple(np.percentile(sample, wanted))


@pytest.mark.parametrize("intensity", ["percentile", "columns", "8-bit"])
def test_a_grey_range_that_is_known_prepares_the_same(intensity, noise):
    for plane in (noise, noise.astype(np.float32) / 7):
        preparation = Preparation(intensity=intensity)
        known = with_grey_range(preparation, plane)
        np.testing.assert_array_equal(prepare(plane, known), prepare(plane, preparation))


def test_a_constant_plane_has_no_grey_range():
    preparation = Preparation()
    assert with_grey_range(preparation, np.ones((8, 8), np.uint16)) == preparation


# ---------------------------------------------------------------- as HiTMicTools scales


def by_columns(plane, low, high, clip=True):
    """Its range01, as it is described: quantiles down each column, then of these."""
    lows = [np.quantile(plane[:, x].astype(np.float64), low / 100) for x in range(plane.shape[1])]
    highs = [np.quantile(plane[:, x].astype(np.float64), high / 100) for x in range(plane.shape[1])]
    first, last = np.quantile(lows, low / 100), np.quantile(highs, high / 100)
    unit = (plane - first) / (last - first + np.finfo(np.float32).eps)
    return np.clip(unit, 0, 1) if clip else unit


def standard(plane):
    """Its zscore: the sample's deviation, and a little."""
    values = plane.astype(np.float64)
    deviation = np.sqrt(((values - values.mean()) ** 2).sum() / (values.size - 1))
    return (values - values.mean()) / (deviation + 1e-6)


@pytest.fixture(scope="module")
def uneven():
    """Columns that differ: percentiles of the whole are far from those of the columns."""
    noise = np.random.default_rng(5).gamma(2, 60, (70, 90))
    return (noise * np.linspace(0.1, 3, 90)).astype(np.uint16)


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("ends", [(1, 99.8), (0, 100), (20, 60)])
@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_percentiles_of_columns_are_those_of_their_percentiles(clip, ends, kind, uneven):
    plane = uneven.astype(kind) / (1 if kind == "uint16" else 700)
    settings = Preparation(intensity="columns", low=ends[0], high=ends[1], clip=clip)
    expected = by_columns(plane, *ends, clip)
    assert np.allclose(prepare(plane, settings)[0], expected, rtol=1e-5, atol=1e-6)
    by_pixels = Preparation(low=ends[0], high=ends[1], clip=clip)
    assert ends == (0, 100) or not np.allclose(prepare(plane, by_pixels)[0], expected, atol=1e-2)


def test_percentiles_of_columns_look_at_every_pixel_of_a_large_plane():
    plane = np.random.default_rng(0).gamma(2, 60, (2100, 2000)).astype(np.float32)
    settings = Preparation(intensity="columns", low=1, high=99.8)
    assert np.allclose(prepare(plane, settings)[0], by_columns(plane, 1, 99.8), atol=1e-5)


def test_a_plane_is_standardised_by_its_own_mean_and_sample_deviation(uneven):
    settings = Preparation(intensity="fixed", low=0, high=1, clip=False, normalise="standard")
    assert np.allclose(prepare(uneven, settings)[0], standard(uneven), atol=1e-5)


def test_a_plane_is_stretched_by_columns_and_then_standardised(uneven):
    settings = Preparation(intensity="columns", low=1, high=99.8, normalise="standard")
    expected = standard(by_columns(uneven, 1, 99.8))
    assert np.allclose(prepare(uneven, settings)[0], expected, atol=1e-5)


def test_each_channel_is_standardised_by_itself():
    plane = np.random.default_rng(0).random((30, 40, 3)) * [1, 5, 9] + [0, 2, 4]
    settings = Preparation(
        channels=3, intensity="fixed", low=0, high=1, clip=False, normalise="standard"
    )
    for channel, prepared in enumerate(prepare(plane, settings)):
        assert np.allclose(prepared, standard(plane[..., channel]), atol=1e-5)


def test_without_clipping_nothing_is_cut_off(noise):
    settings = Preparation(low=20, high=80, clip=False)
    low, high = np.percentile(noise, (20, 80))
    expected = (noise.astype(np.float32) - low) / (high - low)
    assert np.allclose(prepare(noise, settings)[0], expected, atol=1e-6)


@pytest.mark.parametrize("intensity", ["percentile", "columns", "8-bit", "fixed"])
@pytest.mark.parametrize(
    ("normalise", "channels"),
    [("unit", 1), ("unit", 3), ("imagenet", 3), ("standard", 1), ("standard", 3)],
)
def test_the_way_back_leads_to_the_grey_values(intensity, normalise, channels, uneven):
    settings = Preparation(
        intensity=intensity, normalise=normalise, channels=channels, low=2, high=98, clip=False
    )
    back = scaling_of(uneven, settings).grey(prepare(uneven, settings))
    assert back.shape == (channels, *uneven.shape)
    assert np.allclose(back, uneven, atol=0.01)


@pytest.mark.parametrize("normalise", ["unit", "standard"])
def test_one_pixel_is_prepared_all_the_same(normalise):
    settings = Preparation(intensity="columns", normalise=normalise)
    assert prepare(np.full((1, 1), 9, np.uint16), settings).tolist() == [[[0]]]
