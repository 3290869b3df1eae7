"""Layers become pairs of files that training reads back."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spheroseg.errors import BadImage, BadSetting, UnreadableFile
from napari_spheroseg.training.layers_data import LabelledLayer, write_layers
from napari_spheroseg.training.pairs import find_pairs
from napari_spheroseg.training.settings import Data


def write(folder, *layers):
    steps = write_layers(folder, layers)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


@pytest.fixture
def labels(image):
    out = np.zeros(image.shape, np.int32)
    out[26:55, 26:55] = 5
    out[80:100, 100:120] = 7
    return out


@pytest.fixture
def layer(image, labels):
    return LabelledLayer.of("plate 1", image, labels)


def test_pixels_and_objects_come_back(tmp_path, image, labels, layer):
    pairs = find_pairs(write(tmp_path, layer, LabelledLayer.of("plate 2", image, labels))).pairs
    assert len(pairs) == 2
    for pair in pairs:
        pixels, objects = pair.read()
        np.testing.assert_array_equal(pixels, image)
        np.testing.assert_array_equal(objects > 0, labels > 0)
        assert objects.max() == 2


def test_of_a_stack_only_planes_with_labels_are_written(tmp_path, image, labels):
    stack = np.stack([np.stack([image] * 3)] * 2)
    drawn = np.zeros(stack.shape, np.int32)
    drawn[0, 1] = drawn[1, 2] = labels
    data = write(tmp_path, LabelledLayer.of("movie", stack, drawn, "TZYX"))
    pairs = find_pairs(data).pairs
    names = [pair.image.name for pair in pairs]
    assert names == ["001_movie_t000_z001.tif", "001_movie_t001_z002.tif"]
    for kind, own in (("images", "image"), ("masks", "mask")):
        assert sorted(path.name for path in (tmp_path / kind).iterdir()) == names
        assert [getattr(pair, own) for pair in pairs] == [tmp_path / kind / n for n in names]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_of_three_layers_and_more_a_layer_is_never_on_both_sides(tmp_path, image, labels, count):
    stacks = [np.stack([image] * 4), np.stack([labels] * 4)]
    data = write(tmp_path, *(LabelledLayer.of(f"movie {n}", *stacks) for n in range(count)))
    dataset = find_pairs(data)
    sides = [{pair.image.name[:3] for pair in dataset.part(part)} for part in ("train", "val")]
    assert all(sides)
    assert (not sides[0] & sides[1]) == (count >= 3)


@pytest.mark.parametrize(
    ("planes", "validating"),
    [
        ([2], [1]),
        ([4], [1]),
        ([10], [2]),
        ([20], [4]),
        ([10, 5], [2, 1]),
        ([10, 1], [2, 0]),
        ([1, 1], [0, 1]),
        ([2, 2], [0, 1]),
    ],
)
def test_of_fewer_the_last_planes_of_each_validate(tmp_path, image, labels, planes, validating):
    small = image[20:60, 20:60], labels[20:60, 20:60]
    layers = (
        LabelledLayer.of("movie", *(np.stack([each] * count) for each in small)) for count in planes
    )
    data = write(tmp_path, *layers)
    for seed in range(3):
        found = [pair.part for pair in find_pairs(data, seed).pairs]
        assert found == [
            part
            for count, last in zip(planes, validating, strict=True)
            for part in ["train"] * (count - last) + ["val"] * last
        ]


def test_a_single_plane_is_too_few(tmp_path, layer):
    with pytest.raises(BadSetting, match="only one image"):
        find_pairs(write(tmp_path, layer))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int64", "float16", "float64"])
def test_every_kind_of_image_can_be_written(tmp_path, image, labels, dtype):
    pixels = (image > 1000).astype(dtype)
    layer = LabelledLayer.of("any", pixels, labels)
    for pair in find_pairs(write(tmp_path, layer, layer)).pairs:
        np.testing.assert_array_equal(pair.read()[0], pixels)


def test_colour_stays_colour(tmp_path, image, labels):
    rgb = np.stack([(image / 3000 * 255).astype(np.uint8)] * 3, axis=-1)
    rgb[..., 1] = 7
    layer = LabelledLayer.of("colour", rgb, labels)
    pair = find_pairs(write(tmp_path, layer, layer)).pairs[0]
    np.testing.assert_array_equal(pair.read()[0], rgb)


def test_a_channel_is_taken_and_its_axis_may_be_left_in_the_labels(tmp_path, image, labels):
    channels = np.stack([np.full_like(image, 7), image])
    layer = LabelledLayer.of("channels", channels, labels[None], "CYX", 1)
    pair = find_pairs(write(tmp_path, layer, layer)).pairs[0]
    np.testing.assert_array_equal(pair.read()[0], image)


def test_layers_of_the_same_name_do_not_overwrite_each_other(tmp_path, layer):
    assert len({pair.image for pair in find_pairs(write(tmp_path, layer, layer)).pairs}) == 2


@pytest.mark.parametrize("name", ["größe µm/1", "../../away", "a" * 300, "", "plate labels"])
def test_any_name_of_a_layer_will_do(tmp_path, image, labels, name):
    layer = LabelledLayer.of(name, image, labels)
    data = write(tmp_path / "data", layer, layer)
    assert len(find_pairs(data).pairs) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_labels_of_another_shape_are_refused(image, labels):
    with pytest.raises(BadImage, match="labels"):
        LabelledLayer.of("plate", image, labels[:-1])


def test_several_channels_need_a_choice(image, labels):
    with pytest.raises(BadSetting, match="2 channels"):
        LabelledLayer.of("plate", np.stack([image, image]), labels, "CYX")


def test_empty_labels_are_nothing_to_learn_from(tmp_path, image, labels):
    with pytest.raises(BadImage, match="no labels"):
        write(tmp_path, LabelledLayer.of("plate", image, np.zeros_like(labels)))


def test_a_folder_that_cannot_be_written_says_so(tmp_path, layer):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UnreadableFile, match="cannot be written"):
        write(tmp_path / "data", layer)


def test_lazy_layers_are_read_a_plane_at_a_time(tmp_path, image, labels):
    array = pytest.importorskip("dask.array")
    stack = array.from_array(np.stack([image] * 3), chunks=(1, 64, 64))
    drawn = array.from_array(np.stack([labels] * 3), chunks=(1, 64, 64))
    data = write(tmp_path, LabelledLayer.of("lazy", stack, drawn))
    assert isinstance(data, Data)
    assert len(find_pairs(data).pairs) == 3
