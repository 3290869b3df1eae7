import csv
import json

import numpy as np
import pytest
import tifffile

import napari_spheroseg as ss
from napari_spheroseg.batch.run import segment_files
from napari_spheroseg.errors import BadSetting, SpherosegError, UnknownName
from napari_spheroseg.readwrite.geojson import read_geojson
from napari_spheroseg.readwrite.images import read_image


@pytest.fixture
def folder(tmp_path, image):
    """Three good images, and files that cannot be segmented between them."""
    place = tmp_path / "in"
    place.mkdir()
    metadata = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(place / "a.tif", image, ome=True, metadata=metadata)
    (place / "b_empty.tif").write_bytes(b"")
    (place / "b_text.png").write_text("no picture")
    tifffile.imwrite(place / "c.tif", image[::-1], ome=True, metadata=metadata)
    tifffile.imwrite(place / "d_complex.tif", np.zeros((64, 64), np.complex64))
    tifffile.imwrite(place / "e_constant.tif", np.full((64, 64), 7, np.uint16))
    return place


@pytest.fixture
def run(bright, tmp_path):
    def segment(paths, **settings):
        out = settings.pop("out", tmp_path / "out")
        settings = {"model": str(bright), "device": "cpu"} | settings
        return list(segment_files(list(paths), out, **settings))

    return segment


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def rows(out):
    with (out / "measurements.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def record(out):
    return json.loads((out / "run.json").read_text())


def good(folder):
    return [folder / "a.tif", folder / "c.tif"]


def test_every_image_gets_labels_and_polygons(run, folder, out):
    run(good(folder))
    assert sorted(path.name for path in out.iterdir()) == [
        "a_labels.tif",
        "a_polygons.geojson",
        "c_labels.tif",
        "c_polygons.geojson",
        "images.csv",
        "journal.sqlite",
        "measurements.csv",
        "report.html",
        "run.json",
        "sizes.svg",
    ]


def test_what_is_written_is_what_a_script_gets(run, folder, out, image, bright):
    run([folder / "a.tif"])
    result = ss.segment(image, str(bright), pixel_size=0.5, device="cpu")
    assert np.array_equal(read_image(out / "a_labels.tif").data, result.labels)
    polygons = read_geojson(out / "a_polygons.geojson").polygons
    assert [each.id for each in polygons] == [each.id for each in result.polygons]
    areas = [float(row["area_um2"]) for row in rows(out)]
    assert areas == pytest.approx(result.table["area_um2"].tolist())


def test_one_table_holds_the_objects_of_all_files(run, folder, out):
    run(good(folder))
    assert [row["file"] for row in rows(out)] == ["a.tif"] * 3 + ["c.tif"] * 3


def test_the_pixel_size_is_the_files_own(run, folder, out):
    run([folder / "a.tif"])
    assert "area_um2" in rows(out)[0]
    assert read_image(out / "a_labels.tif").pixel_size == (0.5, 0.5)


def test_a_given_pixel_size_wins_over_the_files(run, folder, out):
    run([folder / "a.tif"], pixel_size=2)
    assert read_image(out / "a_labels.tif").pixel_size == (2, 2)


def test_one_broken_file_stops_no_other(run, folder, out):
    items = run(sorted(folder.iterdir()))
    states = {item.path.name: item.error is None for item in items}
    assert states == {
        "a.tif": True,
        "b_empty.tif": False,
        "b_text.png": False,
        "c.tif": True,
        "d_complex.tif": False,
        "e_constant.tif": True,
    }
    assert (out / "c_labels.tif").is_file()


def test_a_file_that_fails_leaves_no_result(run, folder, out):
    run(sorted(folder.iterdir()))
    assert not [path.name for path in out.iterdir() if path.name.startswith((".", "b_", "d_"))]


def test_the_record_lists_what_failed_and_why(run, folder, out):
    run(sorted(folder.iterdir()))
    images = {each["file"].split("/")[-1].split("\\")[-1]: each for each in record(out)["images"]}
    assert images["a.tif"]["state"] == "done"
    assert images["a.tif"]["objects"] == 3
    assert images["b_empty.tif"]["state"] == "failed"
    assert "b_empty.tif" in images["b_empty.tif"]["error"]
    assert "complex" in images["d_complex.tif"]["error"]
    assert "constant" in images["e_constant.tif"]["warnings"][0]


def test_the_record_holds_a_recipe_that_makes_the_results_again(run, folder, out, image):
    run([folder / "a.tif"], threshold=0.4, min_area=400)
    result = ss.segment(image, **record(out)["recipe"])
    assert np.array_equal(read_image(out / "a_labels.tif").data, result.labels)


def test_the_recipe_in_the_polygons_makes_the_result_again(run, folder, out, image):
    run([folder / "a.tif"], min_area=400)
    result = ss.segment(image, **read_geojson(out / "a_polygons.geojson").recipe)
    assert np.array_equal(read_image(out / "a_labels.tif").data, result.labels)
    assert result.recipe["pixel_size"] == [0.5, 0.5]


def test_the_record_is_valid_json_with_versions_and_times(run, folder, out):
    run(good(folder))
    content = record(out)
    assert content["started"] <= content["finished"]
    assert "torch" in content["versions"]


def test_an_image_without_objects_gets_results_too(run, folder, out):
    (item,) = run([folder / "e_constant.tif"])
    assert (item.error, item.objects) == (None, 0)
    assert read_image(out / "e_constant_labels.tif").data.max() == 0
    assert read_geojson(out / "e_constant_polygons.geojson").polygons == []
    assert rows(out) == []


def test_where_all_fail_there_is_a_record_and_no_table(run, folder, out):
    run([folder / "b_empty.tif"])
    found = sorted(path.name for path in out.iterdir())
    assert found == ["images.csv", "journal.sqlite", "run.json"]


def test_a_stack_is_written_with_its_axes(run, tmp_path, out, image):
    tifffile.imwrite(
        tmp_path / "s.tif", np.stack([image, image]), imagej=True, metadata={"axes": "TYX"}
    )
    run([tmp_path / "s.tif"])
    labels = read_image(out / "s_labels.tif")
    assert labels.axes == "TYX"
    assert labels.data.max() == 6
    assert [row["t"] for row in rows(out)] == ["0"] * 3 + ["1"] * 3
    polygons = read_geojson(out / "s_polygons.geojson").polygons
    assert [each.frame for each in polygons] == [(0,)] * 3 + [(1,)] * 3


def test_files_of_the_same_name_overwrite_no_results(run, tmp_path, out, image):
    paths = [tmp_path / place / "x.tif" for place in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        tifffile.imwrite(path, image)
    run(paths)
    assert sorted(path.name for path in out.glob("*.tif")) == [
        "one_x_labels.tif",
        "two_x_labels.tif",
    ]


def test_when_the_caller_stops_the_record_tells_what_is_done(folder, bright, out):
    items = segment_files(good(folder), out, str(bright), device="cpu")
    next(items)
    items.close()
    assert [each["state"] for each in record(out)["images"]] == ["done", "waiting"]
    assert len(rows(out)) == 3


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"model": "nothing"}, UnknownName),
        ({"threshold": 3}, BadSetting),
        ({"colour": "red"}, BadSetting),
        ({"pixel_size": 0}, BadSetting),
        ({"min_area": 100, "max_area": 5}, BadSetting),
        ({"low_threshold": 0.9}, BadSetting),
        ({"low": 90, "high": 10}, BadSetting),
    ],
)
def test_a_bad_setting_stops_before_anything_is_written(settings, error, run, folder, out):
    with pytest.raises(error):
        run(good(folder), **settings)
    assert not out.exists()


def test_results_that_cannot_be_written_are_an_error_of_ours(run, folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SpherosegError, match="cannot be written"):
        run(good(folder), out=tmp_path / "file")
