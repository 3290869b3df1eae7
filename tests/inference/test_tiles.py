import numpy as np
import pytest

from napari_spheroseg.inference.tiles import Blend, gaussian_window, starts

CASES = [
    (100, 100, 0.25),
    (101, 100, 0.25),
    (1000, 128, 0.25),
    (1000, 128, 0),
    (997, 64, 0.5),
    (300, 64, 0.99),
]


@pytest.mark.parametrize(("length", "tile", "overlap"), CASES)
def test_tiles_cover_the_axis_to_its_end(length, tile, overlap):
    covered = np.zeros(length, int)
    for start in starts(length, tile, overlap):
        assert 0 <= start <= length - tile
        covered[start : start + tile] += 1
    assert covered.min() >= 1


@pytest.mark.parametrize(("length", "tile", "overlap"), CASES)
def test_neighbours_share_at_least_the_overlap(length, tile, overlap):
    steps = np.diff(starts(length, tile, overlap))
    assert (steps >= 1).all()
    assert (steps <= max(1, tile * (1 - overlap))).all()


@pytest.mark.parametrize(("length", "tile", "overlap"), CASES)
def test_tiles_are_spread_evenly(length, tile, overlap):
    steps = np.diff(starts(length, tile, overlap))
    assert len(steps) == 0 or np.ptp(steps) <= 1


@pytest.mark.parametrize("shape", [(64, 64), (65, 64), (200, 333), (40, 500)])
@pytest.mark.parametrize("overlap", [0, 0.25, 0.5])
def test_the_blend_of_a_constant_is_constant(shape, overlap):
    blend = Blend(shape, 64, overlap)
    for where in blend.slices():
        blend.add(where, np.full((2, *blend.tile), 0.7, np.float32))
    assert blend.result().shape == (2, *shape)
    assert np.allclose(blend.result(), 0.7, atol=1e-6)


def test_the_blend_of_pieces_is_the_whole():
    whole = np.random.default_rng(0).random((1, 150, 210), dtype=np.float32)
    blend = Blend(whole.shape[1:], 64, 0.25)
    for where in blend.slices():
        blend.add(where, whole[:, *where])
    assert np.allclose(blend.result(), whole, atol=1e-6)


def test_a_single_tile_passes_unchanged():
    whole = np.random.default_rng(0).random((1, 50, 60), dtype=np.float32)
    blend = Blend((50, 60), 64, 0.25)
    (where,) = blend.slices()
    blend.add(where, whole[:, *where])
    assert np.array_equal(blend.result(), whole)


def test_a_seam_between_tiles_that_disagree_is_gradual():
    blend = Blend((64, 128), 64, 0.5)
    for value, where in enumerate(blend.slices()):
        blend.add(where, np.full((1, *blend.tile), float(value), np.float32))
    assert np.abs(np.diff(blend.result()[0, 32])).max() < 0.2


@pytest.mark.parametrize("tile", [(16, 16), (64, 128), (9, 9)])
def test_the_window_is_symmetric_and_never_zero(tile):
    window = gaussian_window(tile)
    assert window.shape == tile
    assert window.min() > 0
    assert np.allclose(window, window[::-1, ::-1])


def test_the_number_of_tiles_is_known_beforehand():
    blend = Blend((200, 300), 64, 0.25)
    assert len(list(blend.slices())) == len(blend) == 4 * 6
