import sys

import numpy as np
import pytest
import torch

import napari_spheroseg as ss
from napari_spheroseg import networks
from napari_spheroseg.classification.examples import FEWEST
from napari_spheroseg.errors import BadImage, BadSetting, Cancelled, MissingPackage, NameTaken
from napari_spheroseg.models import Model, ModelMetadata
from napari_spheroseg.models.metadata import Crop
from napari_spheroseg.training.classification.fine_tune import (
    LEARNING,
    fine_tune,
    keep,
    with_classes,
)

ARGUMENTS = {"min_size": 16, "initial_filters": 4, "num_blocks": 1, "norm": "batch"}
SHORT = LEARNING.replace(steps=40, batch_size=16, warm_up=2, learning_rate=1e-2, average=0.5)


def classifier(**changes):
    torch.manual_seed(7)
    network = networks.create("flexresnet", num_classes=2, **ARGUMENTS).eval()
    values = {
        "name": "small",
        "title": "Small",
        "task": "classification",
        "network": "flexresnet",
        "arguments": {"num_classes": 2, **ARGUMENTS},
        "outputs": ("round", "long"),
        "crop": Crop(size=16),
        **changes,
    }
    return Model(ModelMetadata(**values), None, "small", _network=network)


@pytest.fixture(scope="module")
def annotated():
    """Bright squares, and dark ones as often; their labels, and the classes of all of them."""
    labels = np.zeros((160, 160), np.int32)
    for number in range(64):
        y, x = 20 * (number // 8) + 5, 20 * (number % 8) + 5
        labels[y : y + 9, x : x + 9] = number + 1
    image = np.full(labels.shape, 0.5, np.float32)
    image[labels > 0] = np.where(labels % 2, 0.9, 0.1)[labels > 0]
    return image, labels, {n: "bright" if n % 2 else "dark" for n in range(1, 65)}


@pytest.fixture(scope="module")
def tuned(annotated):
    return fine_tune(classifier(), *annotated, learning=SHORT)


def test_a_tuned_model_tells_the_classes_that_it_was_shown(tuned, annotated):
    image, labels, classes = annotated
    found = ss.classify(image, labels, tuned, device="cpu")
    assert tuned.metadata.outputs == ("bright", "dark")
    assert found["class"].tolist() == [classes[label] for label in found["label"]]


def test_a_tuned_model_says_how_well_it_did_on_examples_that_were_kept(tuned):
    said = tuned.metadata.metrics["examples"]
    assert said == {"learnt_from": 48, "measured_on": 16, "accuracy": 1.0}


def test_the_model_that_was_begun_from_stays_as_it_is(annotated):
    model = classifier()
    before = {key: value.clone() for key, value in model.network.state_dict().items()}
    fine_tune(model, *annotated, learning=SHORT.replace(steps=2))
    after = model.network.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_the_order_of_the_examples_does_not_matter(annotated):
    image, labels, classes = annotated
    turned = dict(reversed(classes.items()))
    short = SHORT.replace(steps=3)
    one, other = (
        fine_tune(classifier(), image, labels, each, learning=short) for each in (classes, turned)
    )
    assert one.metadata.sha256 == other.metadata.sha256


def test_a_tuned_model_is_the_same_after_it_was_kept(tuned, annotated):
    image, labels, _ = annotated
    metadata = keep(tuned, "mine")
    assert metadata.name == "mine"
    first, second = (ss.classify(image, labels, each, device="cpu") for each in (tuned, "mine"))
    assert np.allclose(first.filter(like="probability"), second.filter(like="probability"))


def test_a_name_that_is_taken_is_refused(tuned):
    keep(tuned, "mine")
    with pytest.raises(NameTaken):
        keep(tuned, "mine")


def test_a_model_that_ships_is_covered_only_when_asked(tuned):
    with pytest.raises(NameTaken, match="ships"):
        keep(tuned, "unet")
    assert keep(tuned, "unet", replace=True).outputs == ("bright", "dark")


def test_what_was_known_of_a_class_of_the_same_name_is_kept():
    network = classifier().network
    new = with_classes(network, ("round", "long"), ("flat", "long"), ARGUMENTS)
    assert torch.equal(new.classifier[0].weight[1], network.classifier[0].weight[1])
    assert not torch.equal(new.classifier[0].weight[0], network.classifier[0].weight[0])


def test_objects_of_a_stack_are_named_by_their_place(annotated):
    image, labels, classes = annotated
    named = {((1,), label): name for label, name in classes.items()}
    stacks = np.stack([image * 0, image]), np.stack([labels * 0, labels])
    model = fine_tune(classifier(), *stacks, named, learning=SHORT.replace(steps=2))
    assert model.metadata.metrics["examples"]["learnt_from"] == 48


def test_too_few_examples_are_refused_with_the_number_that_is_needed(annotated):
    image, labels, classes = annotated
    few = {label: name for label, name in classes.items() if label % 2 or label < 20}
    with pytest.raises(BadSetting, match=rf"9 examples of 'dark'.*{FEWEST}"):
        fine_tune(classifier(), image, labels, few)


def test_one_class_is_refused(annotated):
    image, labels, classes = annotated
    with pytest.raises(BadSetting, match="two classes"):
        fine_tune(classifier(), image, labels, dict.fromkeys(classes, "bright"))


def test_an_object_that_is_gone_is_named(annotated):
    image, labels, classes = annotated
    with pytest.raises(BadSetting, match="no object 99"):
        fine_tune(classifier(), image, labels, {**classes, 99: "dark"})


def test_labels_of_another_shape_are_refused(annotated):
    image, labels, classes = annotated
    with pytest.raises(BadImage, match="shape"):
        fine_tune(classifier(), image, labels[:-1], classes)


def test_a_model_for_something_else_is_refused(annotated):
    with pytest.raises(BadSetting, match="flexresnet"):
        fine_tune("unet", *annotated)


def test_fine_tuning_can_be_cancelled(annotated):
    steps = []
    with pytest.raises(Cancelled):
        fine_tune(
            classifier(),
            *annotated,
            learning=SHORT,
            progress=lambda done, total: steps.append((done, total)),
            cancel=lambda: len(steps) == 2,
        )
    assert steps == [(5, 40), (10, 40)]


def test_without_the_trainer_the_extra_that_brings_it_is_named(annotated, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(MissingPackage, match=r"napari-spheroseg\[train\]"):
        fine_tune(classifier(), *annotated)
