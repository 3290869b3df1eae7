"""The focus detector that ships works out of the box."""

import numpy as np
import pytest

import napari_spheroseg as ss
from napari_spheroseg.models import library
from napari_spheroseg.restoration.defocus import defocus, diffraction, disc
from napari_spheroseg.restoration.focus import object_focus


@pytest.fixture(scope="module", params=["brightfield", "fluorescence"])
def sample(request):
    return ss.synthetic.spheroids((256, 320), 6, request.param, seed=5)


def score(image):
    return ss.focus_score(image, device="cpu")


def test_a_sharp_plane_scores_higher_than_one_out_of_focus(sample):
    scores = [
        score(defocus(sample.image, kernel)).score for kernel in (disc(0), disc(4), diffraction(8))
    ]
    assert scores[0] > 2 * max(scores[1:])


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 0), (2, 0), (1, 3000), (1, -50)])
def test_brightness_changes_no_score_by_a_hundredth(sample, gain, offset):
    image = sample.image.astype(float)
    assert score(gain * image + offset).score == pytest.approx(score(image).score, abs=0.01)


def test_the_map_tells_where_a_plane_is_blurred(sample):
    image = sample.image.astype(np.float32)
    image[:, 160:] = defocus(image, disc(6))[:, 160:]
    scores = object_focus(score(image).map, sample.labels)
    x = {label: np.nonzero(sample.labels == label)[1] for label in scores.index}
    left = [scores[label] for label in scores.index if x[label].max() < 140]
    right = [scores[label] for label in scores.index if x[label].min() > 180]
    assert min(left) > max(right)


def test_it_is_small_and_is_what_its_metadata_describe():
    weights = library.shipped_folder() / "focus_detector" / library.WEIGHTS
    metadata = ss.models.info("focus_detector")
    assert weights.stat().st_size < 1e6
    assert metadata.task == "focus"
    assert library.sha256_of(weights) == metadata.sha256
    assert all(source.licence for source in metadata.training_data)


def test_it_is_the_model_for_its_task():
    assert ss.models.default("focus") == "focus_detector"
