"""Models that run beside that of a segmentation are the same wherever a batch is carried out."""

from pathlib import Path

import pytest

from napari_spheroseg.batch.beside import checksums, compare
from napari_spheroseg.batch.settings import BatchSettings
from napari_spheroseg.batch.stages import Job
from napari_spheroseg.errors import WrongWeights
from napari_spheroseg.models import load
from napari_spheroseg.segmentation.run import complete, open_predictor


@pytest.fixture
def predictor(bright):
    return open_predictor(str(bright), "cpu", "torch")


def test_checksums_are_those_of_the_classifier_and_of_the_focus_detector(predictor, sizes):
    found = checksums(BatchSettings(classify=str(sizes), focus=True), predictor)
    assert found == {
        "classify_weights": load(sizes).metadata.sha256,
        "focus_weights": load("focus_detector").metadata.sha256,
    }


def test_without_them_there_is_nothing_to_compare(predictor):
    assert checksums(BatchSettings(), predictor) == {}
    compare({}, {})


def test_a_worker_with_another_classifier_is_refused(predictor, sizes, bright):
    recipe = complete(predictor, 0.5, None, {})
    settings = BatchSettings(classify=str(sizes))
    job = Job(Path("out"), recipe, settings, {"classify_weights": "0" * 64})
    with pytest.raises(WrongWeights, match="other classify weights"):
        job.open("cpu", "torch", "auto")
