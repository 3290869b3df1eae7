from __future__ import annotations

import numpy as np
import pytest

from napari_spheroseg.restoration.defocus import (
    brightfield,
    camera,
    defocus,
    defocus_by_depth,
    diffraction,
    disc,
    gaussian,
)

KERNELS = {
    "disc": disc,
    "gaussian": gaussian,
    "diffraction": diffraction,
    "brightfield": brightfield,
    "phase object": lambda radius: brightfield(radius, phase=0.5),
}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("radius", [0.1, 1, 3.3, 12])
def test_a_kernel_keeps_the_light_and_the_place(name, radius):
    kernel = KERNELS[name](radius)
    y, x = np.indices(kernel.shape) - kernel.shape[0] // 2
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert (kernel * y).sum() == pytest.approx(0, abs=1e-3)
    assert (kernel * x).sum() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("radius", [2, 5, 9])
def test_a_disc_has_the_spread_of_a_disc(radius):
    kernel = disc(radius)
    y, x = np.indices(kernel.shape) - kernel.shape[0] // 2
    # of a uniform disc, the mean of x² + y² is r² / 2; pixels add 1/12 in each direction
    assert (kernel * (x**2 + y**2)).sum() == pytest.approx(radius**2 / 2 + 1 / 6, rel=0.06)


def test_far_from_focus_diffraction_is_about_the_disc_of_geometrical_optics():
    kernel = diffraction(12)
    y, x = np.indices(kernel.shape) - kernel.shape[0] // 2
    within = kernel[np.hypot(y, x) <= 13].sum()
    assert within > 0.85
    assert kernel[kernel.shape[0] // 2, kernel.shape[0] // 2] < 0.02


def test_spherical_aberration_changes_the_kernel():
    assert np.abs(diffraction(3, spherical=0.3) - diffraction(3)).max() > 1e-3


def test_the_two_sides_of_focus_differ_for_an_object_that_shifts_the_phase():
    one, other = (brightfield(4, phase=sign) for sign in (0.5, -0.5))
    assert np.abs(one - other).max() > 1e-3


def test_a_constant_plane_stays_constant_out_of_focus():
    plane = np.full((40, 30), 7.0, np.float32)
    assert defocus(plane, diffraction(5)) == pytest.approx(plane, rel=1e-4)


def test_a_point_becomes_the_kernel():
    plane, kernel = np.zeros((65, 65), np.float32), brightfield(4, 0.4)
    plane[32, 32] = 1
    half = kernel.shape[0] // 2
    seen = defocus(plane, kernel)[32 - half : 33 + half, 32 - half : 33 + half]
    assert seen == pytest.approx(kernel, abs=1e-5)


def test_depth_decides_which_kernel_a_part_is_seen_through():
    plane = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    depth = np.zeros((64, 64), np.float32)
    depth[:, 32:] = 1
    kernels = [disc(0.1), disc(4)]
    seen = defocus_by_depth(plane, kernels, depth)
    assert np.array_equal(seen[:, :32], defocus(plane, kernels[0])[:, :32])
    assert np.array_equal(seen[:, 32:], defocus(plane, kernels[1])[:, 32:])


def test_the_noise_of_a_camera_is_that_of_its_photons():
    plane = np.full((200, 200), 0.5, np.float32)
    seen = camera(plane, 1000, 10, np.random.default_rng(0))
    assert seen.mean() == pytest.approx(0.5, abs=1e-3)
    assert seen.std() == pytest.approx(np.sqrt(500 + 100) / 1000, rel=0.02)


def test_no_light_gives_read_noise_only():
    seen = camera(np.full((200, 200), -1, np.float32), 1000, 10, np.random.default_rng(0))
    assert seen.mean() == pytest.approx(0, abs=1e-3)
