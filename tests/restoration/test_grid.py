import numpy as np
import pytest

from napari_spheroseg.errors import BadSetting
from napari_spheroseg.restoration.grid import Grid


@pytest.mark.parametrize("shape", [(64, 64), (65, 200), (129, 96), (1000, 70)])
def test_tiles_cover_the_plane_and_none_sticks_out(shape):
    grid = Grid(shape, 64, 32)
    seen = np.zeros(shape, int)
    for y in grid.starts[0]:
        for x in grid.starts[1]:
            seen[y : y + 64, x : x + 64] += 1
            assert y + 64 <= shape[0]
            assert x + 64 <= shape[1]
    assert seen.min() >= 1


@pytest.mark.parametrize("shape", [(1, 1), (10, 200), (63, 63)])
def test_a_plane_below_a_tile_is_padded_by_mirroring(shape):
    grid = Grid(shape, 64, 32)
    padded = grid.pad(np.random.default_rng(0).random(shape).astype(np.float32))
    assert padded.shape == tuple(max(64, n) for n in shape)


def test_means_are_those_of_the_tiles():
    plane = np.random.default_rng(0).random((150, 170)).astype(np.float32)
    grid = Grid(plane.shape, 64, 30)
    wanted = [
        [plane[y : y + 64, x : x + 64].mean() for x in grid.starts[1]] for y in grid.starts[0]
    ]
    assert np.allclose(grid.means(plane), wanted, atol=1e-6)


def test_the_mean_of_a_plane_below_a_tile_is_that_of_the_plane():
    plane = np.arange(12.0).reshape(3, 4)
    assert np.allclose(Grid((3, 4), 64, 32).means(plane), plane.mean())


def test_spread_values_are_those_of_the_tiles_at_their_middles():
    grid = Grid((160, 161), 33, 16)
    values = np.random.default_rng(0).random(tuple(len(each) for each in grid.starts))
    spread = grid.spread(values)
    assert spread.shape == (160, 161)
    middles = spread[np.ix_(grid.starts[0] + 16, grid.starts[1] + 16)]
    assert np.allclose(middles, values, atol=1e-6)


def test_a_tile_without_a_value_takes_the_nearest():
    grid = Grid((64, 128), 64, 64)
    assert np.all(grid.spread(np.array([[0.25, np.nan]])) == 0.25)
    assert np.isnan(grid.spread(np.array([[np.nan, np.nan]]))).all()


@pytest.mark.parametrize("step", [0, 65])
def test_a_step_that_leaves_gaps_is_refused(step):
    with pytest.raises(BadSetting, match="cover"):
        Grid((100, 100), 64, step)
