import numpy as np
import pytest

from napari_spheroseg.models import Preparation
from napari_spheroseg.training.classification import cells, spheroids
from napari_spheroseg.training.classification.dirt import largest_piece
from napari_spheroseg.training.classification.scenes import scene
from napari_spheroseg.training.classification.spheroids import depth_of, pieces_of, shifted

MAKERS = [cells.DrawnCells(Preparation()), spheroids.DrawnSpheroids(Preparation())]
EACH = [(maker, kind) for maker in MAKERS for kind in maker.kinds]


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("maker", "kind"), EACH)
def test_the_same_seed_draws_the_same_example(maker, kind):
    first, second = (maker.draw(kind, rng(3)) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.mask, second.mask)


@pytest.mark.parametrize(("maker", "kind"), EACH)
def test_another_seed_draws_another_example(maker, kind):
    first, second = (maker.draw(kind, rng(seed)) for seed in (1, 2))
    assert first.image.shape != second.image.shape or not np.array_equal(first.image, second.image)


@pytest.mark.parametrize(("maker", "kind"), EACH)
@pytest.mark.parametrize("seed", range(8))
def test_every_example_holds_an_object_and_grey_values_from_0_to_1(maker, kind, seed):
    drawn = maker.draw(kind, rng(seed))
    assert drawn.mask.any()
    assert drawn.mask.shape == drawn.image.shape
    assert drawn.image.dtype == np.float32
    assert 0 <= drawn.image.min() <= drawn.image.max() <= 1


@pytest.mark.parametrize("seed", range(10))
def test_cells_of_a_group_touch(seed):
    drawn = scene(rng(seed), 4)
    assert np.array_equal(drawn.mask, largest_piece(drawn.mask))


def test_a_scene_has_the_cells_that_were_asked_for_and_perhaps_neighbours():
    drawn = scene(rng(), 3)
    assert drawn.own == 3
    assert len(drawn.distances) >= 3


def test_cells_of_a_pair_are_larger_than_one_of_them():
    drawn = scene(rng(), 2)
    assert all(drawn.mask.sum() > (each <= 1).sum() for each in drawn.distances[:2])


@pytest.mark.parametrize("seed", range(6))
def test_irregular_spheroids_fill_less_of_their_hull_than_intact_ones(seed):
    from napari_spheroseg.training.classification.found_spheroids import solidity_of

    intact, irregular = (MAKERS[1].draw(kind, rng(seed)) for kind in ("intact", "irregular"))
    assert solidity_of(irregular.mask) < solidity_of(intact.mask)


@pytest.mark.parametrize("seed", range(6))
def test_parts_of_a_broken_body_come_from_the_body(seed, disc):
    body = disc((80, 80), (40, 40), 20)
    parts = pieces_of(body, rng(seed))
    assert len(parts) > 1
    assert all((part <= body).all() for part, _ in parts)


@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-4, 1), (50, 50), (-50, 0)])
def test_what_is_shifted_out_is_gone_and_nothing_comes_round(shift):
    plane = np.arange(1, 101).reshape(10, 10)
    moved = shifted(plane, shift)
    y, x = np.nonzero(moved)
    assert np.array_equal(moved[y, x], plane[y - shift[0], x - shift[1]])
    assert len(y) == max(0, 10 - abs(shift[0])) * max(0, 10 - abs(shift[1]))


def test_depth_is_below_1_inside_and_above_outside(disc):
    body = disc((40, 40), (20, 20), 10)
    depth = depth_of(body)
    assert (depth[body] < 1).all()
    assert (depth[~body] > 1).all()
