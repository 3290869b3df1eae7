import dask.array as da
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_spheroseg.errors import BadImage, BadSetting
from napari_spheroseg.restoration.defocus import defocus_by_depth, disc
from napari_spheroseg.restoration.stack import extended_depth_of_field, sharpest_plane

PLANES = 5


@pytest.fixture(scope="module")
def scene():
    """A plane, its depth (in planes), and the stack that a microscope makes of it."""
    rng = np.random.default_rng(0)
    plane = gaussian_filter(rng.random((128, 160)), 1.0).astype(np.float32)
    plane = (plane - plane.min()) / np.ptp(plane)
    depth = np.broadcast_to(np.linspace(0, 1, 160, dtype=np.float32), plane.shape)
    stack = []
    for z in range(PLANES):
        kernels = [disc(1.5 * abs(d - z)) for d in np.linspace(0, PLANES - 1, 17)]
        stack.append(defocus_by_depth(plane, kernels, depth))
    stack = np.stack(stack) + rng.normal(0, 0.005, (PLANES, *plane.shape))
    return plane, depth * (PLANES - 1), stack.astype(np.float32)


def error(image, truth):
    return float(np.sqrt(np.mean((np.asarray(image, float) - truth) ** 2)))


@pytest.mark.parametrize("measure", ["laplacian", "tenengrad", "brenner"])
def test_the_sharpest_plane_is_found(measure):
    rough = gaussian_filter(np.random.default_rng(1).random((90, 90)), 0.7)
    stack = np.stack([gaussian_filter(rough, abs(z - 3)) for z in range(6)])
    found = sharpest_plane(stack, measure)
    assert found.index == 3
    assert found.scores.shape == (6,)
    assert np.argmax(found.scores) == 3


def test_constant_planes_are_passed_over(scene):
    stack = scene[2].copy()
    stack[2] = 7
    found = sharpest_plane(stack)
    assert found.index != 2
    assert np.isnan(found.scores[2])


def test_a_stack_of_nothing_has_no_sharpest_plane():
    with pytest.raises(BadImage, match="constant"):
        sharpest_plane(np.zeros((3, 8, 8)))


@pytest.mark.parametrize("measure", ["laplacian", "tenengrad", "brenner"])
def test_extended_depth_is_nearer_to_the_truth_than_any_plane_and_than_their_mean(measure, scene):
    truth, _, stack = scene
    fused = extended_depth_of_field(stack, measure)
    singles = [error(plane, truth) for plane in (*stack, stack.mean(axis=0))]
    assert error(fused.image, truth) < 0.5 * min(singles)


def test_the_depth_is_that_of_the_scene(scene):
    _, depth, stack = scene
    fused = extended_depth_of_field(stack)
    assert np.abs(fused.depth - depth)[8:-8, 8:-8].mean() < 0.35


def test_depth_is_smooth_where_there_is_nothing_but_noise():
    rng = np.random.default_rng(0)
    stack = rng.normal(0, 0.01, (6, 96, 96))
    stack[2, :, :40] += gaussian_filter(rng.random((96, 40)), 1)
    fused = extended_depth_of_field(stack)
    assert np.abs(fused.depth[:, :32] - 2).mean() < 0.1
    assert np.abs(np.diff(fused.depth, axis=0)).max() < 1


def test_every_value_lies_between_those_of_the_planes(scene):
    stack = scene[2]
    image = extended_depth_of_field(stack).image
    assert (image >= stack.min(axis=0) - 1e-6).all()
    assert (image <= stack.max(axis=0) + 1e-6).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64, bool])
def test_the_type_is_kept(dtype, scene):
    stack = (scene[2].clip(0, 1) * 200).astype(dtype)
    assert extended_depth_of_field(stack).image.dtype == dtype


def test_a_stack_of_one_plane_is_that_plane(scene):
    stack = scene[2][:1]
    assert sharpest_plane(stack).index == 0
    assert np.array_equal(extended_depth_of_field(stack).image, stack[0])


def test_two_planes_are_enough(scene):
    truth, _, stack = scene
    pair = stack[[0, PLANES - 1]]
    fused = extended_depth_of_field(pair).image
    assert error(fused, truth) < min(error(plane, truth) for plane in pair)


def test_colours_stay_together(scene):
    stack = np.stack([scene[2]] * 3, axis=-1)
    fused = extended_depth_of_field(stack)
    assert fused.image.shape == stack.shape[1:]
    assert np.allclose(fused.image[..., 0], extended_depth_of_field(scene[2]).image, atol=1e-4)


def test_a_lazy_stack_is_read_plane_by_plane(scene):
    read = []

    def plane(block, block_info=None):
        read.append(block.shape[0])
        return block

    stack = da.from_array(scene[2], chunks=(1, 128, 160)).map_blocks(plane, dtype=np.float32)
    read.clear()
    lazy = extended_depth_of_field(stack)
    assert set(read) == {1}
    assert np.array_equal(lazy.image, extended_depth_of_field(scene[2]).image)
    assert sharpest_plane(stack).index == sharpest_plane(scene[2]).index


def test_what_is_no_number_in_one_plane_is_no_matter_where_another_is_taken(scene):
    stack = scene[2].copy()
    stack[PLANES - 1, :, :20] = np.nan
    image = extended_depth_of_field(stack).image
    assert np.isfinite(image[:, :15]).all()


def test_progress_tells_of_both_rounds(scene):
    told = []
    extended_depth_of_field(scene[2], progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 2 * PLANES) for n in range(1, 2 * PLANES + 1)]


@pytest.mark.parametrize("shape", [(5, 5), (2, 3, 8, 8), (), (0, 8, 8), (3, 0, 8)])
def test_what_is_no_stack_is_refused(shape):
    for ask in (sharpest_plane, extended_depth_of_field):
        with pytest.raises(BadImage, match="stack"):
            ask(np.zeros(shape))


def test_complex_values_are_refused():
    with pytest.raises(BadImage, match="complex"):
        sharpest_plane(np.zeros((3, 8, 8), complex))


def test_a_radius_of_nothing_is_refused(scene):
    with pytest.raises(BadSetting, match="radius"):
        extended_depth_of_field(scene[2], radius=0)


def test_the_largest_whole_numbers_stay_the_largest():
    stack = np.full((2, 8, 8), np.iinfo(np.uint64).max)
    assert extended_depth_of_field(stack).image.min() > 2**63
