"""Classifiers of measurements: HiTMicTools' PI classifier, in every format."""

import hashlib

import joblib
import numpy as np
import onnx
import pandas as pd
import pytest
import skops.io
import yaml
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression

from napari_spheroseg.classification.crops import objects_of
from napari_spheroseg.classification.published import NAMES, measurements, skewness
from napari_spheroseg.classification.run import classify
from napari_spheroseg.errors import BadSetting, UnsafeFile
from napari_spheroseg.steps import run_to_end

FEATURES = ["rel_mean_intensity", "solidity"]


@pytest.fixture
def dish(disc):
    """Image and labels of a bright and of a dim cell, on a ground of 10."""
    labels = np.zeros((50, 100), np.int32)
    labels[disc(labels.shape, (25, 25), 10)] = 3
    labels[disc(labels.shape, (25, 70), 10)] = 8
    return np.where(labels == 3, 50.0, np.where(labels == 8, 11.0, 10.0)), labels


def fitted(names=FEATURES, classes=(0, 1)):
    """Positive is what is more than twice as bright as the background."""
    rng = np.random.default_rng(0)
    values = pd.DataFrame(rng.random((60, len(names))) * 4, columns=names)
    truth = np.array(classes)[(values[names[0]] > 2).astype(int)]
    return LogisticRegression().fit(values, truth)


@pytest.fixture
def collection(tmp_path):
    """A YAML that describes a PI classifier in a file."""

    def describe(name, content):
        (tmp_path / name).write_bytes(content)
        path = tmp_path / "collection.yml"
        path.write_text(yaml.safe_dump({"pi_classification": {"model_path": name}}))
        return f"{path}#pi_classification"

    return describe


def test_a_collection_in_a_folder_with_a_number_sign_is_opened(collection, tmp_path, dish):
    reference = collection("pi.skops", skops.io.dumps(fitted()))
    (tmp_path / "run#2").mkdir()
    for name in ("pi.skops", "collection.yml"):
        (tmp_path / name).rename(tmp_path / "run#2" / name)
    moved = reference.replace("collection.yml", "run#2/collection.yml")
    assert len(classify(*dish, moved)) == 2


def linear(path, names=FEATURES, strings=False):
    """A logistic regression in ONNX, without a package that converts one."""
    labels = (
        {"classlabels_strings": ["piNEG", "piPOS"]} if strings else {"classlabels_ints": [0, 1]}
    )
    weights = [float(sign * (at == 0)) for sign in (-1, 1) for at in range(len(names))]
    node = helper.make_node(
        "LinearClassifier",
        ["features"],
        ["label", "likely"],
        domain="ai.onnx.ml",
        coefficients=weights,
        intercepts=[2.0, -2.0],
        post_transform="SOFTMAX",
        multi_class=1,
        **labels,
    )
    kind = TensorProto.STRING if strings else TensorProto.INT64
    graph = helper.make_graph(
        [node],
        "pi",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(names)])],
        [
            helper.make_tensor_value_info("label", kind, [None]),
            helper.make_tensor_value_info("likely", TensorProto.FLOAT, [None, 2]),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    if names:
        helper.set_model_props(model, {"feature_names": ",".join(names)})
    onnx.save(model, path)
    return path.read_bytes()


def states(table):
    return dict(zip(table["label"], table["class"], strict=True))


def test_skops_needs_no_permission(dish, collection):
    table = classify(*dish, collection("pi.skops", skops.io.dumps(fitted())))
    assert states(table) == {3: "piPOS", 8: "piNEG"}
    assert list(table)[2:] == ["probability_piNEG", "probability_piPOS"]


@pytest.mark.parametrize("strings", [False, True])
def test_onnx_says_its_features_in_its_metadata(dish, collection, tmp_path, strings):
    content = linear(tmp_path / "made.onnx", strings=strings)
    table = classify(*dish, collection("pi.onnx", content))
    assert states(table) == {3: "piPOS", 8: "piNEG"}
    assert table["probability_piPOS"].tolist() == pytest.approx([1, 0], abs=0.2)


def test_joblib_is_opened_only_where_this_file_is_allowed(dish, collection, tmp_path):
    joblib.dump(fitted(), tmp_path / "made")
    model = collection("pi.joblib", (tmp_path / "made").read_bytes())
    with pytest.raises(UnsafeFile, match="is a pickle"):
        classify(*dish, model)
    allow = hashlib.sha256((tmp_path / "pi.joblib").read_bytes()).hexdigest()
    assert states(classify(*dish, model, allow=allow)) == {3: "piPOS", 8: "piNEG"}
    joblib.dump(fitted(classes=("a", "b")), tmp_path / "other")
    model = collection("pi.joblib", (tmp_path / "other").read_bytes())
    with pytest.raises(UnsafeFile):
        classify(*dish, model, allow=allow)


def test_strange_types_in_skops_are_made_only_where_this_file_is_allowed(
    dish, collection, tmp_path
):
    estimator = fitted()
    estimator.strange = yaml.safe_load
    content = skops.io.dumps(estimator)
    model = collection("pi.skops", content)
    with pytest.raises(UnsafeFile, match="not known to be safe"):
        classify(*dish, model)
    allow = hashlib.sha256(content).hexdigest()
    assert len(classify(*dish, model, allow=allow)) == 2


def test_names_of_classes_are_kept(dish, collection):
    model = collection("pi.skops", skops.io.dumps(fitted(classes=("alive", "dead"))))
    assert states(classify(*dish, model)) == {3: "dead", 8: "alive"}


def test_a_file_of_its_own_can_be_given(dish, tmp_path):
    path = tmp_path / "pi.skops"
    path.write_bytes(skops.io.dumps(fitted()))
    assert states(classify(*dish, path)) == {3: "piPOS", 8: "piNEG"}


def test_a_feature_that_cannot_be_measured_is_named(dish, collection):
    model = collection("pi.skops", skops.io.dumps(fitted(["timestep", "area"])))
    with pytest.raises(BadSetting, match="'timestep'"):
        classify(*dish, model)


def test_a_classifier_that_does_not_name_its_features_is_refused(dish, collection):
    estimator = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    model = collection("pi.skops", skops.io.dumps(estimator))
    with pytest.raises(BadSetting, match="does not say which features"):
        classify(*dish, model)


def test_without_a_background_relative_intensities_give_no_class(collection):
    labels = np.ones((20, 20), int)
    model = collection("pi.skops", skops.io.dumps(fitted()))
    table = classify(np.ones((20, 20)), labels, model)
    assert table["class"].isna().all()
    assert table["probability_piPOS"].isna().all()


def test_published_measurements_are_what_their_names_say(dish):
    image, labels = dish
    image = image + np.random.default_rng(0).random(image.shape)
    found = run_to_end(measurements(image, objects_of(labels), NAMES))
    bright = image[labels == 3]
    background = np.quantile(image[labels == 0], 0.1)
    assert found["label"].tolist() == [3, 8]
    assert found["area"][0] == bright.size
    assert found["background"].tolist() == [background] * 2
    assert found["rel_mean_intensity"][0] == pytest.approx(bright.mean() / background)
    assert found["roi_std_dev"][0] == pytest.approx(bright.std())
    assert found["centroid_0"].tolist() == [25, 25]
    assert found["major_axis_length"][0] == pytest.approx(20, abs=1)


def test_skewness_is_corrected_and_0_of_few_values():
    values = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 30])
    moment = ((values - values.mean()) ** 3).mean() / values.std() ** 3
    n = len(values)
    assert skewness(values) == pytest.approx(moment * np.sqrt(n * (n - 1)) / (n - 2))
    assert skewness(values[:9]) == 0


def test_objects_that_get_no_class_are_told_of(dish, collection):
    image, labels = dish
    image = np.where(labels == 8, np.nan, image)
    table = classify(image, labels, collection("pi.skops", skops.io.dumps(fitted())))
    assert table["class"].isna().tolist() == [False, True]
    assert "1 of 2 objects have no class" in table.attrs["warnings"][0]


def test_the_recipe_has_the_checksum_of_the_classifier_s_file(dish, collection):
    content = skops.io.dumps(fitted())
    table = classify(*dish, collection("pi.skops", content))
    assert table.attrs["recipe"]["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_boolean_image_is_measured_as_0_and_1(dish):
    image, labels = dish
    found = run_to_end(
        measurements(image > 20, objects_of(labels), ["mean_intensity", "background"])
    )
    assert found["mean_intensity"].tolist() == [1, 0]
    assert found["background"].tolist() == [0, 0]
