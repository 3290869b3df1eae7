import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from napari_spheroseg.errors import BadImage
from napari_spheroseg.restoration.compare import psnr, ssim, why_undefined


@pytest.fixture(scope="module")
def pair():
    random = np.random.default_rng(0)
    reference = random.integers(100, 3000, (40, 50)).astype(np.uint16)
    return reference, (reference + random.normal(0, 90, reference.shape)).clip(0).astype(np.uint16)


@pytest.mark.parametrize("colours", [False, True])
def test_scores_are_those_of_scikit_image_with_the_range_of_the_reference(colours, pair):
    reference, image = (np.dstack([p, p // 2, p // 3]) if colours else p for p in pair)
    span = float(np.ptp(reference))
    assert psnr(reference, image) == pytest.approx(
        peak_signal_noise_ratio(reference, image, data_range=span)
    )
    scaled = ((plane.astype(float) - reference.min()) / span for plane in (reference, image))
    axis = -1 if colours else None
    assert ssim(reference, image) == pytest.approx(
        structural_similarity(*scaled, data_range=1, channel_axis=axis)
    )


def test_scores_do_not_depend_on_the_unit_of_grey_values(pair):
    reference, image = (plane.astype(np.float64) for plane in pair)
    for score in (psnr, ssim):
        scaled = score(reference * 1e-4 + 3, image * 1e-4 + 3)
        assert scaled == pytest.approx(score(reference, image))


def test_equal_images_score_highest(pair):
    assert psnr(pair[0], pair[0]) == math.inf
    assert ssim(pair[0], pair[0]) == 1


def test_pixels_that_are_no_numbers_are_left_out(pair):
    reference, image = (plane.astype(np.float64) for plane in pair)
    image[20:, :] = reference[20:, :] = np.nan
    assert psnr(reference, image) == pytest.approx(
        peak_signal_noise_ratio(reference[:20], image[:20], data_range=np.ptp(reference[:20]))
    )
    assert ssim(reference, image) == pytest.approx(ssim(reference[:20], image[:20]))


@pytest.mark.parametrize(
    ("reference", "image", "why"),
    [
        (np.full((9, 9), 4), np.eye(9), "the reference is constant"),
        (np.full((9, 9), np.nan), np.eye(9), "no pixel is a number in both"),
    ],
)
def test_what_cannot_be_compared_is_nan_and_the_reason_is_told(reference, image, why):
    assert math.isnan(psnr(reference, image))
    assert math.isnan(ssim(reference, image))
    assert why_undefined(reference, image) == why


def test_an_image_smaller_than_the_window_has_no_ssim(pair):
    assert math.isnan(ssim(pair[0][:6], pair[1][:6]))
    assert psnr(pair[0][:6], pair[1][:6]) > 0


def test_images_of_different_shapes_are_refused(pair):
    with pytest.raises(BadImage, match="shape"):
        psnr(pair[0], pair[1][1:])
