"""Planes that are looked at by window: the classes are those of the whole."""

import dask.array as da
import numpy as np
import pytest

from napari_spheroseg.classification.large import ClassMap, find_objects
from napari_spheroseg.classification.result import class_map
from napari_spheroseg.classification.run import classify_steps, open_judge
from napari_spheroseg.classification.teach import describe, teach
from napari_spheroseg.errors import BadImage, Cancelled
from napari_spheroseg.inference.frames import Frames
from napari_spheroseg.segmentation.large.source import Source
from napari_spheroseg.steps import run_to_end


def told(image, labels, judge, **how):
    return run_to_end(classify_steps(Frames.of(image), labels, judge, **how))


def lazy(array):
    return da.from_array(array, chunks=(*(1,) * (array.ndim - 2), 16, 16))


@pytest.fixture
def judge(classifier):
    return open_judge(classifier, "cpu", "torch")


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    """Objects lie across the borders of windows, and are longer than one."""
    from napari_spheroseg.classification import large

    monkeypatch.setattr(large.judge_by_window, "__defaults__", (16,))


@pytest.mark.parametrize("intensity", [None, "percentile"])
def test_classes_are_those_of_the_whole(image, labels, judge, intensity):
    settings = None
    if intensity:
        from napari_spheroseg.classification.settings import ClassifySettings

        settings = ClassifySettings(intensity=intensity)
    whole = told(image, labels, judge, settings=settings)
    windows = told(lazy(image), lazy(labels), judge, settings=settings, large=100)
    assert windows.table["label"].tolist() == whole.table["label"].tolist()
    names = list(whole.table.filter(like="probability"))
    np.testing.assert_allclose(windows.table[names], whole.table[names], atol=1e-5)
    assert windows.warnings == whole.warnings


def test_frames_of_a_stack_are_looked_at_one_by_one(image, labels, judge):
    stack = np.stack([image, np.full_like(image, np.nan), image])
    numbers = np.stack([labels, labels, 0 * labels])
    whole = told(stack, numbers, judge)
    windows = told(lazy(stack), lazy(numbers), judge, large=100)
    assert windows.table["class"].equals(whole.table["class"])
    assert windows.warnings == whole.warnings


class Watched:
    """An array that is not in memory, and how much of it was read at once."""

    def __init__(self, array):
        self._array, self.largest = array, 0
        self.shape, self.dtype, self.chunks = array.shape, array.dtype, (256, 256)

    def __getitem__(self, key):
        found = self._array[key]
        self.largest = max(self.largest, found.size)
        return found


def test_no_array_is_ever_read_as_a_whole(image, labels, judge):
    places = [(0, slice(2000, 2060), slice(1000, 1080)), (1, slice(100, 160), slice(2100, 2180))]
    wide, numbers = np.zeros((2100, 2200), np.float32), np.zeros((2100, 2200), np.int32)
    for number, *place in places:
        wide[tuple(place)] = image
        numbers[tuple(place)] = np.where(labels > 0, labels + 1000 * number, 0)
    seen, given = Watched(wide), Watched(numbers)
    whole = told(wide, numbers, judge)
    windows = told(seen, given, judge, large=100)
    assert windows.table["class"].tolist() == whole.table["class"].tolist()
    assert max(seen.largest, given.largest) <= 1024 * 1024


def test_objects_are_found_whatever_windows_they_lie_in(labels):
    source = Source.of(Frames(lazy(labels), "YX"), ())
    names, sides = run_to_end(find_objects(source, 8))
    assert names.tolist() == [2, 7, 12, 31, 32, 900]
    assert sides[names == 900].tolist() == [[20, 5, 55, 15]]


def test_an_object_that_no_memory_holds_has_no_class(image, labels, judge, monkeypatch):
    from napari_spheroseg.classification import large

    monkeypatch.setattr(large, "_LARGEST", 600)
    done = told(lazy(image), lazy(labels), judge, large=100)
    assert done.table.set_index("label")["class"].isna().to_dict()[31]
    assert "1 of 6 objects have no class" in done.warnings[-1]


def test_what_is_taught_by_measures_says_that_it_needs_all_of_the_image(draw_kinds):
    image, labels, kinds = draw_kinds(3, seed=1)
    taught = teach(describe(labels, image), kinds)
    with pytest.raises(BadImage, match=r"too large.*cell_classifier"):
        told(lazy(image), lazy(labels), taught, large=100)


def test_an_array_in_memory_is_never_too_large(draw_kinds):
    image, labels, kinds = draw_kinds(3, seed=1)
    taught = teach(describe(labels, image), kinds)
    assert len(told(image, labels, taught, large=100).table) == len(kinds)


def test_it_can_be_cancelled_while_objects_are_looked_for(image, labels, judge):
    seen = []
    steps = classify_steps(Frames.of(lazy(image)), lazy(labels), judge, large=100)
    with pytest.raises(Cancelled):
        run_to_end(steps, lambda *step: seen.append(step), lambda: len(seen) == 2)
    assert seen == [(0, 1), (0, 1)]


def test_a_map_of_classes_is_read_by_window(image, labels, judge):
    done = told(image, labels, judge)
    whole = class_map(labels, done.table, done.classes)
    windows = ClassMap(lazy(labels), done.table, done.classes, "")
    assert np.array_equal(windows[20:50, 7:60], whole[20:50, 7:60])
