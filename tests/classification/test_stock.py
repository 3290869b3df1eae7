"""Objects that come, go and stay, and their classes."""

import numpy as np
import pandas as pd
import pytest
import zarr
from safetensors.torch import save_file

from napari_spheroseg import models
from napari_spheroseg.classification.examples import TeachSettings
from napari_spheroseg.classification.matching import joined, kept, still_there
from napari_spheroseg.classification.stock import (
    Stock,
    Subject,
    take_stock,
)
from napari_spheroseg.errors import BadImage
from napari_spheroseg.inference.frames import Frames
from napari_spheroseg.models import library
from napari_spheroseg.models.model import sha256_of
from napari_spheroseg.steps import run_to_end


@pytest.fixture
def plane():
    labels = np.zeros((40, 60), np.int32)
    labels[2:8, 2:8], labels[20:30, 10:20], labels[20:30, 40:55] = 3, 7, 900
    return labels


def subject(labels, image=None, axes=None):
    frames = None if image is None else Frames.of(image, axes)
    return Subject.of(labels, frames, axes, None)


def look(labels, before=None, **how):
    return run_to_end(take_stock(subject(labels), before, **how))


def classified(objects, **classes):
    table = objects[["label"]].assign(**{"class": list(classes.values())})
    return table.assign(probability_a=[0.9] * len(table))


def test_objects_have_their_boxes(plane):
    stock = look(plane)
    assert list(stock.objects["label"]) == [3, 7, 900]
    assert stock.box(((), 7)) == (20, 30, 10, 20)
    assert stock.box(((), 8)) is None


@pytest.mark.parametrize("shape", [(40, 60), (1, 40, 60)])
def test_labels_of_zarr_are_looked_at(plane, shape):
    labels = zarr.array(plane.reshape(shape), chunks=(*(1,) * (len(shape) - 2), 16, 16))
    found = run_to_end(take_stock(subject(labels, np.zeros((40, 60)))))
    assert found.objects.equals(look(plane).objects)


class Lazy:
    """An array that is not in memory, and how much of it was read at once."""

    def __init__(self, array):
        self._array, self.shape, self.dtype, self.ndim = array, array.shape, array.dtype, array.ndim
        self.chunks, self.largest = (1, 256, 256)[-array.ndim :], 0

    def __getitem__(self, key):
        found = self._array[key]
        self.largest = max(self.largest, found.size)
        return found


def test_labels_that_no_memory_holds_are_looked_at_by_window(monkeypatch):
    monkeypatch.setattr("napari_spheroseg.classification.stock.LARGE", 10_000)
    numbers = np.zeros((2, 2100, 1100), np.int32)
    numbers[0, 2000:2060, 1000:1090], numbers[1, 5:9, 5:9] = 8, 3
    labels = Lazy(numbers)
    of = Subject.of(labels, None, "TYX", None)
    stock = run_to_end(take_stock(of))
    assert labels.largest <= 1024 * 1100
    whole = run_to_end(take_stock(Subject.of(numbers, None, "TYX", None)))
    assert stock.objects.equals(whole.objects)
    assert run_to_end(take_stock(of, stock)) is stock
    numbers[1, 5:20, 5:9] = 3
    assert run_to_end(take_stock(of, stock)).box(((1,), 3)) == (5, 20, 5, 9)
    with pytest.raises(BadImage, match="too large"):
        run_to_end(take_stock(of, learn=TeachSettings()))


def test_what_did_not_change_is_not_looked_at_again(plane):
    stock = look(plane)
    assert look(plane, stock) is stock


def test_only_frames_that_changed_are_described_again(plane):
    labels = np.stack([plane, plane])
    learn = TeachSettings()
    before = run_to_end(take_stock(subject(labels, axes="TYX"), learn=learn))
    labels[1, 2:8, 2:8] = 0
    now = run_to_end(take_stock(subject(labels, axes="TYX"), before, learn))
    assert now.planes[0,] is before.planes[0,]
    assert list(now.features["t"]) == [0, 0, 0, 1, 1]


def test_another_image_is_described_anew(plane):
    learn = TeachSettings()
    images = [np.random.default_rng(seed).random(plane.shape) for seed in (0, 1)]
    first = run_to_end(take_stock(subject(plane, images[0]), learn=learn))
    second = run_to_end(take_stock(subject(plane, images[1]), first, learn))
    assert list(first.features["mean_intensity"]) != list(second.features["mean_intensity"])


def test_an_image_in_the_memory_of_an_earlier_one_is_described_anew(plane):
    learn, stock, means = TeachSettings(), None, []
    for grey in (1.0, 2.0, 3.0):  # each may be freed before the next is made
        image = np.full(plane.shape, grey)
        stock = run_to_end(take_stock(subject(plane, image), stock, learn))
        means.append(stock.features["mean_intensity"][0])
        del image
    assert means == [1, 2, 3]


def test_axes_of_length_1_do_not_count(plane):
    image = np.zeros((1, *plane.shape))
    assert subject(plane, image, "TYX").labels.shape == (1, 40, 60)


def test_labels_of_another_shape_are_refused(plane):
    with pytest.raises(BadImage, match=r"\(40, 60\)"):
        subject(plane, np.zeros((40, 50)))


def test_a_network_s_view_needs_an_image(plane):
    with pytest.raises(BadImage, match="needs the image"):
        look(plane, learn=TeachSettings(embedding="cell_classifier"))


def test_classes_stay_go_and_come_with_their_objects(plane):
    was = look(plane)
    table = classified(was.objects, x="a", y="b", z="a")
    plane[20:30, 10:20] = 0
    plane[0:4, 50:55] = 11
    found = kept(table, was.objects, look(plane).objects).set_index("label")
    assert list(found.index) == [3, 11, 900]
    assert found["class"].dropna().to_dict() == {3: "a", 900: "a"}
    assert np.isnan(found["probability_a"][11])


def test_a_number_that_moved_is_another_object(plane):
    was = look(plane)
    table = classified(was.objects, x="a", y="b", z="a")
    plane[plane == 3] = 0
    plane[35:39, 2:6] = 3
    found = kept(table, was.objects, look(plane).objects).set_index("label")
    assert pd.isna(found["class"][3])
    assert still_there({((), 3): was.box(((), 3)), ((), 7): None}, look(plane)) == {((), 7)}


def test_features_keep_what_was_there_and_lose_older_classes():
    features = pd.DataFrame({"index": [1, 2], "area": [5, 6], "class": "old", "probability_x": 1})
    table = pd.DataFrame({"label": [2, 4], "class": ["a", None], "probability_a": [0.9, np.nan]})
    found = joined(features, table)
    assert list(found.columns) == ["index", "class", "probability_a", "area"]
    assert list(found["index"]) == [2, 4]
    assert found["area"][0] == 6


def test_features_of_a_stack_are_joined_slice_by_slice():
    features = pd.DataFrame({"index": [1, 1], "t": [0, 1], "area": [5, 6]})
    table = pd.DataFrame({"label": [1, 1], "t": [1, 0], "class": ["a", "b"]})
    assert list(joined(features, table)["area"]) == [6, 5]


def test_features_without_numbers_are_told_by_their_row():
    features = pd.DataFrame({"area": [0, 5, 6]})
    table = pd.DataFrame({"label": [1, 2], "class": ["a", "b"]})
    assert list(joined(features, table)["area"]) == [5, 6]


def test_labels_without_objects_give_an_empty_stock():
    stock = look(np.zeros((9, 9), int), learn=TeachSettings())
    assert len(stock.objects) == len(stock.features) == 0
    assert isinstance(stock, Stock)


def test_objects_are_seen_anew_by_other_weights_of_the_same_name(
    plane, classifier_folder, models_folder
):
    image = np.random.default_rng(0).random(plane.shape, dtype=np.float32)
    seen = subject(plane, image)
    models.install(classifier_folder, "eye")
    settings = TeachSettings(embedding="eye")
    first = run_to_end(take_stock(seen, learn=settings))
    assert run_to_end(take_stock(seen, first, settings)) is first
    metadata = library.read_metadata(models_folder / "eye")
    state = {key: value * 0 for key, value in models.load("eye").network.state_dict().items()}
    save_file(state, models_folder / "eye" / library.WEIGHTS)
    changed = metadata.replace(sha256=sha256_of(models_folder / "eye" / library.WEIGHTS))
    library.write_metadata(models_folder / "eye", changed)
    second = run_to_end(take_stock(seen, first, settings))
    assert second.features.attrs == {"embedding_sha256": changed.sha256}
    assert (second.features["embedding_0"] != first.features["embedding_0"]).any()
