"""Pickled classifiers become skops files, which need no permission."""

import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest
import yaml

import napari_spheroseg as ss
from napari_spheroseg import models
from napari_spheroseg.errors import BadSetting, UnsafeFile, WrongWeights
from napari_spheroseg.models.model import sha256_of

joblib = pytest.importorskip("joblib")
pytest.importorskip("skops")
from sklearn.cluster import KMeans  # noqa: E402
from sklearn.ensemble import RandomForestClassifier  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

FEATURES = ["area", "mean_intensity"]
CLASSIFIERS = {
    "forest": lambda: RandomForestClassifier(5, random_state=0),
    "scaled": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
}


class Strange(LogisticRegression):
    """A class that skops does not know."""


def fitted(classifier):
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(500, 200, (60, 2)), columns=FEATURES)
    return classifier.fit(table, np.where(table["area"] > 500, "piPOS", "piNEG"))


def pickled(path, classifier):
    joblib.dump(fitted(classifier), path)
    return path, sha256_of(path)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_a_converted_classifier_tells_the_same_and_needs_no_permission(kind, image, tmp_path):
    path, checksum = pickled(tmp_path / "pi.joblib", CLASSIFIERS[kind]())
    out = models.convert(path, tmp_path / "pi.skops", allow=checksum)
    labels = ss.segment(image, "unet", device="cpu").labels
    allowed = ss.classify(image, labels, path, allow=checksum)
    converted = ss.classify(image, labels, out)
    assert len(allowed)
    pd.testing.assert_frame_equal(allowed, converted)


def test_a_classifier_of_a_collection_is_converted(tmp_path):
    path, checksum = pickled(tmp_path / "PIClassifier.pkl", CLASSIFIERS["forest"]())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "models/PIClassifier.pkl")
        config = {"pi_classification": {"model_path": "models/PIClassifier.pkl"}}
        archive.writestr("config.yml", yaml.safe_dump(config))
    key = f"{tmp_path / 'a.zip'}#pi_classification"
    with pytest.raises(UnsafeFile, match="models convert"):
        models.convert(key, tmp_path / "pi.skops")
    assert models.convert(key, tmp_path / "pi.skops", allow=checksum).is_file()


@pytest.mark.parametrize("allow", [None, "0" * 64])
def test_a_pickle_that_is_not_allowed_is_not_opened(allow, tmp_path):
    path, _ = pickled(tmp_path / "pi.joblib", CLASSIFIERS["forest"]())
    with pytest.raises(UnsafeFile, match="models convert"):
        models.convert(path, tmp_path / "pi.skops", allow=allow)
    assert not (tmp_path / "pi.skops").exists()


def test_what_would_ask_for_permission_again_is_not_written(tmp_path):
    path, checksum = pickled(tmp_path / "pi.joblib", Strange())
    with pytest.raises(UnsafeFile, match="cannot be converted"):
        models.convert(path, tmp_path / "pi.skops", allow=checksum)
    assert not (tmp_path / "pi.skops").exists()


def test_what_is_no_classifier_is_not_converted(tmp_path):
    path = tmp_path / "pi.pkl"
    path.write_bytes(pickle.dumps({"area": 3}))
    with pytest.raises(WrongWeights, match="a dict, which is no classifier"):
        models.convert(path, tmp_path / "pi.skops", allow=sha256_of(path))


def test_only_skops_is_written(tmp_path):
    path, checksum = pickled(tmp_path / "pi.joblib", CLASSIFIERS["forest"]())
    with pytest.raises(BadSetting, match=r"end in \.skops"):
        models.convert(path, tmp_path / "pi.onnx", allow=checksum)


def test_what_tells_no_classes_is_not_converted(tmp_path):
    path, checksum = pickled(tmp_path / "pi.joblib", KMeans(2))
    with pytest.raises(WrongWeights, match="a KMeans, which is no classifier"):
        models.convert(path, tmp_path / "pi.skops", allow=checksum)


def test_a_classifier_that_cannot_be_run_is_not_converted(tmp_path):
    classifier = fitted(LogisticRegression())
    classifier.intercept_ = None  # as where another version of scikit-learn made it
    joblib.dump(classifier, path := tmp_path / "pi.joblib")
    with pytest.raises(WrongWeights, match="cannot be run"):
        models.convert(path, tmp_path / "pi.skops", allow=sha256_of(path))
    assert not (tmp_path / "pi.skops").exists()
