"""Restore, then segment."""

import json

import numpy as np
import pytest

import napari_spheroseg as ss
from napari_spheroseg import models
from napari_spheroseg.errors import BadSetting, UnknownName
from napari_spheroseg.inference.shared import shared_predictor
from napari_spheroseg.segmentation.code import as_command, as_python
from napari_spheroseg.segmentation.run import open_predictor

DIM = {"intensity": "fixed", "low": 0, "high": 6500}
"""The discs of the image, 3000, lie below its middle; with a quarter of their range, above it."""


@pytest.fixture
def segment(bright):
    def run(image, **settings):
        how = {"model": str(bright), "device": "cpu", "backend": "torch"}
        return ss.segment(image, **how | settings)

    return run


@pytest.fixture
def lifting(restorer):
    return str(restorer(0.25))


def test_the_model_looks_at_the_restored_image(segment, image, lifting):
    assert segment(image, **DIM).labels.max() == 0
    restored = segment(image, restore=lifting, **DIM)
    assert np.array_equal(restored.labels > 0, image > 1000)


def test_it_is_what_restoring_and_segmenting_give_one_after_the_other(segment, image, lifting):
    restored = ss.restore_focus(image, lifting, device="cpu", backend="torch")
    both = segment(image, restore=lifting, **DIM)
    assert np.array_equal(both.probability, segment(restored, **DIM).probability)


def test_intensities_are_those_of_the_image_as_it_is(segment, image, lifting):
    result = segment(image, restore=lifting, **DIM)
    assert result.table["mean_intensity"].tolist() == [3000, 3000, 3000]
    assert result.frames.data is image


def test_every_frame_of_a_stack_is_restored(segment, image, lifting):
    constant = np.full_like(image, 7)
    result = segment(np.stack([image, constant, image]), restore=lifting, **DIM)
    assert [int((frame > 0).sum()) for frame in result.labels] == [
        (image > 1000).sum(),
        0,
        (image > 1000).sum(),
    ]


def test_the_recipe_restores_again(segment, image, lifting):
    result = segment(image, restore=lifting, **DIM)
    recipe = json.loads(json.dumps(result.recipe))
    assert recipe["restore"] == lifting
    assert recipe["made_with"]["restoration"] == models.load(lifting).metadata.sha256
    assert np.array_equal(ss.segment(image, **recipe, backend="torch").labels, result.labels)


def test_without_restoration_the_recipe_names_none(segment, image):
    recipe = segment(image).recipe
    assert recipe["restore"] is None
    assert "restoration" not in recipe["made_with"]


def test_a_recipe_of_other_restoring_weights_is_refused(segment, image, lifting, restorer):
    recipe = segment(image, restore=lifting).recipe
    with pytest.raises(BadSetting, match="other weights of 'sharpen'"):
        ss.segment(image, **{**recipe, "restore": str(restorer(0.5))})


@pytest.mark.parametrize(
    ("restore", "error"), [("nothing", UnknownName), ("segmenter", BadSetting)]
)
def test_what_cannot_restore_is_refused(restore, error, segment, image, bright):
    models.install(bright, "segmenter")
    with pytest.raises(error):
        segment(image, restore=restore)


def test_both_models_stay_in_memory(segment, image, lifting, bright):
    segment(image, restore=lifting)
    first = [shared_predictor(name, "cpu", "torch") for name in (str(bright), lifting)]
    segment(image, restore=lifting)
    assert [shared_predictor(name, "cpu", "torch") for name in (str(bright), lifting)] == first


def test_progress_counts_both_to_the_total(segment, image, lifting):
    seen = []
    segment(np.stack([image] * 2), restore=lifting, tile=64, progress=lambda *s: seen.append(s))
    done = [step for step, _ in seen]
    assert done == sorted(done)
    assert seen[-1][0] == seen[-1][1]


def test_the_result_of_a_restored_image_is_not_joined_with_another(segment, image, lifting):
    assert not segment(image).continues(segment(image, restore=lifting))


@pytest.mark.parametrize("setting", [{"intensity": "columns"}, {"normalise": "standard"}], ids=str)
def test_a_large_image_is_not_scaled_by_what_only_a_whole_plane_tells(
    setting, image, bright, tmp_path
):
    with pytest.raises(BadSetting, match="wants all of an image"):
        ss.segment_large(image, tmp_path, str(bright), device="cpu", backend="torch", **setting)


def test_code_that_is_copied_restores_too(segment, image, lifting, bright):
    result = segment(image, restore=lifting)
    metadata = open_predictor(str(bright), "cpu", "torch").model.metadata
    assert f"restore={lifting!r}" in as_python(result.settings, metadata, None, "cells")
    assert f"--restore {lifting}" in as_command(result.settings, metadata, "a.tif")


def test_the_recipe_says_which_detector_spares_what_is_in_focus(segment, image):
    recipe = segment(image, restore="nafnet").recipe
    assert recipe["made_with"]["focus_detector"] == models.info("focus_detector").sha256
    recipe["made_with"]["focus_detector"] = "0" * 64
    with pytest.raises(BadSetting, match="other weights of 'focus_detector'"):
        segment(image, **recipe)
