"""The cell classifier of a HiTMicTools collection: what it says is how it runs."""

import io
import json
import zipfile

import numpy as np
import pytest
import torch
import yaml

from napari_spheroseg import models
from napari_spheroseg.classification.run import classify
from napari_spheroseg.errors import BadSetting

NAMES = {0: "single-cell", 1: "clump", 2: "noise"}


@pytest.fixture
def pack(tmp_path, network):
    """Write a collection with a cell classifier, its weights as .pth or ONNX."""

    def write(suffix=".pth", **arguments):
        buffer = io.BytesIO()
        if suffix == ".pth":
            torch.save(network.state_dict(), buffer)
        else:
            torch.onnx.export(network, torch.rand(1, 1, 16, 16), buffer, dynamo=False)
        config = {
            "cell_classifier": {
                "model_path": f"models/FlexResNet-cell_classifier{suffix}",
                "model_metadata": "metadata/FlexResNet-cell_classifier.json",
                "model_args": {"classes": NAMES, **arguments},
            }
        }
        described = {"model_args": {"num_classes": 3, "min_size": 16, "initial_filters": 4}}
        path = tmp_path / "lab.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.yml", yaml.safe_dump(config))
            archive.writestr(config["cell_classifier"]["model_path"], buffer.getvalue())
            archive.writestr(config["cell_classifier"]["model_metadata"], json.dumps(described))
        return path

    return write


@pytest.mark.parametrize("suffix", [".pth", ".onnx"])
def test_it_runs_as_our_own_of_the_same_weights(pack, image, labels, classifier, suffix):
    expected = classify(image, labels, classifier, backend="torch")
    path = pack(suffix, min_size=16)
    found = classify(image, labels, f"{path}#cell_classifier", backend="torch")
    assert found["class"].tolist() == expected["class"].tolist()
    np.testing.assert_allclose(
        found.filter(like="probability"), expected.filter(like="probability"), atol=1e-5
    )


@pytest.mark.parametrize("suffix", [".pth", ".onnx"])
def test_it_can_be_installed_and_runs_by_name(pack, image, labels, suffix):
    models.install(pack(suffix, min_size=16, batch_size=3))
    metadata = models.info("lab-cell_classifier")
    assert (metadata.crop.size, metadata.crop.batch) == (16, 3)
    assert metadata.outputs == tuple(NAMES.values())
    assert len(classify(image, labels, "lab-cell_classifier")) == 6


def test_without_a_size_boxes_must_agree(pack, image, labels):
    model = f"{pack(min_size=None)}#cell_classifier"
    with pytest.raises(BadSetting, match="no size for crops"):
        classify(image, labels, model)
    assert len(classify(image, labels, model, size=16)) == 6
    assert len(classify(image, np.where(labels == 12, 1, 0), model)) == 1


def test_grey_values_are_not_clipped(pack, image, labels, network):
    model = f"{pack(min_size=16)}#cell_classifier"
    inside = classify(image, labels, model, backend="torch")
    beyond = classify(1.5 * image, labels, model, backend="torch")
    assert not np.allclose(inside["probability_clump"], beyond["probability_clump"])


def test_more_names_than_scores_are_refused(pack, image, labels):
    path = pack(classes={**NAMES, 7: "another"}, min_size=16)
    with pytest.raises(BadSetting, match="tells 3 classes"):
        classify(image, labels, f"{path}#cell_classifier")
