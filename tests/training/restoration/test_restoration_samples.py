from __future__ import annotations

import numpy as np
import pytest

from napari_spheroseg.errors import UnreadableFile
from napari_spheroseg.training.restoration.samples import (
    RestorationSamples,
    RestorationValidation,
    SharpImages,
    find_sharp,
)


@pytest.fixture
def samples(data, settings):
    images = SharpImages(find_sharp(data, settings.sources, "train"), settings.preparation)
    return RestorationSamples(images, settings)


def test_planes_of_a_stack_are_not_taken_for_sharp_images(data, settings):
    found = find_sharp(data, settings.sources, "train")["drawn"]
    assert [path.name for path in found] == ["drawn0.png", "drawn1.png"]


def test_parts_are_kept_apart(data, settings):
    found = find_sharp(data, settings.sources, "val")["drawn"]
    assert [path.name for path in found] == ["drawn2.png"]


def test_a_source_without_images_is_named(data):
    with pytest.raises(UnreadableFile, match="nothing_here"):
        find_sharp(data, {"nothing_here": 1}, "train")


def test_a_sample_follows_from_its_number(samples):
    again, other = samples[5], samples[6]
    assert np.array_equal(samples[5].blurred, again.blurred)
    assert not np.array_equal(again.blurred, other.blurred)


def test_samples_are_of_the_size_of_a_crop_and_finite(samples):
    for number in range(20):
        for each in samples[number]:
            assert each.shape == (1, 64, 64)
            assert each.dtype == np.float32
            assert np.isfinite(each).all()


def test_what_the_camera_sees_lies_about_where_the_preparation_puts_it(samples):
    seen = np.concatenate([samples[number].blurred.ravel() for number in range(30)])
    assert np.percentile(seen, 5) > -0.3
    assert np.percentile(seen, 95) < 1.3


def test_blurred_samples_have_less_detail_than_their_sharp_ones(samples, settings):
    quiet = settings.degradation.replace(photons=(1e6, 1e7), read_noise=0, sharp=0, radius=(4, 8))
    samples.settings = settings.replace(degradation=quiet)
    details = [
        [np.abs(np.diff(each[0])).mean() for each in (samples[n].blurred, samples[n].sharp)]
        for n in range(20)
    ]
    assert all(blurred < sharp for blurred, sharp in details)


def test_samples_in_focus_and_without_noise_are_the_sharp_ones(samples, settings):
    quiet = settings.degradation.replace(photons=(1e9, 1e10), read_noise=0, sharp=1)
    samples.settings = settings.replace(degradation=quiet)
    for number in range(5):
        # less light than none is cut off, as a camera does
        inside = samples[number].sharp > 0.05
        error = np.abs(samples[number].blurred - samples[number].sharp)[inside]
        assert np.median(error) < 2e-3


def test_a_validation_piece_is_always_the_same(data, settings):
    images = SharpImages(find_sharp(data, settings.sources, "val"), settings.preparation)
    pieces = RestorationValidation(images, settings)
    assert len(pieces) == 1
    assert np.array_equal(pieces[0].blurred, pieces[0].blurred)
    assert pieces[0].sharp.shape == (1, 128, 128)
