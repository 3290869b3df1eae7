import json
import sys

import numpy as np
import pytest
import tifffile

import napari_spheroseg as ss
from napari_spheroseg.batch.outputs import (
    DEFAULT,
    OUTPUTS,
    check_outputs,
    replacing_folder,
    write_outputs,
    write_result,
    written_by,
)
from napari_spheroseg.errors import MissingPackage, UnknownName, UnreadableFile
from napari_spheroseg.readwrite.geojson import read_geojson
from napari_spheroseg.readwrite.imagej import read_rois
from napari_spheroseg.readwrite.images import open_image, read_image
from napari_spheroseg.segmentation.polygons import rasterise


@pytest.fixture
def segment(bright):
    def run(image, **settings):
        settings = {"model": str(bright), "device": "cpu", "pixel_size": (0.5, 0.7)} | settings
        return ss.segment(image, **settings)

    return run


@pytest.fixture
def plane(segment, image):
    return segment(image, tolerance=0.0)


@pytest.fixture
def movie(segment, image):
    """Three frames of 3, 0 and 2 objects."""
    two = image.copy()
    two[:60, 100:] = 100
    empty = np.full_like(image, 100)
    empty[0, 0] = 101
    return segment(np.stack([image, empty, two]), axes="TYX", tolerance=0.0)


@pytest.fixture
def region(segment, image):
    return segment(image, region=(10, 120, 8, 150), tolerance=0.0)


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def coco_labels(path, number):
    coco = pytest.importorskip("pycocotools.coco")
    dataset = coco.COCO(str(path))
    size = dataset.imgs[number]
    values = np.zeros((size["height"], size["width"]), np.int32)
    for each in dataset.loadAnns(dataset.getAnnIds(imgIds=[number])):
        values[dataset.annToMask(each) > 0] = each["label"]
    return values


# ---------------------------------------------------------------- the choice


@pytest.mark.parametrize("kind", ["plane", "movie"])
def test_every_output_writes_what_it_says(kind, request, tmp_path):
    result = request.getfixturevalue(kind)
    for name, each in OUTPUTS.items():
        (written,) = write_outputs(result, tmp_path / name, "a", [name])
        assert names(tmp_path / name) == [written]
        assert written in written_by("a", [name])
        assert each.name == name
        assert each.title


def test_all_outputs_can_be_had_at_once(plane, tmp_path):
    assert sorted(write_outputs(plane, tmp_path / "new", "a", OUTPUTS)) == names(tmp_path / "new")


def test_a_second_run_replaces_what_the_first_wrote(movie, tmp_path):
    write_outputs(movie, tmp_path, "a", OUTPUTS)
    before = names(tmp_path)
    (tmp_path / "a_outlines" / "a_t99.png").write_text("of a longer movie")
    write_outputs(movie, tmp_path, "a", OUTPUTS)
    assert names(tmp_path) == before
    assert names(tmp_path / "a_outlines") == ["a_t0.png", "a_t1.png", "a_t2.png"]


def test_a_name_given_twice_is_written_once(plane, tmp_path):
    assert write_outputs(plane, tmp_path, "a", ["rois", "rois"]) == ("a_rois.zip",)


def test_an_unknown_output_names_the_near_one_and_writes_nothing(plane, tmp_path):
    with pytest.raises(UnknownName, match="did you mean 'polygons'"):
        write_outputs(plane, tmp_path / "new", "a", ["labels", "polygon"])
    assert not (tmp_path / "new").exists()


def test_without_zarr_the_error_names_the_extra_and_nothing_is_written(
    plane, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(MissingPackage, match=r"napari-spheroseg\[large\]"):
        write_outputs(plane, tmp_path / "new", "a", ["labels", "zarr"])
    assert not (tmp_path / "new").exists()
    assert [kind.name for kind in check_outputs(DEFAULT)] == ["labels", "polygons"]


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_folder_that_cannot_be_written_is_an_error(name, plane, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableFile):
        write_outputs(plane, tmp_path / "file", "a", [name])


def test_the_default_is_what_a_result_was_always_written_as(plane, tmp_path):
    write_result(plane, tmp_path, "a", with_table=True)
    assert names(tmp_path) == ["a_labels.tif", "a_measurements.csv", "a_polygons.geojson"]


# ---------------------------------------------------------------- each against the labels


def test_labels_come_back_with_axes_and_pixel_size(movie, tmp_path):
    write_outputs(movie, tmp_path, "a", ["labels"])
    file = read_image(tmp_path / "a_labels.tif")
    assert np.array_equal(file.data, movie.labels)
    assert (file.axes, file.pixel_size) == ("TYX", (0.5, 0.7))


def test_probability_comes_back_as_it_was(movie, tmp_path):
    write_outputs(movie, tmp_path, "a", ["probability"])
    file = read_image(tmp_path / "a_probability.tif")
    assert file.data.dtype == np.float32
    assert np.array_equal(file.data, movie.probability)
    assert (file.axes, file.pixel_size) == ("TYX", (0.5, 0.7))
    with tifffile.TiffFile(tmp_path / "a_probability.tif") as tiff:
        assert tiff.is_ome
        assert tiff.pages[0].compression != 1


def test_polygons_hold_every_pixel_and_their_measures(plane, tmp_path):
    write_outputs(plane, tmp_path, "a", ["polygons"])
    content = read_geojson(tmp_path / "a_polygons.geojson")
    assert np.array_equal(rasterise(content.polygons, plane.labels.shape), plane.labels)
    assert content.recipe == plane.recipe
    features = json.loads((tmp_path / "a_polygons.geojson").read_text())["features"]
    assert all("area_um2" in each["properties"]["measurements"] for each in features)


def test_rois_hold_every_pixel_of_each_frame(movie, tmp_path):
    write_outputs(movie, tmp_path, "a", ["rois"])
    content = read_rois(tmp_path / "a_rois.zip")
    assert content.axes == "T"
    for t in range(3):
        found = [each for each in content.polygons if each.frame == (t,)]
        assert np.array_equal(rasterise(found, movie.labels.shape[1:]), movie.labels[t])


@pytest.mark.parametrize("kind", ["plane", "movie"])
def test_zarr_holds_the_labels(kind, request, tmp_path):
    result = request.getfixturevalue(kind)
    write_outputs(result, tmp_path, "a", ["zarr"])
    file = open_image(tmp_path / "a_labels.ome.zarr")
    assert np.array_equal(file.data[:], result.labels)
    assert file.pixel_size == (0.5, 0.7)


@pytest.mark.parametrize("kind", ["plane", "movie"])
def test_the_reader_of_ome_finds_the_labels(kind, request, tmp_path):
    reader = pytest.importorskip("ome_zarr.reader")
    io = pytest.importorskip("ome_zarr.io")
    result = request.getfixturevalue(kind)
    write_outputs(result, tmp_path, "a", ["zarr"])
    node = next(iter(reader.Reader(io.parse_url(tmp_path / "a_labels.ome.zarr"))()))
    assert np.array_equal(node.data[0].compute(), result.labels)
    axes = [axis["name"] for axis in node.metadata["axes"]]
    assert axes == list(result.frames.leading_axes.lower() + "yx")
    (scale,) = node.metadata["coordinateTransformations"][0]
    assert scale["scale"][-2:] == [0.5, 0.7]


def test_coco_holds_every_pixel(plane, tmp_path):
    write_outputs(plane, tmp_path, "a", ["coco"], image="a.tif")
    assert np.array_equal(coco_labels(tmp_path / "a_coco.json", 1), plane.labels)
    (said,) = json.loads((tmp_path / "a_coco.json").read_text())["images"]
    assert said == {"id": 1, "file_name": "a.tif", "height": 128, "width": 160}


def test_the_frames_of_a_stack_are_images_of_coco(movie, tmp_path):
    write_outputs(movie, tmp_path, "a", ["coco"], image="a.tif")
    said = json.loads((tmp_path / "a_coco.json").read_text())["images"]
    assert [each["file_name"] for each in said] == ["a_t0.tif", "a_t1.tif", "a_t2.tif"]
    assert [(each["stack"], each["frame"]) for each in said] == [
        ("a.tif", {"t": t}) for t in range(3)
    ]
    for t in range(3):
        assert np.array_equal(coco_labels(tmp_path / "a_coco.json", t + 1), movie.labels[t])


def test_of_a_region_coco_says_the_place_in_the_whole_image(region, tmp_path):
    write_outputs(region, tmp_path, "a", ["coco"])
    whole = np.zeros((128, 160), np.int32)
    whole[10:120, 8:150] = region.labels
    assert np.array_equal(coco_labels(tmp_path / "a_coco.json", 1), whole)


def coloured(path):
    return np.ptp(read_image(path).data.astype(int), axis=-1) > 20


def border(labels):
    """Pixels within one of an outline."""
    from skimage.segmentation import find_boundaries

    return find_boundaries(labels, mode="thick")


def test_outlines_lie_where_the_labels_end(plane, tmp_path):
    write_outputs(plane, tmp_path, "a", ["outlines"])
    lines = coloured(tmp_path / "a_outlines.png")
    assert (lines & border(plane.labels)).sum() > 0.95 * lines.sum() > 0


def test_outlines_of_a_region_lie_on_the_region(region, tmp_path):
    write_outputs(region, tmp_path, "a", ["outlines"])
    lines = coloured(tmp_path / "a_outlines.png")
    assert lines.shape == region.labels.shape
    assert (lines & border(region.labels)).sum() > 0.95 * lines.sum() > 0


def test_each_frame_of_a_stack_has_a_picture(movie, tmp_path):
    write_outputs(movie, tmp_path, "a", ["outlines"])
    drawn = [coloured(tmp_path / "a_outlines" / f"a_t{t}.png").any() for t in range(3)]
    assert drawn == [True, False, True]


def test_only_frames_that_were_predicted_are_drawn_and_annotated(segment, image, tmp_path):
    result = segment(np.stack([image] * 12), axes="TYX", frames=((1,), (11,)))
    write_outputs(result, tmp_path, "a", ["outlines", "coco"])
    assert names(tmp_path / "a_outlines") == ["a_t01.png", "a_t11.png"]
    said = json.loads((tmp_path / "a_coco.json").read_text())["images"]
    assert [each["frame"]["t"] for each in said] == [1, 11]


# ---------------------------------------------------------------- folders as a whole


def fail(path):
    with replacing_folder(path) as temporary:
        temporary.mkdir()
        raise OSError("disk full")


def test_a_folder_is_complete_or_as_it_was(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").write_text("")
    with pytest.raises(UnreadableFile, match="disk full"):
        fail(tmp_path / "a")
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["old"]


def test_a_folder_of_an_earlier_run_comes_back_if_it_cannot_be_replaced(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(UnreadableFile), replacing_folder(tmp_path / "a"):
        pass  # nothing was written
    assert names(tmp_path) == ["a"]
