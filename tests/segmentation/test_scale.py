"""The scale at which a network sees objects: measured, asked for, or left alone."""

import math
import shutil

import numpy as np
import pytest

import napari_spheroseg as ss
from napari_spheroseg.errors import BadSetting
from napari_spheroseg.inference.shared import shared_predictor
from napari_spheroseg.models import Preparation, library
from napari_spheroseg.segmentation.scale import better_scale, usual_diameter

BEST = Preparation(best_diameter=(40, 64))
SQUARE = (512, 512)


@pytest.fixture(scope="module")
def dots(disc):
    """Four discs of diameter 20."""
    plane = np.full((128, 160), 100, np.uint16)
    for y in (40, 90):
        for x in (40, 110):
            plane[disc(plane.shape, (y, x), 10)] = 3000
    return plane


@pytest.fixture
def picky(bright, tmp_path):
    """Folder of a model that sees objects of 40 to 64 px well."""
    folder = shutil.copytree(bright, tmp_path / "picky")
    metadata = library.read_metadata(folder)
    preparation = metadata.preparation.replace(long_side=160, best_diameter=(40, 64))
    library.write_metadata(folder, metadata.replace(name="picky", preparation=preparation))
    return str(folder)


@pytest.fixture
def looks(picky, monkeypatch):
    """Shapes of what the network was shown, one a look."""
    shapes = []
    backend = shared_predictor(picky, "cpu")._backend
    predict = backend.predict

    def watched(batch):
        shapes.append(batch.shape[2:])
        return predict(batch)

    monkeypatch.setattr(backend, "predict", watched)
    return shapes


@pytest.fixture
def segment(picky):
    def run(image, **settings):
        return ss.segment(image, **{"model": picky, "device": "cpu"} | settings)

    return run


# ---------------------------------------------------------------- the usual diameter


def test_without_objects_there_is_no_usual_diameter():
    assert math.isnan(usual_diameter(np.zeros((20, 30), np.int32)))


@pytest.mark.parametrize("radius", [5, 12, 40])
def test_the_usual_diameter_of_discs_is_theirs(radius, disc):
    labels = disc((100, 200), (50, 50), radius) + 2 * disc((100, 200), (50, 150), radius)
    assert usual_diameter(labels.astype(np.int32)) == pytest.approx(2 * radius, rel=0.03)


def test_debris_hardly_moves_the_usual_diameter(disc):
    labels = disc((100, 200), (50, 50), 20).astype(np.int32)
    alone = usual_diameter(labels)
    for number in range(40):
        y, x = divmod(number, 10)
        labels[10 * y + 5 : 10 * y + 8, 10 * x + 100 : 10 * x + 103] = number + 2
    assert usual_diameter(labels) == alone


def test_the_usual_diameter_is_that_of_half_the_area(disc):
    shape = (100, 300)
    labels = np.zeros(shape, np.int32)
    for number, (x, radius) in enumerate(((40, 30), (110, 20), (170, 20), (230, 20)), start=1):
        labels[disc(shape, (50, x), radius)] = number
    assert usual_diameter(labels) == pytest.approx(40, rel=0.03)


def test_numbers_that_are_not_used_do_not_count(disc):
    labels = 7 * disc((60, 60), (30, 30), 20).astype(np.int32)
    assert usual_diameter(labels) == pytest.approx(40, rel=0.03)


# ---------------------------------------------------------------- a better scale


@pytest.mark.parametrize("diameter", [40, 50, 64, 36, 70])
def test_objects_that_are_seen_well_need_no_other_scale(diameter):
    assert better_scale(diameter, SQUARE, BEST) is None


def test_without_objects_there_is_no_better_scale():
    assert better_scale(math.nan, SQUARE, BEST) is None


@pytest.mark.parametrize(("diameter", "scale"), [(20, 2), (10, 4), (128, 0.5), (640, 0.1)])
def test_objects_are_brought_to_the_nearer_end_of_the_range(diameter, scale):
    better = better_scale(diameter, SQUARE, BEST)
    assert better.scale == pytest.approx(scale, rel=0.022)
    assert BEST.replace(scale=better.scale) == better


@pytest.mark.parametrize(("diameter", "scale"), [(100, None), (40, 1), (256, 0.25)])
def test_what_counts_is_the_diameter_that_the_network_sees(diameter, scale):
    halved = BEST.replace(long_side=512)
    better = better_scale(diameter, (1024, 700), halved)
    assert (better and better.scale) == scale
    if better is not None:
        assert better.long_side is None


@pytest.mark.parametrize("shape", [(2000, 1000), (700, 3000)])
def test_the_longest_side_is_bounded(shape):
    better = better_scale(5, shape, BEST)
    assert 0.95 * 4096 < better.scale * max(shape) <= 4096


def test_diameters_that_hardly_differ_lead_to_the_same_scale():
    first, second = (better_scale(diameter, SQUARE, BEST) for diameter in (27.90, 27.99))
    assert first == second


def test_no_image_is_enlarged_more_than_sixteen_times():
    assert better_scale(1, (64, 64), BEST).scale == 16


@pytest.mark.parametrize(("diameter", "scale"), [(20, None), (50, None), (128, 0.5)])
def test_a_large_image_is_shrunk_only_where_its_objects_are_large(diameter, scale):
    better = better_scale(diameter, (6000, 5000), BEST)
    assert (better and better.scale) == scale


# ---------------------------------------------------------------- looking twice


def test_small_objects_are_looked_at_twice(segment, dots, looks):
    result = segment(dots)
    first, second = looks
    assert first == (128, 160)
    assert second[0] >= 250
    assert result.labels.max() == 4
    assert np.mean((result.labels > 0) != (dots > 1000)) < 0.01


def test_objects_that_are_seen_well_are_looked_at_once(segment, dots, looks):
    large = np.kron(dots, np.ones((2, 2), np.uint16))
    segment(large, long_side=None, scale=1, best_diameter=(40, 64))
    assert len(looks) == 1


def test_an_image_of_noise_alone_is_looked_at_once(segment, looks):
    empty = np.full((128, 160), 100, np.uint16)
    empty[5, 5] = 101
    assert segment(empty).labels.max() == 0
    assert len(looks) == 1


def test_a_diameter_that_is_given_costs_no_first_look(segment, dots, looks):
    result = segment(dots, diameter=20)
    assert looks == [(256, 320)]
    assert result.labels.max() == 4


def test_a_diameter_that_is_seen_well_leaves_the_scale(segment, dots, looks):
    segment(dots, diameter=50)
    assert looks == [(128, 160)]


@pytest.mark.parametrize("explicit", [{"scale": 1}, {"long_side": 160}, {"size": (128, 160)}])
def test_a_scale_that_is_asked_for_is_the_one(explicit, segment, dots, looks):
    result = segment(dots, **explicit)
    assert looks == [(128, 160)]
    assert result.settings.best_diameter is None


def test_progress_counts_both_looks(segment, dots, looks):
    steps = []
    segment(dots, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 2), (2, 2)]


def test_progress_ends_at_its_total_where_one_look_is_enough(segment, looks):
    empty = np.full((128, 160), 100, np.uint16)
    empty[5, 5] = 101
    steps = []
    segment(empty, progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (1, 1)


def test_every_frame_has_the_scale_of_its_own_objects(segment, dots, looks, disc):
    large = np.full_like(dots, 100)
    large[disc(large.shape, (64, 80), 25)] = 3000
    result = segment(np.stack([dots, large]))
    assert len(looks) == 3
    assert [len(np.unique(frame[frame > 0])) for frame in result.labels] == [4, 1]


def test_the_recipe_makes_the_second_look_again(segment, dots, looks):
    result = segment(dots)
    again = ss.segment(dots, **result.recipe, device="cpu")
    assert len(looks) == 4
    assert np.array_equal(again.probability, result.probability)
    assert np.array_equal(again.labels, result.labels)
    assert again.recipe == result.recipe


# ---------------------------------------------------------------- a diameter in µm


def test_a_diameter_in_micrometres_is_one_in_pixels(segment, dots, looks):
    in_um = segment(dots, diameter_um=10, pixel_size=0.5)
    in_px = segment(dots, diameter=20)
    assert looks == [(256, 320)] * 2
    assert np.array_equal(in_um.probability, in_px.probability)


def test_pixels_that_are_not_square_count_by_their_area(segment, dots, looks):
    segment(dots, diameter_um=10, pixel_size=(0.25, 1))
    assert looks == [(256, 320)]


def test_a_diameter_in_micrometres_needs_the_pixel_size(segment, dots):
    with pytest.raises(BadSetting, match="needs the pixel size"):
        segment(dots, diameter_um=10)


@pytest.mark.parametrize("settings", [{"diameter": 0}, {"diameter": -3}, {"diameter_um": 0}])
def test_a_diameter_is_above_zero(settings, segment, dots):
    with pytest.raises(BadSetting, match="diameter"):
        segment(dots, pixel_size=1, **settings)


@pytest.mark.parametrize("range_", [(64, 40), (0, 40), (40, 40)])
def test_the_best_diameter_is_a_smaller_and_a_larger_number(range_):
    with pytest.raises(BadSetting, match="smaller and a larger"):
        Preparation(best_diameter=range_)
