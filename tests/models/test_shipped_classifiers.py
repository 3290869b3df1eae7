"""The classifiers that ship tell objects that they have not seen."""

import numpy as np
import pytest

import napari_spheroseg as ss
from napari_spheroseg.models import Preparation, library
from napari_spheroseg.models.model import sha256_of
from napari_spheroseg.training.classification.bank import CLASSES, drawn_maker, samples
from napari_spheroseg.training.classification.settings import ClassifierSettings

NAMES = ["cell_classifier", "spheroid_classifier"]
UNSEEN = 5_000_000
FLOOR = {"cell_classifier": 0.62, "spheroid_classifier": 0.85}  # measured: see the cards


def folder(name):
    return library.shipped_folder() / name


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_classifier_tells_drawn_objects_of_unseen_seeds(name):
    settings = ClassifierSettings.read(folder(name) / "training.yaml")
    classes = CLASSES[settings.objects]
    drawn = list(samples({drawn_maker(settings): 1.0}, settings, 100, UNSEEN, vary=False))
    found = [ss.classify(each.image, each.mask.astype(np.int32), name, device="cpu")
             for each in drawn]  # fmt: skip
    right = [
        table["class"].tolist() == [classes[each.kind]]
        for table, each in zip(found, drawn, strict=True)
    ]
    assert np.mean(right) > FLOOR[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_classifier_beats_features_and_majority_on_held_out_objects(name):
    for measured in ss.models.info(name).metrics.values():
        assert measured["accuracy"] > measured["features"] > measured["majority"]


@pytest.mark.parametrize("name", NAMES)
def test_classes_of_a_shipped_classifier_are_those_that_it_was_taught(name):
    settings = ClassifierSettings.read(folder(name) / "training.yaml")
    metadata = ss.models.info(name)
    assert metadata.task == "classification"
    assert metadata.outputs == CLASSES[settings.objects]
    assert (metadata.crop, metadata.preparation) == (settings.crop, settings.preparation)


def test_the_cell_classifier_has_the_published_classes_in_their_order():
    assert ss.models.info("cell_classifier").outputs == (
        "single-cell",
        "clump",
        "noise",
        "off-focus",
        "joint-cell",
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_classifier_is_small_and_the_one_that_its_metadata_describe(name):
    weights = folder(name) / library.WEIGHTS
    assert weights.stat().st_size < 2_000_000
    assert sha256_of(weights) == ss.models.info(name).sha256
    assert name in [each.name for each in ss.models.available()]


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_classifier_names_what_it_learnt_from_and_under_which_licence(name):
    metadata = ss.models.info(name)
    assert metadata.licence
    assert all(source.licence for source in metadata.training_data)


def test_preparation_of_a_shipped_classifier_is_by_percentiles():
    assert all(
        ss.models.info(name).preparation == Preparation(low=1, high=99.8, tile=None, multiple=1)
        for name in NAMES
    )
