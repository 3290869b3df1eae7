import json

import numpy as np
import pytest

from napari_spheroseg.errors import UnreadableFile
from napari_spheroseg.readwrite.geojson import PolygonFile, read_geojson, write_geojson
from napari_spheroseg.segmentation.polygons import Polygon, outline, rasterise

SHAPE = (100, 120)


@pytest.fixture
def labels(disc):
    """A ring, a disc in its hole, and a disc beside it."""
    values = np.zeros(SHAPE, np.int32)
    values[disc(SHAPE, (50, 50), 40) & ~disc(SHAPE, (50, 50), 25)] = 1
    values[disc(SHAPE, (50, 50), 10)] = 2
    values[disc(SHAPE, (20, 105), 8)] = 3
    return values


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.geojson"


def through(path, polygons, **more):
    write_geojson(path, PolygonFile(polygons, **more))
    return read_geojson(path)


def collection(*geometries, **properties):
    features = [
        {"type": "Feature", "geometry": geometry, "properties": properties}
        for geometry in geometries
    ]
    return {"type": "FeatureCollection", "features": features}


SQUARE = [[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]]


# ---------------------------------------------------------------- what is written


def test_rings_are_closed(path, labels):
    write_geojson(path, PolygonFile(outline(labels)))
    for feature in json.loads(path.read_text())["features"]:
        for ring in feature["geometry"]["coordinates"]:
            assert ring[0] == ring[-1]
            assert len(ring) >= 4


def test_the_outer_ring_comes_first_then_the_holes(path, labels):
    write_geojson(path, PolygonFile(outline(labels)))
    first = json.loads(path.read_text())["features"][0]["geometry"]
    assert first["type"] == "Polygon"
    spans = [np.ptp(np.array(ring), axis=0).max() for ring in first["coordinates"]]
    assert spans == pytest.approx([81, 51], abs=1)


def test_coordinates_are_x_before_y_from_the_corner_of_the_first_pixel(path):
    values = np.zeros((20, 30), np.int32)
    values[2:5, 10:20] = 1
    write_geojson(path, PolygonFile(outline(values, 0)))
    (ring,) = json.loads(path.read_text())["features"][0]["geometry"]["coordinates"]
    assert np.min(ring, axis=0).tolist() == [10, 2]
    assert np.max(ring, axis=0).tolist() == [20, 5]


def test_the_file_says_unit_pixel_size_and_recipe(path, labels):
    write_geojson(path, PolygonFile(outline(labels), "", (0.5, 0.7), {"threshold": 0.5}))
    ours = json.loads(path.read_text())["spheroseg"]
    assert ours["unit"] == "px"
    assert ours["pixel_size_um"] == {"y": 0.5, "x": 0.7}
    assert ours["recipe"] == {"threshold": 0.5}


def test_measures_go_to_the_polygon_of_their_label(path, labels):
    rows = [{"label": 3, "area_px2": 201.0}, {"label": 1, "area_px2": np.nan, "edge": np.True_}]
    write_geojson(path, PolygonFile(outline(labels)), rows)
    features = json.loads(path.read_text())["features"]
    measures = [feature["properties"].get("measurements") for feature in features]
    assert measures == [{"edge": 1.0}, None, {"area_px2": 201.0}]


def test_what_is_not_a_number_is_never_written_as_nan(path, labels):
    rows = [{"label": 1, "mean_intensity": float("nan"), "ratio": float("inf")}]
    write_geojson(path, PolygonFile(outline(labels)), rows)
    assert "NaN" not in path.read_text()
    assert "Infinity" not in path.read_text()


# ---------------------------------------------------------------- there and back


def test_a_hole_survives_the_round_trip_through_geojson(path, labels):
    polygons = through(path, outline(labels)).polygons
    assert [len(polygon.holes) for polygon in polygons] == [1, 0, 0]


def test_every_pixel_survives_the_round_trip_through_geojson(path, labels):
    polygons = through(path, outline(labels, 0)).polygons
    assert np.array_equal(rasterise(polygons, SHAPE), labels)


@pytest.mark.parametrize("tolerance", [0, 0.5])
def test_corners_survive_the_round_trip_through_geojson(tolerance, path, labels):
    before = outline(labels, tolerance)
    for old, new in zip(before, through(path, before).polygons, strict=True):
        for a, b in zip(old.rings, new.rings, strict=True):
            assert np.allclose(a, b, atol=1e-3)


@pytest.mark.parametrize("mean_probability", [0.8, float("nan")])
def test_what_is_known_of_a_polygon_survives_the_round_trip(mean_probability, path):
    square = np.array([(0, 0), (0, 9), (9, 9)], np.float32)
    before = Polygon(17, square, (), "debris", 4, mean_probability, (2, 1))
    (after,) = through(path, [before], axes="TZ").polygons
    assert (after.id, after.name, after.parent, after.frame) == (17, "debris", 4, (2, 1))
    assert after.mean_probability == pytest.approx(mean_probability, nan_ok=True)


def test_axes_pixel_size_and_recipe_survive_the_round_trip(path, labels):
    file = through(
        path, outline(labels), axes="TZ", pixel_size=(0.5, 0.7), recipe={"size": [64, 64]}
    )
    assert (file.axes, file.pixel_size) == ("TZ", (0.5, 0.7))
    assert file.recipe == {"size": [64, 64]}


def test_a_file_without_objects_survives_the_round_trip(path):
    assert through(path, []).polygons == []


# ---------------------------------------------------------------- what others write


def read(path, content):
    path.write_text(json.dumps(content))
    return read_geojson(path)


def test_the_polygons_of_qupath_are_read(path):
    geometry = {"type": "Polygon", "coordinates": [SQUARE]}
    content = collection(geometry, objectType="annotation", classification={"name": "Tumor"})
    (polygon,) = read(path, content).polygons
    assert (polygon.id, polygon.name) == (1, "Tumor")
    assert polygon.outer.min() == -0.5


def test_a_bare_list_of_features_is_read(path):
    content = collection({"type": "Polygon", "coordinates": [SQUARE]})["features"]
    assert len(read(path, content).polygons) == 1


def test_the_parts_of_a_multipolygon_share_their_number(path):
    geometry = {"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE]]}
    assert [each.id for each in read(path, collection(geometry)).polygons] == [1, 1]


def test_other_geometries_are_passed_over(path):
    point = {"type": "Point", "coordinates": [3, 4]}
    square = {"type": "Polygon", "coordinates": [SQUARE]}
    assert len(read(path, collection(point, square)).polygons) == 1


def test_an_open_ring_is_read_like_a_closed_one(path):
    open_ring = {"type": "Polygon", "coordinates": [SQUARE[:-1]]}
    assert len(read(path, collection(open_ring)).polygons[0].outer) == 4


def test_a_third_coordinate_is_ignored(path):
    high = {"type": "Polygon", "coordinates": [[[*point, 7] for point in SQUARE]]}
    assert read(path, collection(high)).polygons[0].outer.shape == (4, 2)


@pytest.mark.parametrize("number", ["a-uuid", None, 1.0])
def test_an_id_that_is_no_number_is_counted(number, path):
    geometry = {"type": "Polygon", "coordinates": [SQUARE]}
    assert read(path, collection(geometry, id=number)).polygons[0].id == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "42",
        "null",
        '"text"',
        "{}",
        '{"features": 3}',
        '{"features": [3]}',
        '{"features": [{}]}',
        '{"features": [{"geometry": null}]}',
        json.dumps(collection({"type": "Polygon", "coordinates": []})),
        json.dumps(collection({"type": "Polygon", "coordinates": [[]]})),
        json.dumps(collection({"type": "Polygon", "coordinates": [SQUARE[:2]]})),
        json.dumps(collection({"type": "Polygon", "coordinates": [["a", "b", "c"]]})),
        json.dumps(collection({"type": "Polygon", "coordinates": 3})),
        '{"features": [], "spheroseg": 3}',
        '{"features": [], "spheroseg": {"pixel_size_um": 3}}',
        '{"features": [], "spheroseg": {"pixel_size_um": {"y": 1}}}',
        json.dumps(collection({"type": "Polygon", "coordinates": [SQUARE]}, id=float("inf"))),
    ],
)
def test_what_is_no_geojson_is_refused(text, path):
    path.write_text(text)
    with pytest.raises(UnreadableFile, match=r"a\.geojson"):
        read_geojson(path)


def test_bytes_that_are_no_text_are_refused(path):
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UnreadableFile):
        read_geojson(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="cannot be read"):
        read_geojson(tmp_path / "nowhere.geojson")


def test_measurements_go_to_the_polygon_of_their_own_frame(tmp_path):
    square = np.array([(0, 0), (0, 4), (4, 4), (4, 0)], np.float32)
    polygons = [Polygon(1, square, frame=(t,)) for t in (0, 1)]
    rows = [{"label": 1, "t": t, "area_px2": 10.0 * (t + 1)} for t in (0, 1)]
    write_geojson(tmp_path / "p.geojson", PolygonFile(polygons, "T"), rows)
    features = json.loads((tmp_path / "p.geojson").read_text())["features"]
    assert [f["properties"]["measurements"]["area_px2"] for f in features] == [10.0, 20.0]
