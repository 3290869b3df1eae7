"""Which classifiers a file holds."""

import hashlib

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
import yaml
from sklearn.linear_model import LogisticRegression

from napari_spheroseg.classification.offers import Offer, offers_of
from napari_spheroseg.classification.run import open_judge
from napari_spheroseg.errors import BadSetting, SpherosegError, UnsafeFile


@pytest.fixture
def fitted():
    table = pd.DataFrame({"area": [1.0, 2, 30, 40]})
    return LogisticRegression().fit(table, [0, 0, 1, 1])


def collection(folder, name, content, key="pi_classification"):
    (folder / name).write_bytes(content)
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump({key: {"model_path": name}}))
    return path


def test_a_collection_offers_its_classifier_of_measurements(fitted, tmp_path):
    path = collection(tmp_path, "pi.skops", skops.io.dumps(fitted))
    (offer,) = offers_of(path)
    assert offer == Offer("pi_classification (config.yml)", f"{path}#pi_classification")
    assert open_judge(offer.reference).classes == ("piNEG", "piPOS")


def test_a_pickle_is_offered_with_the_checksum_that_allows_it(fitted, tmp_path):
    joblib.dump(fitted, tmp_path / "pi.joblib")
    content = (tmp_path / "pi.joblib").read_bytes()
    path = collection(tmp_path, "pi.joblib", content)
    (offer,) = offers_of(path)
    assert offer.unsafe == hashlib.sha256(content).hexdigest()
    with pytest.raises(UnsafeFile):
        open_judge(offer.reference)
    assert open_judge(offer.reference, allow=offer.unsafe).classes == ("piNEG", "piPOS")
    (bare,) = offers_of(tmp_path / "pi.joblib")
    assert bare.unsafe == offer.unsafe


def test_a_bare_file_of_skops_is_offered(fitted, tmp_path):
    skops.io.dump(fitted, tmp_path / "mine.skops")
    assert offers_of(tmp_path / "mine.skops") == [Offer("mine.skops", str(tmp_path / "mine.skops"))]


def test_a_folder_s_checkpoint_of_another_task_is_refused(checkpoint):
    with pytest.raises(BadSetting, match="is a model for segmentation"):
        offers_of(checkpoint)


@pytest.mark.parametrize("name", ["a.zip", "a.skops", "a.pth", "a.yml", "missing.zip", "a.onnx"])
def test_what_is_no_model_says_so(tmp_path, name):
    (tmp_path / "a").write_text("")
    for ending in ("zip", "skops", "pth", "yml", "onnx"):
        (tmp_path / f"a.{ending}").write_bytes(np.random.default_rng(0).bytes(50))
    with pytest.raises(SpherosegError):
        offers_of(tmp_path / name)
