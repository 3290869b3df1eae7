import csv
import json
import shutil

import cv2
import numpy as np
import pytest
import tifffile
import zarr
from typer.testing import CliRunner

import napari_spheroseg as ss
from napari_spheroseg.batch.drawings import overview
from napari_spheroseg.batch.find import find_images, output_stems
from napari_spheroseg.batch.items import File
from napari_spheroseg.batch.run import segment_files
from napari_spheroseg.inference.frames import Frames
from napari_spheroseg.readwrite.images import open_image

HOW = {"device": "cpu", "backend": "torch", "tile": 64}


@pytest.fixture
def folder(tmp_path, image):
    """The same image as OME-Zarr and as TIFF, and smaller ones."""
    place = tmp_path / "in"
    place.mkdir()
    group = zarr.create_group(str(place / "slide.ome.zarr"), zarr_format=2)
    array = group.create_array("0", shape=image.shape, chunks=(50, 50), dtype=image.dtype)
    array[:] = image
    scale = [{"type": "scale", "scale": [0.5, 0.5]}]
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    tifffile.imwrite(place / "large.tif", image, tile=(64, 64))
    tifffile.imwrite(place / "small.tif", image[:60, :80])
    return place


@pytest.fixture
def items(folder, tmp_path, bright):
    paths = find_images([folder])
    megapixels = 10_000 / 1e6  # large: of 128 by 160; small: of 60 by 80
    return list(segment_files(paths, tmp_path / "out", str(bright), large_above=megapixels, **HOW))


def test_zarr_folders_are_found_among_files(folder):
    assert [path.name for path in find_images([folder])] == [
        "large.tif",
        "slide.ome.zarr",
        "small.tif",
    ]
    assert find_images([folder / "slide.ome.zarr"]) == [folder / "slide.ome.zarr"]
    assert find_images([str(folder / "*.zarr")]) == [folder / "slide.ome.zarr"]


def test_our_own_labels_are_passed_over(folder):
    (folder / "slide.ome.zarr").rename(folder / "slide_labels.ome.zarr")
    assert [path.name for path in find_images([folder])] == ["large.tif", "small.tif"]


def test_both_endings_of_a_zarr_are_no_part_of_the_name(folder):
    assert output_stems([folder / "slide.ome.zarr"]) == {folder / "slide.ome.zarr": "slide"}


def test_large_and_small_images_go_together(items, tmp_path):
    assert [(item.objects, item.error) for item in items] == [(3, None), (3, None), (1, None)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "images.csv",
        "journal.sqlite",
        "large_labels.tif",
        "large_polygons.geojson",
        "measurements.csv",
        "report.html",
        "run.json",
        "sizes.svg",
        "slide_labels.ome.zarr",
        "slide_polygons.geojson",
        "small_labels.tif",
        "small_polygons.geojson",
    ]


def test_labels_are_those_of_a_script(items, tmp_path, image, bright):
    one = ss.segment(image, str(bright), **HOW).labels
    for name in ("large_labels.tif", "slide_labels.ome.zarr"):
        labels = np.asarray(open_image(tmp_path / "out" / name).data)
        assert np.array_equal(labels > 0, one > 0)
        assert labels.max() == one.max()


def test_measurements_are_in_the_unit_of_each_file(items, tmp_path):
    with (tmp_path / "out" / "measurements.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    of_slide = [row for row in rows if row["file"] == "slide.ome.zarr"]
    of_large = [row for row in rows if row["file"] == "large.tif"]
    assert len(of_slide) == len(of_large) == 3
    assert float(of_slide[0]["area_um2"]) == pytest.approx(float(of_large[0]["area_px2"]) / 4)


def test_a_large_image_that_fails_does_not_stop_the_others(folder, tmp_path, bright):
    (folder / "slide.ome.zarr" / "0" / "0.0").write_bytes(b"damaged")
    (folder / "slide.ome.zarr" / "0" / "0" / "0").parent.mkdir(exist_ok=True)
    out = tmp_path / "out"
    paths = find_images([folder])
    items = list(segment_files(paths, out, str(bright), large_above=0.01, **HOW))
    failed = {item.name: bool(item.error) for item in items}
    assert failed == {"large.tif": False, "slide.ome.zarr": True, "small.tif": False}
    assert "cannot be read" in {item.name: item.error for item in items}["slide.ome.zarr"]
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert json.loads((out / "run.json").read_text())["images"][1]["state"] == "failed"


def test_the_command_takes_a_zarr(folder, tmp_path, bright):
    from napari_spheroseg.cli import app

    words = ["segment", folder / "slide.ome.zarr", "-o", tmp_path / "out", "--model", bright]
    words += ["--large-above", 0.01, "--device", "cpu", "--backend", "torch"]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "slide_labels.ome.zarr" / ".zattrs").is_file()


@pytest.fixture
def plate(folder, tmp_path, image):
    """A plate of two wells, of which the first has two fields."""
    root = zarr.create_group(str(tmp_path / "p.zarr"), zarr_format=2)
    fields = {"B/3": ("0", "1"), "C/1": ("0",)}
    wells = [{"path": "B/3", "rowIndex": 1, "columnIndex": 2}]
    wells += [{"path": "C/1", "rowIndex": 2, "columnIndex": 0}]
    root.attrs["plate"] = {"wells": wells}
    for well, own in fields.items():
        group = root.create_group(well)
        group.attrs["well"] = {"images": [{"path": field} for field in own]}
        for field in own:
            slide = folder / "slide.ome.zarr"
            shutil.copytree(slide, tmp_path / "p.zarr" / well / field)
    return tmp_path / "p.zarr"


def test_all_fields_of_a_plate_are_segmented_and_the_tables_say_where_they_are(
    plate, tmp_path, bright
):
    done = list(segment_files(find_images([plate]), tmp_path / "out", str(bright), **HOW))
    assert [item.name for item in done] == ["p.zarr/B/3/0", "p.zarr/B/3/1", "p.zarr/C/1/0"]
    assert [item.error for item in done] == [None] * 3
    assert (tmp_path / "out" / "p_B_3_1_labels.tif").exists()
    for table in ("images.csv", "measurements.csv"):
        with (tmp_path / "out" / table).open() as file:
            rows = {(row["file"], row["well"], row["position"]) for row in csv.DictReader(file)}
        assert rows == {
            ("p.zarr/B/3/0", "B03", "0"), ("p.zarr/B/3/1", "B03", "1"), ("p.zarr/C/1/0", "C01", "")
        }  # fmt: skip


def test_a_plate_is_found_in_its_folder(plate):
    assert [path.name for path in find_images([plate.parent])] == ["0", "1", "0"]


def test_outlines_of_a_large_image_are_drawn_on_a_smaller_copy(
    folder, tmp_path, bright, monkeypatch
):
    monkeypatch.setattr("napari_spheroseg.batch.large.LONGEST", 80)
    how = {"outputs": ("labels", "outlines"), "large_above": 0.01, **HOW}
    (done,) = segment_files([folder / "large.tif"], tmp_path / "out", str(bright), **how)
    assert done.error is None
    assert done.warnings == ()
    drawn = cv2.imread(str(tmp_path / "out" / "large_outlines.png"))
    assert drawn.shape == (64, 80, 3)
    coloured = drawn.max(axis=2) != drawn.min(axis=2)
    assert coloured[20, 9:12].any()  # left edge of the disc of radius 20 around (40, 40)
    assert not coloured[15:25, 15:25].any()


def test_where_outlines_of_a_large_image_fail_nothing_is_left(
    folder, tmp_path, bright, monkeypatch
):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_spheroseg.batch.large.write_drawings", full)
    how = {"outputs": ("labels", "outlines"), "large_above": 0.01, **HOW}
    (failed,) = segment_files([folder / "large.tif"], tmp_path / "out", str(bright), **how)
    assert "No space left" in failed.error
    assert not list((tmp_path / "out").glob("large_*"))


def test_an_overview_is_the_mean_of_what_it_leaves_out():
    values = np.random.default_rng(0).integers(0, 99, (2, 50, 60)).astype(np.float32)
    small = overview(Frames.of(values, "TYX"), (1,), 30)
    blocks = values[1].reshape(25, 2, 30, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(small, blocks, rtol=1e-5)
    assert overview(Frames.of(values, "TYX"), (0,), 60).shape == (50, 60)


def test_objects_of_a_large_stack_are_not_said_to_be_followed(folder, tmp_path, bright, image):
    tifffile.imwrite(folder / "t.tif", np.stack([image] * 2), ome=True, metadata={"axes": "TYX"})
    how = {"track": "overlap", "large_above": 0.01, **HOW}
    (done,) = segment_files([folder / "t.tif"], tmp_path / "out", str(bright), **how)
    assert done.error is None
    assert done.warnings == ("Too large to follow objects through time",)
    with (tmp_path / "out" / "measurements.csv").open() as file:
        assert not any(row.get("track") for row in csv.DictReader(file))
    assert json.loads((tmp_path / "out" / "run.json").read_text())["runs"][-1]["problems"] == []


def test_a_zarr_that_was_written_into_is_another_image(tmp_path):
    array = zarr.create_array(
        str(tmp_path / "a.zarr" / "0"), shape=(8, 8), chunks=(4, 4), dtype=np.uint8
    )
    array[:] = 1
    before = File(tmp_path / "a.zarr").mark()
    assert File(tmp_path / "a.zarr").mark() == before
    array[:4, :4] = 2
    assert File(tmp_path / "a.zarr").mark() != before
