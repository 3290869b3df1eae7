from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from napari_spheroseg import models
from napari_spheroseg.errors import BadImage, NoDevice, UnknownName
from napari_spheroseg.inference.predictor import Predictor
from napari_spheroseg.inference.tiles import count_tiles
from napari_spheroseg.models import Preparation


@pytest.fixture
def predictor(model):
    return Predictor(model, "cpu")


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).random((150, 210)).astype(np.float32)


def to_end(steps):
    progress = []
    while True:
        try:
            progress.append(next(steps))
        except StopIteration as stop:
            return stop.value, progress


def predict(predictor, plane, **settings):
    return to_end(predictor.predict(plane, Preparation(**settings)))[0]


def test_a_probability_is_a_map_of_the_image_in_zero_to_one(predictor, image):
    maps = predict(predictor, image)
    assert maps.shape == (1, *image.shape)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_the_network_sees_the_image_as_it_is(predictor, image):
    assert np.array_equal(predict(predictor, image)[0] > 0.5, image > 1000)


@pytest.mark.parametrize("tile", [64, 96, 144])
@pytest.mark.parametrize("overlap", [0, 0.25, 0.6])
def test_tiles_change_nothing_where_the_network_is_local(tile, overlap, predictor, noise):
    whole = predict(predictor, noise, tile=None)
    tiled = predict(predictor, noise, tile=tile, overlap=overlap)
    assert np.abs(tiled - whole).max() < 1e-5


def test_tiles_of_a_network_that_looks_around_agree_but_for_the_seams(checkpoint, noise):
    predictor = Predictor(models.load(checkpoint), "cpu")
    settings = {"channels": 3, "normalise": "imagenet"}
    whole = predict(predictor, noise, tile=None, **settings)
    tiled = predict(predictor, noise, tile=128, **settings)
    assert np.abs(tiled - whole).mean() < 0.05


@pytest.mark.parametrize("settings", [{"scale": 0.5}, {"scale": 1.7}, {"size": (100, 90)}])
def test_the_map_has_the_size_of_the_image_whatever_the_network_saw(settings, predictor, image):
    maps = predict(predictor, image, **settings)
    assert maps.shape == (1, *image.shape)
    wrong = (maps[0] > 0.5) != (image > 1000)
    assert wrong.mean() < 0.03


@pytest.mark.parametrize("shape", [(8, 8), (9, 31), (33, 8), (17, 65)])
@pytest.mark.parametrize("multiple", [1, 16, 64])
def test_any_size_is_padded_to_what_the_network_can_take(shape, multiple, predictor):
    plane = np.random.default_rng(0).random(shape)
    assert predict(predictor, plane, multiple=multiple).shape == (1, *shape)


def test_progress_counts_every_tile_to_the_total(predictor, noise):
    settings = Preparation(tile=64)
    _, progress = to_end(predictor.predict(noise, settings))
    assert [step.done for step in progress] == list(range(1, len(progress) + 1))
    assert {step.total for step in progress} == {len(progress)}


@pytest.mark.parametrize("settings", [{"tile": 64}, {}, {"tile": None}, {"scale": 2, "tile": 100}])
def test_the_number_of_tiles_is_counted_beforehand(settings, predictor, noise):
    settings = Preparation(**settings)
    _, progress = to_end(predictor.predict(noise, settings))
    assert count_tiles(noise.shape, settings) == len(progress)


def test_whoever_stops_iterating_cancels(predictor, noise):
    steps = predictor.predict(noise, Preparation(tile=64))
    next(steps)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_the_same_image_gives_the_same_map_bit_for_bit(checkpoint, noise):
    predictor = Predictor(models.load(checkpoint), "cpu")
    first, second = (predict(predictor, noise, channels=3) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (8, 8), (3, 200)])
def test_images_are_padded_to_what_a_network_can_take(checkpoint, shape):
    predictor = Predictor(models.load(checkpoint), "cpu")
    plane = np.random.default_rng(0).random(shape)
    assert predict(predictor, plane, channels=3, scale=0.5, multiple=4).shape[-2:] == shape


def test_a_size_too_small_for_a_network_is_refused(checkpoint):
    predictor = Predictor(models.load(checkpoint), "cpu", "torch")
    plane = np.random.default_rng(0).random((8, 8))
    with pytest.raises(BadImage, match="too few for this network"):
        predict(predictor, plane, channels=3, size=(4, 4), multiple=1)


def test_a_predictor_says_where_and_by_what_it_runs(model):
    predictor = Predictor(model, "auto", "auto")
    assert predictor.device != "auto"
    assert predictor.backend in ("openvino", "onnxruntime", "torch")


def test_a_device_that_is_missing_is_an_error(model):
    with pytest.raises(NoDevice):
        Predictor(model, "cuda:99")


def test_a_backend_that_is_unknown_is_an_error(model):
    with pytest.raises(UnknownName):
        Predictor(model, backend="abacus")


# ---------------------------------------------------------------- test-time augmentation


class Marks:
    """A backend that answers with the first corner of whatever it is shown."""

    device = "cpu"

    def __init__(self):
        self.seen = []

    def predict(self, batch):
        self.seen.append(batch[0].copy())
        logits = np.full((1, 1, *batch.shape[2:]), -60, np.float32)
        logits[..., 0, 0] = 60
        return logits


@pytest.fixture
def marks(predictor):
    predictor._backend = Marks()
    return predictor._backend


@pytest.mark.parametrize("settings", [{}, {"tile": 64}, {"scale": 0.5}, {"size": (64, 128)}])
def test_eight_views_change_nothing_where_the_network_is_local(settings, predictor, noise):
    plain = predict(predictor, noise, **settings)
    augmented = predict(predictor, noise, test_time_augmentation=True, **settings)
    assert augmented.dtype == np.float32
    assert np.abs(augmented - plain).max() < 1e-5


@pytest.mark.parametrize("shape", [(64, 64), (32, 64), (96, 48)])
def test_the_mean_of_eight_views_is_symmetric(shape, marks, predictor):
    plane = np.random.default_rng(0).random(shape)
    (mean,) = predict(predictor, plane, test_time_augmentation=True)
    wanted = np.zeros(shape)
    wanted[np.ix_([0, -1], [0, -1])] = 0.25
    assert np.allclose(mean, wanted, atol=1e-6)


def test_a_network_sees_eight_different_views_of_one_image(marks, predictor, noise):
    predict(predictor, noise[:64, :96], test_time_augmentation=True)
    assert len({view.tobytes() for view in marks.seen}) == 8
    assert {view.shape for view in marks.seen} == {(1, 64, 96), (1, 96, 64)}
    assert len({round(float(np.sort(view, axis=None).sum()), 3) for view in marks.seen}) == 1


def test_without_augmentation_a_network_sees_the_image_once(marks, predictor, noise):
    predict(predictor, noise)
    assert len(marks.seen) == 1


def test_eight_views_of_a_tile_count_as_one_step(predictor, noise):
    settings = Preparation(tile=64, test_time_augmentation=True)
    _, progress = to_end(predictor.predict(noise, settings))
    assert len(progress) == count_tiles(noise.shape, settings)


def test_eight_views_of_a_network_that_looks_around_are_the_same_for_a_turned_image(
    checkpoint, noise
):
    predictor = Predictor(models.load(checkpoint), "cpu")
    settings = {"channels": 3, "test_time_augmentation": True, "tile": None}
    square = noise[:64, :64]
    maps = predict(predictor, square, **settings)
    turned = predict(predictor, np.rot90(square), **settings)
    assert np.allclose(turned, np.rot90(maps, axes=(1, 2)), atol=1e-4)


# ---------------------------------------------------------------- the shared one


def test_two_threads_may_predict_with_one_predictor(predictor, noise):
    planes = [np.roll(noise, shift, axis=0) for shift in range(6)]
    alone = [predict(predictor, plane, tile=64) for plane in planes]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda plane: predict(predictor, plane, tile=64), planes))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
