"""What we write is GeoJSON (RFC 7946), as an independent validator sees it."""

import json

import numpy as np
import pytest

from napari_spheroseg.readwrite.geojson import PolygonFile, write_geojson
from napari_spheroseg.segmentation.polygons import Polygon, outline

FeatureCollection = pytest.importorskip("geojson_pydantic").FeatureCollection

SHAPE = (100, 120)


def validated(path, content, rows=()):
    write_geojson(path, content, rows)
    return FeatureCollection.model_validate_json(path.read_text())


@pytest.fixture
def labels(disc):
    values = np.zeros(SHAPE, np.int32)
    values[disc(SHAPE, (50, 50), 40) & ~disc(SHAPE, (50, 50), 25)] = 1
    values[disc(SHAPE, (50, 50), 10)] = 2
    values[0, 0] = 3
    return values


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.geojson"


@pytest.mark.parametrize("tolerance", [0, 0.5, 5])
def test_polygons_with_holes_are_valid(tolerance, path, labels):
    found = validated(path, PolygonFile(outline(labels, tolerance)))
    assert [each.geometry.type for each in found.features] == ["Polygon"] * 3
    assert [len(each.geometry.coordinates) for each in found.features] == [2, 1, 1]


def test_the_measures_of_objects_are_valid(path, labels):
    rows = [{"label": 1, "area_px2": 3.0, "edge": np.True_, "mean_intensity": float("nan")}]
    content = PolygonFile(outline(labels), "", (0.5, 0.7), {"threshold": 0.5})
    found = validated(path, content, rows)
    assert found.features[0].properties["measurements"] == {"area_px2": 3.0, "edge": 1.0}


@pytest.mark.parametrize("axes", ["T", "Z", "TZ", "PTZ"])
def test_the_polygons_of_stacks_are_valid(axes, path):
    square = np.array([(0, 0), (0, 9), (9, 9)], np.float32)
    frames = [(0,) * len(axes), (3,) * len(axes)]
    polygons = [Polygon(number, square, frame=frame) for number, frame in enumerate(frames)]
    found = validated(path, PolygonFile(polygons, axes))
    assert [tuple(each.properties["frame"]) for each in found.features] == frames


def test_a_file_without_objects_is_valid(path):
    assert validated(path, PolygonFile([])).features == []


def test_nothing_is_lost_by_a_program_that_knows_no_more_than_geojson(path, labels):
    found = validated(path, PolygonFile(outline(labels)))
    ours = json.loads(path.read_text())["features"]
    theirs = json.loads(found.model_dump_json())["features"]
    for a, b in zip(ours, theirs, strict=True):
        assert a["geometry"]["coordinates"] == b["geometry"]["coordinates"]
        assert a["properties"] == b["properties"]
