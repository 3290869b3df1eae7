"""The main job: an image in, a Segmentation out."""

import json
from types import SimpleNamespace

import dask.array
import numpy as np
import pytest

import napari_spheroseg as ss
from napari_spheroseg import models
from napari_spheroseg.errors import (
    BadImage,
    BadSetting,
    Cancelled,
    NoDevice,
    NoWeights,
    UnknownName,
)
from napari_spheroseg.inference import predictor, shared
from napari_spheroseg.inference.backends import BACKENDS
from napari_spheroseg.models import library
from napari_spheroseg.segmentation.polygons import rasterise
from napari_spheroseg.segmentation.settings import PostProcessing


@pytest.fixture
def segment(bright):
    def run(image, **settings):
        return ss.segment(image, **{"model": str(bright), "device": "cpu"} | settings)

    return run


@pytest.fixture(scope="session")
def stack(image):
    """Three frames: three discs, nothing but noise of the camera, two discs."""
    empty = np.full_like(image, 100)
    empty[0, 0] = 101
    two = image.copy()
    two[:60, 100:] = 100
    return np.stack([image, empty, two])


def ids(result):
    return np.unique(result.labels[result.labels > 0]).tolist()


# ---------------------------------------------------------------- one image


def test_the_discs_are_found(segment, image):
    result = segment(image)
    assert np.array_equal(result.labels > 0, image > 1000)
    assert ids(result) == [1, 2, 3]


def test_labels_polygons_and_table_have_the_same_ids(segment, image):
    result = segment(image)
    assert result.table["label"].tolist() == ids(result) == [each.id for each in result.polygons]


def test_a_result_has_the_shapes_and_types_that_it_promises(segment, image):
    result = segment(image)
    assert (result.labels.dtype, result.labels.shape) == (np.int32, image.shape)
    assert (result.probability.dtype, result.probability.shape) == (np.float32, image.shape)
    assert result.warnings == ()


def test_measures_are_in_micrometres_where_the_pixel_size_is_given(segment, image):
    result = segment(image, pixel_size=0.5)
    assert result.table["area_um2"].sum() == (image > 1000).sum() * 0.25


def test_intensities_are_those_of_the_image(segment, image):
    assert segment(image).table["mean_intensity"].tolist() == [3000, 3000, 3000]


def test_a_model_may_be_given_opened(image, model):
    assert ss.segment(image, model, device="cpu").labels.max() == 3


def test_a_model_may_be_given_by_the_name_it_was_installed_under(image, bright):
    models.install(bright, "mine")
    assert ss.segment(image, "mine", device="cpu").labels.max() == 3


def test_a_setting_of_the_model_holds_where_none_is_given(image, bright, segment):
    metadata = models.install(bright, "picky").replace(post_processing={"min_area": 500})
    library.write_metadata(library.user_folder() / "picky", metadata)
    assert segment(image, model="picky").labels.max() == 2
    assert segment(image, model="picky", min_area=50).labels.max() == 3


@pytest.mark.parametrize(("settings", "objects"), [({}, 3), ({"min_area": 300}, 2)])
def test_post_processing_is_done_as_asked(settings, objects, segment, image):
    assert segment(image, **settings).labels.max() == objects


@pytest.mark.parametrize(
    "kind", ["uint8", "float32", "float64", "int32", "RGB", "RGBA", "dask", "list"]
)
def test_the_same_discs_are_found_in_an_image_of_any_kind(kind, segment, image):
    eight = (image // 12).astype(np.uint8)
    given = {
        "RGB": lambda: np.stack([eight] * 3, axis=-1),
        "RGBA": lambda: np.dstack([eight] * 3 + [np.full_like(eight, 255)]),
        "dask": lambda: dask.array.from_array(image, chunks=50),
        "list": lambda: image.tolist(),
    }.get(kind, lambda: image.astype(kind) if kind != "uint8" else eight)()
    assert np.array_equal(segment(given).labels > 0, image > 1000)


def test_one_channel_of_several_is_segmented(segment, image):
    data = np.stack([np.random.default_rng(0).integers(0, 9, image.shape), image])
    assert segment(data, axes="CYX", channel=1).labels.max() == 3


def test_pixels_that_are_no_numbers_are_background(segment, image):
    values = image.astype(np.float32)
    values[40, 40] = np.nan
    assert segment(values).labels[40, 40] == 0


def test_objects_at_the_last_corner_are_measured(segment, image, disc):
    corner = image.copy()
    corner[disc(image.shape, (120, 152), 20)] = 3000
    assert segment(corner).table["touches_edge"].tolist() == [False, False, False, True]


# ---------------------------------------------------------------- nothing to see


@pytest.mark.parametrize("value", [0, 7, 65535])
def test_a_constant_image_gives_a_warning_and_no_objects(value, segment):
    result = segment(np.full((64, 80), value, np.uint16))
    assert "constant" in result.warnings[0]
    assert result.labels.max() == 0
    assert result.polygons == []


def test_without_objects_the_table_has_its_columns_all_the_same(segment, image):
    empty = segment(np.zeros((64, 80)), pixel_size=0.5).table
    assert len(empty) == 0
    assert empty.columns.tolist() == segment(image, pixel_size=0.5).table.columns.tolist()


def test_constant_frames_of_a_stack_are_counted_in_the_warning(segment, image):
    data = np.stack([image, np.zeros_like(image), np.ones_like(image)])
    (warning,) = segment(data).warnings
    assert warning.startswith("2 of 3 frames are constant")


# ---------------------------------------------------------------- stacks


def test_numbers_are_unique_in_a_stack(segment, stack):
    result = segment(stack)
    assert result.labels.shape == stack.shape
    assert [np.unique(frame[frame > 0]).tolist() for frame in result.labels] == [
        [1, 2, 3],
        [],
        [4, 5],
    ]


def test_ids_of_a_stack_are_equal_in_labels_polygons_and_table(segment, stack):
    result = segment(stack)
    assert result.table["label"].tolist() == ids(result) == [each.id for each in result.polygons]


def test_the_table_of_a_stack_tells_the_frame(segment, stack):
    table = segment(stack).table
    assert table.columns[:2].tolist() == ["label", "t"]
    assert table["t"].tolist() == [0, 0, 0, 2, 2]


def test_polygons_of_a_stack_tell_the_frame(segment, stack):
    assert [each.frame for each in segment(stack).polygons] == [(0,), (0,), (0,), (2,), (2,)]


def test_a_frame_of_a_stack_is_segmented_like_an_image_of_its_own(segment, stack):
    result = segment(stack)
    alone = segment(stack[2])
    assert np.array_equal(result.labels[2] > 0, alone.labels > 0)
    assert np.array_equal(result.probability[2], alone.probability)


def test_leading_axes_keep_their_names(segment, stack):
    table = segment(stack[None], axes="PZYX").table
    assert table.columns[:3].tolist() == ["label", "p", "z"]


def test_an_island_of_a_later_frame_has_the_parent_of_its_own_frame(segment, image, disc):
    nested = np.full_like(image, 100)
    nested[disc(image.shape, (60, 80), 50) & ~disc(image.shape, (60, 80), 35)] = 3000
    nested[disc(image.shape, (60, 80), 20)] = 3000
    parents = {each.id: each.parent for each in segment(np.stack([image, nested])).polygons}
    assert parents == {1: None, 2: None, 3: None, 4: None, 5: 4}


# ---------------------------------------------------------------- another threshold


@pytest.fixture
def soft(segment):
    """A ramp from dark to bright: every threshold finds another area."""
    image = np.tile(np.linspace(0, 1, 160, dtype=np.float32), (64, 1))
    return segment(image, intensity="fixed", low=0, high=1)


@pytest.fixture
def no_inference(monkeypatch):
    def broken(*_, **__):
        raise AssertionError("inference")

    shared.forget_shared()
    monkeypatch.setattr(predictor.Predictor, "predict", broken)
    monkeypatch.setattr(predictor.Predictor, "__init__", broken)


def test_another_threshold_makes_no_inference(soft, no_inference):
    before = soft.table["area_px2"].sum()
    assert soft.at(threshold=0.9).table["area_px2"].sum() < before
    assert soft.at(threshold=0.1).table["area_px2"].sum() > before


def test_another_post_processing_makes_no_inference(segment, image, request):
    result = segment(image)
    request.getfixturevalue("no_inference")
    assert result.at(min_area=300).labels.max() == 2


def test_another_threshold_gives_what_a_run_with_it_gives(segment, image):
    settings = {"intensity": "fixed", "low": 0, "high": 6000}
    run = segment(image, threshold=0.4, min_area=5, **settings)
    kept = segment(image, **settings).at(threshold=0.4, min_area=5)
    assert np.array_equal(run.labels, kept.labels)
    assert run.recipe == kept.recipe


def test_the_first_result_is_left_alone(soft):
    before = soft.labels.copy()
    soft.at(threshold=0.9).labels[:] = 7
    assert np.array_equal(soft.labels, before)
    assert soft.recipe["threshold"] == 0.5


@pytest.mark.parametrize("changes", [{"threshold": 2}, {"scale": 0.5}, {"colour": "red"}])
def test_only_post_processing_can_be_changed_afterwards(changes, soft):
    with pytest.raises(BadSetting):
        soft.at(**changes)


# ---------------------------------------------------------------- recipes

RECIPES = [
    {},
    {"pixel_size": 0.65},
    {"pixel_size": (0.5, 0.7)},
    {"threshold": 0.3, "split_touching": True, "min_area": 10, "fill_holes": True},
    {"size": (64, 96)},
    {"long_side": 64},
    {"scale": 0.7, "tile": 64, "overlap": 0.5, "interpolation": "lanczos"},
    {"intensity": "fixed", "low": 0, "high": 4000},
]


@pytest.mark.parametrize("settings", RECIPES, ids=str)
def test_a_recipe_run_again_gives_the_same_labels_bit_for_bit(settings, segment, image):
    result = segment(image, **settings)
    again = ss.segment(image, **result.recipe)
    assert np.array_equal(again.labels, result.labels)
    assert np.array_equal(again.probability, result.probability)
    assert again.table.equals(result.table)


@pytest.mark.parametrize("settings", RECIPES, ids=str)
def test_a_recipe_survives_json(settings, segment, image):
    result = segment(image, **settings)
    recipe = json.loads(json.dumps(result.recipe, allow_nan=False))
    assert recipe == result.recipe
    again = ss.segment(image, **recipe)
    assert np.array_equal(again.labels, result.labels)
    assert again.recipe == result.recipe


def test_the_recipe_of_a_channel_of_a_stack_makes_it_again(segment, stack):
    data = np.stack([stack, stack[::-1]], axis=1)
    result = segment(data, channel=1)
    assert (result.recipe["axes"], result.recipe["channel"]) == ("TCYX", 1)
    assert np.array_equal(ss.segment(data, **result.recipe).labels, result.labels)


def test_the_recipe_of_a_checkpoint_makes_it_again(checkpoint, image):
    result = ss.segment(image, str(checkpoint), device="cpu", size=(64, 64))
    assert np.array_equal(ss.segment(image, **result.recipe).probability, result.probability)


def test_a_recipe_holds_every_setting(segment, image):
    recipe = segment(image).recipe
    wanted = {*PostProcessing.model_fields, *models.Preparation.model_fields}
    source = {"model", "axes", "channel", "pixel_size", "diameter_um", "frames", "region"}
    assert wanted | source | {"restore", "made_with"} == set(recipe)


def test_a_recipe_says_what_it_was_made_with(segment, image, model):
    made_with = segment(image).recipe["made_with"]
    assert made_with["sha256"] == model.metadata.sha256
    assert made_with["device"] == "cpu"
    assert made_with["backend"] in BACKENDS
    assert {"napari-spheroseg", "torch", "numpy"} <= set(made_with["versions"])


def test_a_recipe_of_other_weights_is_refused(segment, image, bright, checkpoint):
    models.install(bright, "mine")
    recipe = segment(image, model="mine").recipe
    models.install(checkpoint, "mine", replace=True)
    with pytest.raises(BadSetting, match="other weights of 'mine'"):
        ss.segment(image, **recipe)


# ---------------------------------------------------------------- progress and cancel


def test_progress_counts_tiles_of_all_frames_to_the_total(segment, stack):
    seen = []
    segment(stack, tile=64, progress=lambda done, total: seen.append((done, total)))
    total = seen[0][1]
    assert [done for done, _ in seen] == list(range(1, total + 1))
    assert {total for _, total in seen} == {total}
    assert total % 3 == 0


def test_progress_reaches_the_total_over_constant_frames(segment, stack):
    seen = []
    data = np.concatenate([stack, np.zeros_like(stack)])
    segment(data, tile=64, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    assert sorted(seen) == seen


def test_cancel_stops_at_the_next_tile(segment, stack):
    seen = []
    with pytest.raises(Cancelled):
        segment(
            stack,
            tile=64,
            progress=lambda done, _: seen.append(done),
            cancel=lambda: len(seen) == 2,
        )
    assert seen == [1, 2]


def test_after_a_cancel_the_model_can_be_used_again(segment, image):
    with pytest.raises(Cancelled):
        segment(image, cancel=lambda: True)
    assert segment(image).labels.max() == 3


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"model": "nothing"}, UnknownName),
        ({"model": "waiting"}, NoWeights),
        ({"threshold": 1.5}, BadSetting),
        ({"colour": "red"}, BadSetting),
        ({"size": (64, 64), "long_side": 64}, BadSetting),
        ({"pixel_size": -1}, BadSetting),
        ({"pixel_size": "big"}, BadSetting),
        ({"pixel_size": (1, 2, 3)}, BadSetting),
        ({"device": "cuda:99"}, NoDevice),
        ({"backend": "abacus"}, UnknownName),
        ({"channel": 4}, BadSetting),
        ({"axes": "TZYX"}, BadSetting),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_used_is_refused(settings, error, segment, image, waiting):
    with pytest.raises(error):
        segment(image, **settings)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((0, 30)),
        np.zeros(30),
        np.zeros((30, 30), complex),
        np.full((30, 30), np.nan),
        np.zeros((30, 30), object),
        None,
    ],
    ids=["empty", "1-D", "complex", "NaN", "object", "None"],
)
def test_an_image_that_cannot_be_segmented_is_refused(bad, segment):
    with pytest.raises(BadImage):
        segment(bad)


def test_a_model_for_something_else_is_refused(image, bright):
    metadata = models.install(bright, "sharpen").replace(task="restoration")
    library.write_metadata(library.user_folder() / "sharpen", metadata)
    with pytest.raises(BadSetting, match="is a model for restoration"):
        ss.segment(image, "sharpen")


# ---------------------------------------------------------------- layers


def layer(ndim, **changes):
    """What a napari layer says about its place in the world."""
    values = {
        "scale": tuple(0.5 + i for i in range(ndim)),
        "translate": tuple(10.0 * i for i in range(ndim)),
        "units": tuple("um" for _ in range(ndim)),
        "axis_labels": tuple("abcdef"[:ndim]),
    }
    return SimpleNamespace(**values | changes)


def placed(arguments):
    return {key: list(arguments[key]) for key in ("scale", "translate", "units", "axis_labels")}


def test_layers_are_labels_and_shapes_named_after_the_image(segment, image):
    (labels, first, kind), (shapes, second, other) = segment(image).to_layers("well A1")
    assert (kind, other) == ("labels", "shapes")
    assert (first["name"], second["name"]) == ("well A1 labels", "well A1 polygons")
    assert labels.max() == len(shapes) == 3


def test_layers_lie_where_the_image_lies(segment, stack):
    like = layer(3)
    for _, arguments, _ in segment(stack).to_layers(like=like):
        assert placed(arguments) == {key: list(value) for key, value in vars(like).items()}


def test_layers_of_a_colour_image_lie_where_it_lies(segment, image):
    colour = np.stack([image] * 3, axis=-1)
    for _, arguments, _ in segment(colour).to_layers(like=layer(2)):
        assert list(arguments["scale"]) == [0.5, 1.5]


def test_an_axis_of_channels_in_front_is_left_out_of_the_layers(segment, stack):
    result = segment(np.stack([stack, stack]), axes="CTYX", channel=1)
    (labels, _, _), (shapes, _, _) = result.to_layers(like=layer(4))
    assert labels.shape == stack.shape
    assert {each.shape[1] for each in shapes} == {3}
    for _, arguments, _ in result.to_layers(like=layer(4)):
        assert list(arguments["scale"]) == [1.5, 2.5, 3.5]
        assert list(arguments["axis_labels"]) == ["b", "c", "d"]


def test_an_axis_of_channels_between_others_keeps_the_place_of_the_channel(segment, stack):
    result = segment(np.stack([stack, stack], axis=1), channel=1)
    (labels, _, _), (shapes, _, _) = result.to_layers(like=layer(4))
    assert labels.shape == (3, 1, *stack.shape[1:])
    assert {tuple(each[0, :2]) for each in shapes} == {(0, 0), (2, 0)}
    for _, arguments, _ in result.to_layers(like=layer(4)):
        assert list(arguments["scale"]) == [0.5, 1.5, 2.5, 3.5]
        assert list(arguments["translate"]) == [0, 10 + 1.5, 20, 30]


def test_without_a_layer_the_pixel_size_is_the_scale(segment, stack):
    for _, arguments, _ in segment(stack, pixel_size=(0.5, 0.7)).to_layers():
        assert list(arguments["scale"]) == [1, 0.5, 0.7]
        assert list(arguments["units"]) == ["pixel", "um", "um"]
        assert list(arguments["axis_labels"]) == ["t", "y", "x"]


def test_layers_carry_the_recipe(segment, image):
    result = segment(image)
    for _, arguments, _ in result.to_layers():
        assert arguments["metadata"]["spheroseg"] == result.recipe


def test_shapes_of_a_stack_lie_on_their_frames(segment, stack):
    (_, (shapes, _, _)) = segment(stack).to_layers()
    assert [set(each[:, 0].tolist()) for each in shapes] == [{0}, {0}, {0}, {2}, {2}]


def test_there_is_a_row_of_features_for_every_shape(segment, image, disc):
    ring = image.copy()
    ring[disc(image.shape, (40, 40), 8)] = 100
    (_, (shapes, arguments, _)) = segment(ring).to_layers()
    assert len(arguments["features"]) == len(shapes) == 4
    assert sorted(arguments["features"]["ring"]) == ["hole", "outer", "outer", "outer"]


def test_a_result_without_objects_has_layers_too(segment):
    (labels, _, _), (shapes, _, _) = segment(np.zeros((64, 80))).to_layers()
    assert labels.shape == (64, 80)
    assert len(shapes) == 0


def test_the_way_through_polygons_gives_the_labels_back(segment, image):
    result = segment(image, tolerance=0)
    assert np.array_equal(rasterise(result.polygons, image.shape), result.labels)


@pytest.mark.parametrize("asked", ["scale", "long_side"])
def test_a_working_size_that_is_asked_for_takes_the_place_of_the_models(model, image, asked):
    own = model.metadata.replace(preparation=models.Preparation(size=(64, 64)))
    sized = models.Model(own, model.weights)
    recipe = ss.segment(image, sized, **{asked: 96 if asked == "long_side" else 0.5}).recipe
    assert recipe["size"] is None
    assert recipe[asked] in (96, 0.5)
