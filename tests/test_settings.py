import json
import math

import pytest
from pydantic import ValidationError

from napari_spheroseg.errors import BadSetting
from napari_spheroseg.models import ModelMetadata, Preparation
from napari_spheroseg.segmentation.settings import PUBLISHED, PostProcessing

BAD_POST_PROCESSING = [
    {"threshold": -0.1},
    {"threshold": 1.1},
    {"threshold": math.nan},
    {"threshold": "high"},
    {"threshold": None},
    {"low_threshold": 0.6},  # above the threshold
    {"low_threshold": -1},
    {"opening": -1},
    {"opening": 1.5},
    {"closing": 101},
    {"split_depth": 0},
    {"split_depth": 1},
    {"min_area": -1},
    {"max_area": 0},
    {"min_area": 100, "max_area": 50},
    {"min_probability": 2},
    {"min_circularity": -0.5},
    {"min_solidity": 1.01},
    {"tolerance": -1},
]
BAD_PREPARATION = [
    {"channels": 2},
    {"intensity": "16-bit"},
    {"normalise": "zscore"},
    {"low": 60, "high": 50},
    {"low": -1},
    {"high": 101},
    {"size": (10,)},
    {"size": (512, 512), "long_side": 512},
    {"long_side": 8},
    {"scale": 0},
    {"tile": 10},
    {"overlap": 1},
    {"overlap": -0.1},
    {"multiple": 0},
    {"interpolation": "nearest"},
]


def name(values):
    return ",".join(f"{key}={value}" for key, value in values.items())


@pytest.mark.parametrize("values", BAD_POST_PROCESSING, ids=name)
def test_post_processing_out_of_bounds_is_refused(values):
    with pytest.raises(BadSetting):
        PostProcessing(**values)


@pytest.mark.parametrize("values", BAD_PREPARATION, ids=name)
def test_preparation_out_of_bounds_is_refused(values):
    with pytest.raises(BadSetting):
        Preparation(**values)


@pytest.mark.parametrize("settings", [PostProcessing, Preparation])
def test_an_unknown_setting_is_answered_with_those_there_are(settings):
    known = next(iter(settings.model_fields))
    with pytest.raises(BadSetting, match=f"no setting 'colour'.*{known}"):
        settings(colour="red")


def test_the_error_names_the_setting_and_the_value():
    with pytest.raises(BadSetting, match=r"threshold = 7"):
        PostProcessing(threshold=7)


def test_values_that_exclude_each_other_are_told_without_all_the_others():
    with pytest.raises(BadSetting, match=r"^max_area must not be below min_area$"):
        PostProcessing(min_area=5, max_area=1)


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        PostProcessing().threshold = 0.1


def test_a_copy_with_changes_is_checked_like_the_original():
    with pytest.raises(BadSetting):
        PostProcessing().replace(threshold=2)


def test_a_copy_keeps_what_was_not_changed():
    copy = PostProcessing(min_area=7).replace(threshold=0.25)
    assert (copy.min_area, copy.threshold) == (7, 0.25)


def test_a_refused_change_leaves_the_original():
    settings = PostProcessing()
    with pytest.raises(BadSetting):
        settings.replace(colour="red")
    assert settings == PostProcessing()


@pytest.mark.parametrize("settings", [PostProcessing(max_area=9e4), Preparation(size=(64, 32))])
def test_settings_survive_json(settings):
    assert type(settings)(**json.loads(json.dumps(settings.model_dump(mode="json")))) == settings


@pytest.mark.parametrize("settings", [PostProcessing, Preparation])
def test_every_setting_says_what_it_does(settings):
    assert all(field.description for field in settings.model_fields.values())


def test_the_published_service_drops_objects_below_50_pixels_and_keeps_all_points():
    assert (PUBLISHED.threshold, PUBLISHED.min_area, PUBLISHED.tolerance) == (0.5, 50, 0)


def test_a_bound_of_a_nested_object_is_refused_as_ours():
    with pytest.raises(BadSetting):
        ModelMetadata(name="a", title="A", network="unet", preparation={"channels": 2})


@pytest.mark.parametrize("bad", ["", ".hidden", "../up", "a/b", "a b", "-a", "naïve", "a\n"])
def test_a_model_name_that_is_no_folder_name_is_refused(bad):
    with pytest.raises(BadSetting):
        ModelMetadata(name=bad, title="A", network="unet")


def test_what_is_missing_is_named():
    with pytest.raises(BadSetting, match="lacks 'title'"):
        ModelMetadata(name="a", network="unet")
