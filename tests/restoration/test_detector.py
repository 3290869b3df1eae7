import dask.array as da
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from napari_spheroseg import focus_score
from napari_spheroseg.errors import BadImage, BadSetting, Cancelled, OutOfMemory, WrongWeights
from napari_spheroseg.inference.predictor import Predictor
from napari_spheroseg.models import load
from napari_spheroseg.restoration.content import content, noise_of
from napari_spheroseg.restoration.focus import object_focus, warn_out_of_focus
from napari_spheroseg.restoration.grid import Grid
from napari_spheroseg.restoration.sharpness import SHARPNESS


@pytest.fixture(scope="module")
def scene():
    """Texture on the left, empty ground on the right."""
    rng = np.random.default_rng(0)
    plane = np.full((160, 260), 1000.0)
    plane[:, :130] += 800 * (gaussian_filter(rng.random((160, 130)), 2) - 0.5)
    return (plane + rng.normal(0, 1, plane.shape)).astype(np.float32)


@pytest.fixture
def score(detector):
    def ask(image, **settings):
        return focus_score(image, str(detector), device="cpu", **settings)

    return ask


def test_a_plane_has_one_score_in_zero_to_one(score, scene):
    focus = score(scene)
    assert isinstance(focus.score, float)
    assert 0 <= focus.score <= 1
    assert focus.is_sharp() == (focus.score >= 0.4)
    assert focus.is_sharp(0)
    assert not focus.is_sharp(1.0)


def test_a_map_has_the_shape_of_the_plane_and_values_of_its_tiles(score, scene):
    focus = score(scene)
    tiles = focus.fields[()].tiles
    assert focus.map.shape == scene.shape
    assert focus.map.dtype == np.float32
    assert np.nanmin(tiles) - 1e-6 <= focus.map.min() <= focus.map.max() <= np.nanmax(tiles) + 1e-6


def test_empty_tiles_are_not_asked_about_and_do_not_count(score, scene):
    field = score(scene).fields[()]
    empty = field.held == 0
    assert empty[:, -2:].all()
    assert not empty[:, :2].any()
    assert np.array_equal(np.isnan(field.tiles), empty)


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 0), (2, 0), (1, 5000), (1e-4, -0.05)])
def test_neither_brightness_nor_an_offset_changes_a_score(score, scene, gain, offset):
    image = scene.astype(np.float64)
    assert score(gain * image + offset).score == pytest.approx(score(image).score, abs=1e-4)


def test_a_stack_has_a_score_for_each_frame(score, scene):
    stack = np.stack([[scene, scene[::-1], np.zeros_like(scene)]] * 2)
    with pytest.warns(UserWarning, match="2 of 6 frames are constant"):
        focus = score(stack, axes="TZYX")
    assert focus.score.shape == (2, 3)
    assert np.isnan(focus.score[:, 2]).all()
    assert not focus.is_sharp(0)[:, 2].any()
    assert focus.is_sharp(0)[:, :2].all()
    assert focus.map.shape == stack.shape


def test_the_table_has_a_row_a_frame_with_the_classical_measures(score, scene):
    table = score(np.stack([scene, gaussian_filter(scene, 2)]), axes="ZYX").table
    assert list(table.columns) == ["z", "focus_score", "in_focus", *SHARPNESS]
    assert list(table["z"]) == [0, 1]
    assert (table.loc[0, list(SHARPNESS)] > table.loc[1, list(SHARPNESS)]).all()


def test_frames_that_were_not_asked_for_have_no_score(score, scene):
    focus = score(np.stack([scene, scene]), axes="TYX", frames=[(1,)])
    assert np.isnan(focus.score[0])
    assert np.isnan(focus.map[0]).all()
    assert len(focus.table) == 1


def test_a_lazy_stack_is_read_frame_by_frame(score, scene):
    stack = np.stack([scene, scene[:, ::-1]])
    lazy = score(da.from_array(stack, chunks=(1, 160, 260)), axes="TYX")
    assert np.array_equal(lazy.score, score(stack, axes="TYX").score)


def test_a_region_is_looked_at_alone(score, scene):
    focus = score(scene, region=(0, 100, 0, 120))
    assert focus.score == score(scene[:100, :120]).score
    assert focus.map.shape == (100, 120)


def test_a_channel_is_looked_at_alone(score, scene):
    image = np.stack([np.zeros_like(scene), scene])
    assert score(image, axes="CYX", channel=1).score == score(scene).score


@pytest.mark.parametrize("shape", [(5, 7), (63, 65), (64, 64), (20, 200)])
def test_any_size_has_a_score(score, shape):
    plane = gaussian_filter(np.random.default_rng(0).random(shape), 2) * 1000
    assert 0 <= score(plane).score <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_any_type_has_a_score(score, scene, dtype):
    plane = (scene / scene.max() * 255).astype(dtype)
    assert score(plane).score == pytest.approx(score(plane.astype(np.float32)).score, abs=1e-4)


def test_colours_are_looked_at_as_grey(score, scene):
    colours = np.dstack([scene] * 3)
    assert score(colours).score == pytest.approx(score(scene).score, abs=1e-3)


def test_a_resized_plane_keeps_the_shape_of_its_map(score, scene):
    assert score(scene, scale=0.5).map.shape == scene.shape


def test_other_tiles_make_another_grid(score, scene):
    few, many = score(scene, overlap=0), score(scene, overlap=0.75)
    assert many.fields[()].tiles.size > 4 * few.fields[()].tiles.size


def test_an_empty_plane_has_no_score_and_says_so(score):
    noise = np.random.default_rng(0).normal(100, 1, (128, 128))
    with pytest.warns(UserWarning, match="nothing"):
        focus = score(noise)
    assert np.isnan(focus.score)
    assert np.isnan(focus.map).all()
    assert not focus.is_sharp(0)


def test_a_constant_plane_has_no_score_and_says_so(score):
    with pytest.warns(UserWarning, match="constant"):
        focus = score(np.full((80, 80), 7, np.uint8))
    assert np.isnan(focus.score)
    assert focus.table.loc[0, list(SHARPNESS)].isna().all()


def test_a_plane_without_a_number_is_refused(score):
    with pytest.raises(BadImage):
        score(np.full((80, 80), np.nan))


def test_a_model_for_something_else_is_refused(bright, scene):
    with pytest.raises(BadSetting, match="segmentation"):
        focus_score(scene, str(bright))


def test_whoever_cancels_stops_it(score, scene):
    with pytest.raises(Cancelled):
        score(np.stack([scene] * 3), axes="TYX", cancel=lambda: True)


def test_progress_ends_at_all_tiles(score, scene):
    told = []
    score(
        np.stack([scene] * 3), axes="TYX", progress=lambda done, total: told.append((done, total))
    )
    assert told[-1][0] == told[-1][1]


def test_the_recipe_says_how_it_was_made(score, scene, detector):
    recipe = score(scene).recipe
    assert recipe["model"] == str(detector)
    assert recipe["made_with"]["sha256"] == load(str(detector)).metadata.sha256


class Narrow:
    """A backend with room for so many crops."""

    name, device, precision = "torch", "cpu", "float32"

    def __init__(self, room):
        self.room, self.seen = room, []

    def predict(self, batch):
        self.seen.append(len(batch))
        if len(batch) > self.room:
            raise OutOfMemory("Too little memory")
        return batch.mean(axis=(2, 3))


@pytest.fixture
def predictor(detector):
    return Predictor(load(str(detector)), "cpu", "torch")


@pytest.mark.parametrize("backend", ["torch", "openvino", "onnxruntime"])
def test_scores_of_all_backends_agree(detector, backend):
    crops = np.random.default_rng(0).random((5, 1, 64, 64)).astype(np.float32)
    wanted = Predictor(load(str(detector)), "cpu", "torch").scores(crops)
    assert wanted.shape == (5, 1)
    found = Predictor(load(str(detector)), "cpu", backend, "float32").scores(crops)
    assert np.allclose(found, wanted, atol=1e-4)


def test_scores_go_on_with_smaller_batches_where_memory_runs_out(predictor):
    narrow = predictor._backend = Narrow(3)
    crops = np.random.default_rng(0).random((10, 1, 8, 8)).astype(np.float32)
    assert np.allclose(predictor.scores(crops), crops.mean(axis=(2, 3)))
    assert narrow.seen == [10, 5, 2, 2, 2, 2, 2]
    predictor.scores(crops[:2])
    assert narrow.seen[-1] == 2


def test_scores_that_never_fit_raise(predictor):
    predictor._backend = Narrow(0)
    predictor._may_lower = False
    with pytest.raises(OutOfMemory):
        predictor.scores(np.zeros((4, 1, 8, 8), np.float32))


def test_scores_of_a_network_that_makes_maps_are_refused(model):
    with pytest.raises(WrongWeights, match="maps"):
        Predictor(model, "cpu").scores(np.zeros((1, 1, 32, 32), np.float32))


def test_content_is_of_what_is_neither_noise_nor_uneven_light():
    rng = np.random.default_rng(0)
    ramp = np.broadcast_to(np.linspace(0, 0.5, 256, dtype=np.float32), (256, 256)).copy()
    grid = Grid(ramp.shape, 64, 64)
    noisy = ramp + rng.normal(0, 0.1, ramp.shape).astype(np.float32)
    assert content(ramp, grid)[:, 1:-1].max() == 0
    assert content(noisy, grid)[:, 1:-1].max() == 0
    noisy[64:128, 64:128] += 0.3 * (np.indices((64, 64)).sum(axis=0) // 12 % 2)
    assert content(noisy, grid)[1, 1] == 1


def test_noise_is_measured_beside_edges():
    plane = np.zeros((200, 200), np.float32)
    plane[:, 100:] = 5
    noise = np.random.default_rng(0).normal(0, 0.2, plane.shape).astype(np.float32)
    assert noise_of(plane + noise) == pytest.approx(0.2, rel=0.05)


def test_an_object_has_the_mean_score_of_its_pixels():
    score_map = np.array([[0.1, 0.3, 0.9], [0.2, 0.5, np.nan]], np.float32)
    labels = np.array([[7, 7, 2], [0, 2, 9]], np.int32)
    scores = object_focus(score_map, labels)
    assert scores.name == "focus_score"
    assert scores[7] == pytest.approx(0.2)
    assert scores[2] == pytest.approx(0.7)
    assert np.isnan(scores[9])
    assert list(scores.index) == [2, 7, 9]


def test_no_objects_have_no_scores():
    assert object_focus(np.zeros((4, 4)), np.zeros((4, 4), int)).empty


def test_labels_of_another_shape_are_refused():
    with pytest.raises(BadImage, match="shape"):
        object_focus(np.zeros((4, 4)), np.zeros((4, 5), int))


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ([0.9, 0.8], None),
        ([], None),
        ([0.9, 0.1], "1 of 2 objects is out of focus"),
        ([0.2, 0.1, np.nan], "2 of 3 objects are out of focus"),
    ],
)
def test_objects_out_of_focus_are_told_of(scores, told):
    said = warn_out_of_focus(pd.Series(scores, dtype=float), 0.5)
    assert said is None if told is None else said.startswith(told)


@pytest.mark.parametrize("frames", [[0], [[9]], []])
def test_frames_that_are_none_are_refused(frames, score):
    with pytest.raises(BadSetting):
        score(np.zeros((2, 64, 64)), frames=frames)


def test_frames_may_be_named_by_lists(score):
    stack = np.random.default_rng(0).random((2, 64, 64))
    assert list(score(stack, frames=[[1]]).fields) == [(1,)]


def test_the_network_sees_as_many_tiles_at_a_time_whatever_the_image(score, scene, monkeypatch):
    seen = set()
    plain = Predictor.scores

    def scores(self, batch):
        seen.add(batch.shape)
        return plain(self, batch)

    monkeypatch.setattr(Predictor, "scores", scores)
    for width in (70, 130, 260):
        score(scene[:, :width])
    assert len(seen) == 1
