import json
from contextlib import nullcontext
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
    NoWeights,
    OutOfMemory,
    WrongWeights,
)
from napari_spheroseg.inference import predictor, shared
from napari_spheroseg.inference.frames import Frames
from napari_spheroseg.models import library
from napari_spheroseg.restoration.result import Restoration
from napari_spheroseg.restoration.run import complete, open_restorer, restore_steps
from napari_spheroseg.restoration.settings import RestorationRecipe
from napari_spheroseg.steps import run_to_end

LIFT = 0.25
FIXED = {"intensity": "fixed", "low": 0, "high": 1000}


@pytest.fixture
def same(restorer):
    """Name of a model whose output is its input."""
    return str(restorer())


@pytest.fixture
def lifting(restorer):
    """Name of a model that adds a quarter of the range between the ends of the image."""
    return str(restorer(LIFT))


@pytest.fixture
def restore():
    def run(image, model, **settings):
        how = {"device": "cpu", "backend": "torch"}  # the others take long to open
        return ss.restore_focus(image, model, **how | settings)

    return run


@pytest.fixture(scope="session")
def noise():
    return np.random.default_rng(0).random((33, 41))


def of_type(noise, kind):
    if kind == "bool":
        return noise > 0.5
    ends = (0, 1) if kind.startswith("float") else (0, 100 if kind.endswith("8") else 30000)
    return (noise * (ends[1] - ends[0])).astype(kind)


KINDS = ["bool", "uint8", "int8", "uint16", "int16", "int32", "uint32", "float16", "float32"]


@pytest.mark.parametrize("kind", [*KINDS, "float64"])
def test_a_network_that_changes_nothing_gives_the_image_back(kind, noise, same, restore):
    image = of_type(noise, kind)
    restored = restore(image, same)
    assert (restored.dtype, restored.shape) == (image.dtype, image.shape)
    assert np.allclose(restored, image, atol=1e-3 if kind == "float16" else 1e-6)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_every_backend_restores_the_same(backend, noise, lifting, restore):
    fast = restore(noise, lifting, backend=backend)
    assert np.allclose(fast, restore(noise, lifting), atol=1e-5)


@pytest.mark.parametrize("kind", ["int64", "uint64"])
def test_numbers_beyond_what_a_float_holds_are_not_wrapped(kind, lifting, restore):
    top = np.iinfo(kind).max
    image = np.array([[0, top], [top // 2, top]], kind).repeat(8, 0).repeat(8, 1)
    restored = restore(image, lifting)
    assert restored.dtype == kind
    assert (restored[image == top] > top - 2048).all()


def test_what_a_network_adds_comes_back_in_grey_values(lifting, restore):
    image = np.random.default_rng(0).integers(1000, 3000, (64, 64), dtype=np.uint16)
    image[0, :2] = 1000, 3000
    change = restore(image, lifting).astype(int) - image
    assert np.abs(change - 500).max() <= 1


def test_integers_are_cut_off_at_the_ends_of_their_type(lifting, restore):
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(restore(image, lifting), np.minimum(image + 63.75, 255).round())


def test_floats_are_not_cut_off(noise, lifting, restore):
    assert restore(noise, lifting).max() > noise.max()


@pytest.mark.parametrize(
    "preparation",
    [
        {"intensity": "percentile", "low": 0.5, "high": 99.5},
        {"intensity": "columns", "low": 1, "high": 99.8},
        {"intensity": "columns", "low": 1, "high": 99.8, "normalise": "standard"},
        {"intensity": "fixed", "low": 0, "high": 1, "normalise": "standard"},
        {"intensity": "8-bit"},
        {"channels": 3, "normalise": "imagenet"},
        {"channels": 3, "normalise": "standard"},
    ],
    ids=str,
)
def test_every_scaling_finds_its_way_back(preparation, noise, restorer, restore):
    restored = restore(noise * 700 + 40, str(restorer(**preparation)))
    assert np.allclose(restored, noise * 700 + 40, rtol=1e-5)


def test_without_rescaling_values_are_those_of_the_network(restorer, restore):
    image = np.arange(1024, dtype=np.uint16).reshape(32, 32)
    restored = restore(image, str(restorer(LIFT, **FIXED)), rescale=False)
    assert restored.dtype == np.float32
    assert np.allclose(restored, image / 1000 + LIFT)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 5), (8, 8), (61, 83)])
def test_images_of_any_size_are_restored(shape, same, restore):
    image = np.random.default_rng(0).integers(0, 999, shape).astype(np.uint16)
    image.flat[0] = 1000
    with pytest.warns(UserWarning, match="constant") if image.size == 1 else nullcontext():
        assert np.array_equal(restore(image, same), image)


def test_tiles_leave_no_seam(restorer, restore):
    image = np.random.default_rng(0).random((150, 170))
    model = str(restorer(LIFT))
    assert np.allclose(restore(image, model, tile=64), restore(image, model), atol=1e-5)


def test_a_resized_plane_comes_back_in_its_size(noise, same, restore):
    assert restore(noise, same, scale=0.5).shape == noise.shape


# ---------------------------------------------------------------- nothing to restore


@pytest.mark.parametrize("rescale", [True, False])
def test_a_constant_image_comes_back_with_a_warning(rescale, lifting, restore):
    with pytest.warns(UserWarning, match="constant: there is nothing to restore"):
        restored = restore(np.full((20, 30), 7, np.uint16), lifting, rescale=rescale)
    assert np.array_equal(restored, np.full((20, 30), 7 if rescale else 0))


def test_pixels_that_are_no_numbers_stay_what_they_are(noise, lifting, restore):
    image = noise.copy()
    image[3, 4], image[5, 6], image[7, 8] = np.nan, np.inf, -np.inf
    restored = restore(image, lifting)
    assert np.array_equal(restored[~np.isfinite(image)], image[~np.isfinite(image)], equal_nan=True)
    assert np.isfinite(restored[np.isfinite(image)]).all()


def test_an_image_without_a_number_is_refused(same, restore):
    with pytest.raises(BadImage, match="No value"):
        restore(np.full((9, 9), np.nan), same)


def test_a_frame_without_a_number_stays_so_among_others(noise, same, restore):
    stack = np.stack([noise, np.full_like(noise, np.nan)])
    with pytest.warns(UserWarning, match="1 of 2 frames"):
        restored = restore(stack, same)
    assert np.isnan(restored[1]).all()
    assert np.allclose(restored[0], noise, atol=1e-6)


# ---------------------------------------------------------------- axes


@pytest.mark.parametrize("samples", [2, 3, 4])
def test_samples_of_rgb_are_restored_one_by_one_and_alpha_is_kept(samples, lifting, restore):
    image = np.random.default_rng(0).integers(0, 100, (24, 32, samples)).astype(np.uint8)
    restored = restore(image, lifting, axes="YXS")
    assert restored.shape == image.shape
    colours = 3 if samples > 2 else 1
    for sample in range(samples):
        own = image[..., sample]
        alone = restore(own, lifting) if sample < colours else own
        assert np.array_equal(restored[..., sample], alone)


def test_a_network_that_takes_colours_sees_them_together(restorer, restore):
    image = np.random.default_rng(0).integers(0, 100, (24, 32, 3)).astype(np.uint8)
    settings = {"intensity": "fixed", "low": 0, "high": 100, "channels": 3}
    assert np.array_equal(restore(image, str(restorer(LIFT, **settings))), image + 25)


def test_a_constant_sample_of_rgb_is_no_obstacle(same, restore):
    image = np.random.default_rng(0).integers(0, 100, (24, 32, 3)).astype(np.uint8)
    image[..., 2] = 9
    assert np.array_equal(restore(image, same), image)


def test_of_a_channel_and_a_region_there_is_only_what_was_asked_for(same, restore):
    image = np.random.default_rng(0).integers(0, 100, (2, 3, 24, 32)).astype(np.uint8)
    restored = restore(image, same, axes="TCYX", channel=1, region=(4, 20, 8, 30))
    assert np.array_equal(restored, image[:, 1, 4:20, 8:30])


def test_frames_that_were_not_asked_for_are_0(same, restore):
    image = np.random.default_rng(0).integers(1, 100, (3, 24, 32)).astype(np.uint8)
    restored = restore(image, same, frames=((1,),))
    assert np.array_equal(restored[1], image[1])
    assert not restored[[0, 2]].any()


def test_a_stack_of_dask_is_read_frame_by_frame(noise, same, restore):
    read = []

    def frame(block, block_info=None):
        read.append(block_info[0]["chunk-location"][0])
        return block

    stack = dask.array.from_array(np.stack([noise] * 3), chunks=(1, 33, 41))
    lazy = stack.map_blocks(frame, dtype=noise.dtype, meta=np.empty((0, 0, 0)))
    done = []
    restored = restore(lazy, same, progress=lambda *_: done.append(list(read)))
    assert np.allclose(restored, stack, atol=1e-6)
    assert [len(each) for each in done] == [1, 2, 3]


def test_what_is_restored_is_the_same_alone_and_in_a_stack(noise, lifting, restore):
    stack = np.stack([noise, noise**2])
    assert np.array_equal(restore(stack, lifting)[1], restore(stack[1], lifting))


# ---------------------------------------------------------------- recipes


def steps_of(image, model, **settings):
    sharpener = open_restorer(model, "cpu", "torch")
    frames = Frames.of(image, settings.get("axes"), settings.get("channel"))
    recipe = complete(sharpener, settings)
    return run_to_end(restore_steps(frames, sharpener, recipe, recipe.frames))


def test_a_recipe_survives_json_and_makes_the_result_again(noise, lifting, restore):
    first = steps_of(np.stack([noise] * 2), lifting, scale=0.5, frames=((1,),), pixel_size=0.5)
    recipe = json.loads(json.dumps(first.recipe, allow_nan=False))
    assert recipe["pixel_size"] == [0.5, 0.5]
    again = ss.restore_focus(np.stack([noise] * 2), backend="torch", **recipe)
    assert np.array_equal(first.image, again)


def test_a_recipe_says_what_it_was_made_with(noise, lifting):
    recipe = steps_of(noise, lifting).recipe
    assert recipe["model"] == lifting
    assert recipe["made_with"]["sha256"] == models.load(lifting).metadata.sha256
    assert {"device", "backend", "precision", "versions"} <= set(recipe["made_with"])
    assert set(models.Preparation.model_fields) <= set(recipe)


def test_a_recipe_of_other_weights_is_refused(noise, same, lifting):
    recipe = steps_of(noise, same).recipe
    with pytest.raises(BadSetting, match="other weights"):
        ss.restore_focus(noise, backend="torch", **{**recipe, "model": lifting})


# ---------------------------------------------------------------- layers


def test_the_layer_lies_where_the_region_does():
    like = SimpleNamespace(
        scale=(1.0, 0.5, 0.5),
        translate=(0.0, 10.0, 20.0),
        units=("s", "um", "um"),
        axis_labels=("t", "y", "x"),
        contrast_limits=(3, 9),
        colormap="green",
    )
    image = np.zeros((2, 8, 10), np.uint8)
    frames = Frames.of(image, region=(2, 6, 4, 8))
    planes = {index: frames[index] for index in frames.indices()}
    result = Restoration(frames, planes, RestorationRecipe(model="sharpen"))
    ((data, arguments, kind),) = result.to_layers("cells", like)
    assert (data.shape, kind, arguments["name"]) == ((2, 4, 4), "image", "cells restored")
    assert list(arguments["translate"]) == [0, 11, 22]
    assert (arguments["contrast_limits"], arguments["colormap"]) == ((3, 9), "green")
    assert arguments["metadata"]["spheroseg"]["model"] == "sharpen"


# ---------------------------------------------------------------- progress and what is refused


def test_progress_counts_tiles_of_all_samples_and_frames_to_the_total(same, restore):
    image = np.random.default_rng(0).random((2, 100, 100, 3))
    seen = []
    restore(image, same, tile=64, progress=lambda *step: seen.append(step))
    assert [done for done, _ in seen] == list(range(1, 25))
    assert {total for _, total in seen} == {24}


def test_cancel_stops_at_the_next_tile(noise, same, restore):
    seen = []
    with pytest.raises(Cancelled):
        restore(
            np.stack([noise] * 3),
            same,
            progress=lambda done, _: seen.append(done),
            cancel=lambda: len(seen) == 2,
        )
    assert seen == [1, 2]


def test_a_model_for_something_else_is_refused(noise, bright, restore):
    with pytest.raises(BadSetting, match="is a model for segmentation"):
        restore(noise, str(bright))


def test_a_model_without_weights_says_so(noise, waiting, restore):
    with pytest.raises(NoWeights):
        restore(noise, waiting)


@pytest.mark.parametrize(
    "settings", [{"colour": 1}, {"low": 5, "high": 3}, {"frames": ((7,),)}, {"channel": 3}], ids=str
)
def test_a_setting_that_cannot_be_used_is_refused(settings, noise, same, restore):
    with pytest.raises(BadSetting):
        restore(noise, same, **settings)


def test_a_network_that_makes_other_maps_than_it_takes_is_refused(checkpoint, noise, restore):
    metadata = models.install(checkpoint, "odd").replace(task="restoration")
    library.write_metadata(library.user_folder() / "odd", metadata)
    with pytest.raises(WrongWeights, match="1 maps of 3 channels"):
        restore(noise, "odd", size=(64, 64))


# ---------------------------------------------------------------- the predictor


def test_a_restoration_computes_in_float32_where_nobody_says(same):
    assert open_restorer(same, "cpu", "torch").precision == "float32"


@pytest.mark.parametrize(
    ("wanted", "device", "backend", "expected"),
    [
        ("float16", "cuda", "torch", "float16"),
        ("float16", "cuda", "onnxruntime", "float32"),
        ("float16", "cpu", "auto", "float32"),
        ("auto", "cuda", "auto", "float32"),
    ],
)
def test_half_precision_is_for_models_that_ask_for_it_on_a_gpu(
    wanted, device, backend, expected, same, monkeypatch
):
    monkeypatch.setattr(predictor.devices, "choose", lambda device: device)
    model = models.load(same)
    model.metadata = model.metadata.replace(precision=wanted)
    assert predictor._precision_for(model, device, backend) == expected


def test_predictors_of_two_tasks_are_kept_side_by_side(same, bright):
    first = shared.shared_predictor(str(bright), "cpu")
    sharpener = open_restorer(same, "cpu")
    assert shared.shared_predictor(str(bright), "cpu") is first
    assert open_restorer(same, "cpu") is sharpener


def test_where_memory_runs_out_the_restoration_goes_on_and_says_so(same, monkeypatch, restore):
    sharpener = open_restorer(same, "cpu", "torch")
    whole = sharpener._backend.predict

    def full(batch):
        if batch.shape[-1] > 256:
            raise OutOfMemory("no room")
        return whole(batch)

    monkeypatch.setattr(sharpener._backend, "predict", full)
    image = np.random.default_rng(0).random((300, 400))
    with pytest.warns(UserWarning, match="it went on with tiles of 256 px"):
        assert np.allclose(restore(image, same), image, atol=1e-5)


@pytest.mark.parametrize("setting", [{"channels": 3}, {"normalise": "imagenet", "channels": 3}])
def test_channels_that_the_network_does_not_take_are_refused(setting, noise, same, recwarn):
    with pytest.raises(BadSetting, match="takes 1 channel, not 3"):
        ss.restore_focus(noise, same, **setting)
    assert not [each for each in recwarn if "runs instead" in str(each.message)]
