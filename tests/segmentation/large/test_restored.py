"""Restore, then segment, window by window: as in one piece."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import napari_spheroseg as ss
from napari_spheroseg.batch.run import segment_files
from napari_spheroseg.errors import BadSetting
from napari_spheroseg.inference.frames import Frames
from napari_spheroseg.restoration.run import restore_focus
from napari_spheroseg.restoration.spare import judged
from napari_spheroseg.segmentation.large import restored as module
from napari_spheroseg.segmentation.large.restored import Restorer, restored
from napari_spheroseg.segmentation.large.room import room
from napari_spheroseg.segmentation.large.source import Source
from napari_spheroseg.segmentation.recipe import Recipe
from napari_spheroseg.segmentation.run import open_predictor
from napari_spheroseg.steps import Steps, run_to_end

DEVICE = {"device": "cpu", "backend": "torch"}
DIM = {"intensity": "fixed", "low": 0, "high": 6500}
"""The discs of the image, 3000, lie below its middle; with a quarter of their range, above it."""


@pytest.fixture
def lifting(restorer):
    """A model that adds a quarter of the range."""
    return str(restorer(0.25))


@pytest.fixture
def large(bright, tmp_path):
    def segment(image, **settings):
        how = {"block": 32, "tile": 64} | DEVICE | settings
        return ss.segment_large(image, tmp_path / "out", str(bright), **how)

    return segment


@pytest.fixture
def seen(bright, tmp_path):
    """A function that gives what a model sees of a plane; and the share that it was restored by."""

    def look(image, model):
        predictor = open_predictor(str(bright), "cpu", "torch")
        restorer = Restorer.of(Recipe(model=str(bright), restore=model), predictor)
        source = Source.of(Frames.of(image, None), ())
        with room(tmp_path, 32) as place:
            steps = Steps(restored(source, restorer, place))
            assert len(list(steps)) == place.parts
            plane, _ = steps.result
            whole = plane.values((slice(0, image.shape[0]), slice(0, image.shape[1])))
            corner = plane.part((slice(20, 40), slice(30, 60))).values((slice(0, 9), slice(0, 9)))
            assert np.array_equal(corner, whole[20:29, 30:39])
            return whole

    return look


def test_the_model_looks_at_the_restored_plane(large, image, lifting):
    assert len(large(image, **DIM).table) == 0
    result = large(image, restore=lifting, **DIM)
    assert np.array_equal(np.asarray(result.labels[:]) > 0, image > 1000)


def test_the_result_is_that_of_one_piece(large, image, lifting, bright):
    how = {"restore": lifting, "tile": 64} | DIM | DEVICE
    one = ss.segment(image, str(bright), **how)
    by_window = large(image, restore=lifting, **DIM)
    assert np.array_equal(np.asarray(by_window.labels[:]) > 0, one.labels > 0)
    assert by_window.recipe["restore"] == lifting
    assert by_window.recipe["made_with"]["restoration"] == one.recipe["made_with"]["restoration"]


def test_intensities_are_those_of_the_image_as_it_is(large, image, lifting):
    table = large(image, restore=lifting, **DIM).table
    assert table["mean_intensity"].tolist() == [3000, 3000, 3000]


def test_every_frame_is_restored_and_a_constant_one_passed_over(large, image, lifting):
    stack = np.stack([image, np.full_like(image, 7), image])
    result = large(stack, restore=lifting, axes="TYX", **DIM)
    assert result.table["t"].value_counts().to_dict() == {0: 3, 2: 3}


def test_nothing_of_it_is_left_on_the_disk(large, image, lifting, tmp_path):
    large(image, restore=lifting, **DIM)
    assert not list((tmp_path / "out").glob(".spheroseg-*"))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, bool])
def test_a_plane_is_restored_as_in_one_piece(dtype, seen, image, lifting):
    plane = (image > 1000) if dtype is bool else (image // 16).astype(dtype)
    expected = restore_focus(plane, lifting, **DEVICE)
    assert seen(plane, lifting).dtype == dtype
    np.testing.assert_allclose(seen(plane, lifting), expected, rtol=1e-5)


def test_pixels_that_are_no_numbers_stay_what_they_are(seen, image, lifting):
    plane = image.astype(np.float32)
    plane[5:9, 5:9], plane[50, 60] = np.nan, np.inf
    expected = restore_focus(plane, lifting, **DEVICE)
    np.testing.assert_allclose(seen(plane, lifting), expected, rtol=1e-5)


def test_samples_of_rgb_are_restored_one_by_one(seen, image, lifting):
    grey = (image // 16).astype(np.uint8)
    plane = np.stack([grey, grey[::-1], np.full_like(grey, 9)], axis=-1)
    expected = restore_focus(plane, lifting, **DEVICE)
    assert np.array_equal(seen(plane, lifting), expected)


@pytest.mark.parametrize("blur", [0, 2.2, 6])
def test_what_is_in_focus_is_spared_as_in_one_piece(blur, seen, textured):
    plane = gaussian_filter(textured, blur)
    expected = restore_focus(plane, "nafnet", **DEVICE)
    np.testing.assert_allclose(seen(plane, "nafnet"), expected, atol=2)


def test_the_share_of_a_plane_is_the_mean_over_its_windows(textured, monkeypatch, tmp_path):
    plane = gaussian_filter(textured, 2.2)
    judge = module.open_judge(module.open_restorer("nafnet", "cpu", "torch", "auto"), True)
    source = Source.of(Frames.of(plane, None), ())
    monkeypatch.setattr(module, "_WINDOW", 128)
    with room(tmp_path, 32) as place:
        steps = Steps(module._share(source, judge, place))
        assert len(list(steps)) == 4
    assert steps.result == pytest.approx(run_to_end(judged(judge, plane, 1)), abs=0.15)


def test_noise_is_left_as_it_is(seen):
    plane = np.random.default_rng(0).integers(0, 4000, (200, 200)).astype(np.uint16)
    assert np.array_equal(seen(plane, "nafnet"), plane)


def test_a_model_that_scales_by_all_of_a_plane_is_refused(large, image, restorer):
    with pytest.raises(BadSetting, match="wants all of an image"):
        large(image, restore=str(restorer(intensity="columns")))


def test_a_large_file_of_a_batch_is_restored_too(image, lifting, bright, tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", image)
    how = {"restore": lifting, "large_above": 0.001, "device": "cpu"} | DIM
    (item,) = segment_files([tmp_path / "a.tif"], tmp_path / "batch", str(bright), **how)
    assert (item.error, item.objects) == (None, 3)


@pytest.fixture
def textured():
    """Discs with texture, 250 px, so that they can be in focus or not."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:250, :250]
    discs = ((y % 80 - 40) ** 2 + (x % 80 - 40) ** 2) < 28**2
    rough = gaussian_filter(rng.random((250, 250)), 1)
    return np.where(discs, 2000 + 4000 * rough, 100 + 10 * rough).astype(np.uint16)
