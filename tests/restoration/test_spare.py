from __future__ import annotations

import numpy as np
import pytest

from napari_spheroseg.errors import BadSetting
from napari_spheroseg.inference.frames import Frames
from napari_spheroseg.restoration.defocus import defocus, disc
from napari_spheroseg.restoration.run import complete, open_restorer, restore_focus, restore_steps
from napari_spheroseg.restoration.spare import mix, share_of
from napari_spheroseg.steps import Steps
from napari_spheroseg.synthetic import spheroids


@pytest.fixture(scope="module")
def sharp():
    return spheroids((256, 256), 6, seed=3).image


@pytest.fixture(scope="module")
def blurred(sharp):
    return np.asarray(defocus(sharp, disc(8)), np.uint16)


def restore(image, model, **settings):
    predictor = open_restorer(model)
    frames = Frames.of(image)
    steps = Steps(restore_steps(frames, predictor, complete(predictor, settings)))
    seen = [(step.done, step.total) for step in steps]
    return steps.result, seen


def test_a_plane_in_focus_stays_as_it_is(sharp, restorer):
    result, _ = restore(sharp, restorer(0.1), spare_sharp=True)
    assert np.array_equal(result.image, sharp)
    assert result.shares == {(): 0.0}
    assert result.summary == "In focus, or too noisy to tell: left as it is"


def test_a_plane_out_of_focus_is_restored(blurred, restorer):
    model = restorer(0.1)
    result, _ = restore(blurred, model, spare_sharp=True)
    assert np.array_equal(result.image, restore_focus(blurred, model))
    assert not np.array_equal(result.image, blurred)
    assert result.shares == {(): 1.0}
    assert result.summary == "Restored"


def test_a_plane_too_noisy_to_tell_stays_as_it_is(blurred, restorer):
    noise = np.random.default_rng(0).normal(0, blurred.std(), blurred.shape)
    noisy = np.clip(blurred + noise, 0, 65535).astype(np.uint16)
    result, _ = restore(noisy, restorer(0.1), spare_sharp=True)
    assert np.array_equal(result.image, noisy)


def test_of_a_stack_each_plane_is_judged_by_itself(sharp, blurred, restorer):
    result, seen = restore(np.stack([sharp, blurred]), restorer(0.1), spare_sharp=True)
    assert result.shares == {(0,): 0.0, (1,): 1.0}
    assert result.summary == (
        "1 of 2 slices restored, 1 left as they are: in focus, or too noisy to tell"
    )
    assert seen[-1][0] == seen[-1][1]


def test_without_being_asked_every_plane_is_restored(sharp, restorer):
    result, _ = restore(sharp, restorer(0.1))
    assert not np.array_equal(result.image, sharp)


def test_in_the_network_s_range_nothing_is_spared(sharp, restorer):
    result, _ = restore(sharp, restorer(0.1), spare_sharp=True, rescale=False)
    assert result.image.dtype == np.float32
    assert result.shares == {(): 1.0}


def test_the_share_falls_from_blurred_to_sharp():
    assert share_of(0.1) == 1
    assert share_of(0.5) == pytest.approx(0.5)
    assert share_of(0.9) == 0


def test_a_plane_without_a_score_is_restored():
    assert share_of(float("nan")) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_a_mixed_plane_keeps_its_type_and_lies_between(dtype):
    plane, restored = np.full((4, 4), 10, dtype), np.full((4, 4), 20, dtype)
    mixed = mix(plane, restored, 0.3)
    assert mixed.dtype == dtype
    assert mixed == pytest.approx(np.full((4, 4), 13))


def test_what_is_no_number_stays_so_in_a_mixed_plane():
    plane = np.array([[np.nan, 1.0]], np.float32)
    assert np.isnan(mix(plane, np.array([[np.nan, 3.0]], np.float32), 0.5)[0, 0])


@pytest.mark.parametrize(("share", "expected"), [(0.3, [True, False]), (0.7, [True, True])])
def test_a_boolean_plane_becomes_the_nearer_of_the_two(share, expected):
    mixed = mix(np.array([[True, False]]), np.array([[True, True]]), share)
    assert mixed.dtype == bool
    assert mixed.tolist() == [expected]


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_the_range_of_a_plane_is_kept_when_asked(blurred, restorer, dtype):
    image, model = blurred.astype(dtype), restorer(0.3)
    kept = restore_focus(image, model, keep_range=True)
    assert kept.max() == image.max() < restore_focus(image, model).max()
    assert kept.min() >= image.min()


def test_the_range_is_kept_where_some_pixels_are_no_numbers(blurred, restorer):
    image = blurred.astype(np.float32)
    image[0, :3] = np.nan, np.inf, -np.inf
    kept = restore_focus(image, restorer(0.3), keep_range=True)
    assert np.array_equal(kept[0, :3], image[0, :3], equal_nan=True)
    finite = np.isfinite(image)
    assert kept[finite].max() == image[finite].max()


def test_the_range_of_each_colour_is_kept(blurred, restorer):
    image = np.stack([blurred, blurred // 2, blurred // 4], axis=-1)
    kept = restore_focus(image, restorer(0.3), keep_range=True)
    assert np.array_equal(kept.max(axis=(0, 1)), image.max(axis=(0, 1)))


def test_the_model_that_ships_spares_and_keeps_the_range():
    from napari_spheroseg import models

    recommended = complete(open_restorer("nafnet"), {})
    assert models.info("nafnet").task == "restoration"
    assert recommended.spare_sharp
    assert recommended.keep_range


def test_a_recipe_that_spares_says_which_detector_decided(sharp, restorer):
    model = restorer(0.1)
    recipe = restore(sharp, model, spare_sharp=True)[0].recipe
    assert len(recipe["made_with"]["focus_detector"]) == 64
    assert "focus_detector" not in restore(sharp, model)[0].recipe["made_with"]
    assert np.array_equal(restore_focus(sharp, **recipe), sharp)
    recipe["made_with"]["focus_detector"] = "0" * 64
    with pytest.raises(BadSetting, match="other weights of 'focus_detector'"):
        restore_focus(sharp, **recipe)
