"""Measures before and after, slices collected, and stacks through an image."""

import math

import numpy as np
import pytest

from napari_spheroseg.errors import BadImage, BadSetting
from napari_spheroseg.inference.frames import Frames
from napari_spheroseg.restoration.before_after import compare_planes
from napari_spheroseg.restoration.defocus import defocus, gaussian
from napari_spheroseg.restoration.depth import Depth
from napari_spheroseg.restoration.join import continues, joined
from napari_spheroseg.restoration.result import Restoration
from napari_spheroseg.restoration.settings import RestorationRecipe
from napari_spheroseg.restoration.stack import sharpest_plane


@pytest.fixture(scope="module")
def sharp():
    return np.random.default_rng(0).random((64, 64)).astype(np.float32)


@pytest.fixture(scope="module")
def blurred(sharp):
    return defocus(sharp, gaussian(2))


def test_a_restored_plane_is_sharper_and_nearer_to_the_reference(sharp, blurred):
    measured = {each.name: each for each in compare_planes(blurred, sharp, sharp)}
    assert list(measured) == ["tenengrad", "brenner", "laplacian", "psnr", "ssim"]
    assert all(each.after > each.before for each in measured.values())
    assert measured["psnr"].after == math.inf
    assert measured["ssim"].after == pytest.approx(1)


def test_without_a_reference_there_is_neither_psnr_nor_ssim(sharp, blurred):
    names = [each.name for each in compare_planes(blurred, sharp)]
    assert names == ["tenengrad", "brenner", "laplacian"]


def test_a_constant_plane_says_why_it_has_no_sharpness(sharp):
    measured = compare_planes(np.ones_like(sharp), sharp)
    assert all(math.isnan(each.before) and "equal" in each.reason for each in measured)


def test_what_is_not_in_grey_values_is_not_compared_with_the_reference(sharp, blurred):
    psnr = compare_planes(blurred, sharp, sharp, same_units=False)[-2]
    assert math.isfinite(psnr.before)
    assert math.isnan(psnr.after)
    assert "grey values" in psnr.reason


def test_a_reference_of_another_shape_is_refused(sharp, blurred):
    with pytest.raises(BadImage, match="shape"):
        compare_planes(blurred, sharp, sharp[:32])


# --- slices of one image -------------------------------------------------------------------------


def restoration(frames, *numbers, low=0.5):
    recipe = RestorationRecipe(model="nafnet", low=low, frames=[(n,) for n in numbers])
    planes = {(n,): np.full(frames.plane_shape, n + 1) for n in numbers}
    return Restoration(frames, planes, recipe)


@pytest.fixture
def frames(sharp):
    return Frames.of(np.stack([sharp] * 3), "ZYX")


def test_slices_of_two_runs_join_and_the_later_counts(frames):
    later = restoration(frames, 0, 1)
    later.planes[0,][:] = 9
    both = joined(restoration(frames, 0, 2), later)
    assert list(both.planes) == [(0,), (1,), (2,)]
    assert [plane[0, 0] for plane in both.planes.values()] == [9, 2, 3]
    assert both.settings.frames is None


def test_what_is_not_yet_whole_names_its_frames(frames):
    assert joined(restoration(frames, 2), restoration(frames, 0)).settings.frames == ((0,), (2,))


def test_only_results_of_one_image_made_in_one_way_continue(frames, sharp):
    first = restoration(frames, 0)
    assert continues(first, restoration(frames, 1))
    assert not continues(first, restoration(frames, 1, low=2))
    assert not continues(first, restoration(Frames.of(np.stack([sharp] * 3), "ZYX"), 1))


# --- through depth -------------------------------------------------------------------------------


def test_a_stack_goes_through_the_chosen_axis_at_one_position(sharp, blurred):
    image = np.stack([np.stack([blurred, sharp, blurred]), np.stack([blurred, blurred, sharp])])
    frames = Frames.of(image, "TZYX")
    assert sharpest_plane(Depth(frames, "Z", (0, 0))).index == 1
    assert sharpest_plane(Depth(frames, "Z", (1, 0))).index == 2
    assert sharpest_plane(Depth(frames, "T", (0, 2))).index == 1
    assert Depth(frames, "Z", (1, 0)).index(2) == (1, 2)


def test_an_axis_that_is_not_there_is_refused(frames):
    with pytest.raises(BadSetting, match="axis 'T'"):
        Depth(frames, "T", (0,))
