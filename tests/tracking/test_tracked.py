"""A segmentation whose objects keep their numbers through time."""

import json

import numpy as np
import pytest

import napari_spheroseg as ss
from napari_spheroseg.errors import BadSetting
from napari_spheroseg.readwrite.geojson import PolygonFile, read_geojson, write_geojson
from napari_spheroseg.tracking.run import tracked
from napari_spheroseg.tracking.settings import Tracking

SHAPE = (96, 128)


@pytest.fixture(scope="session")
def plane(disc):
    """Bright discs ``(y, x, radius)`` on a dark ground."""

    def draw(*discs):
        image = np.full(SHAPE, 100, np.uint16)
        image[0, 0] = 101
        for y, x, radius in discs:
            image[disc(SHAPE, (y, x), radius)] = 3000
        return image

    return draw


@pytest.fixture(scope="session")
def series(plane):
    """Two discs that pass each other in height, so that each frame numbers them anew; TYX."""
    return np.stack([plane((24 + 8 * t, 30, 12), (72 - 8 * t, 90, 16)) for t in range(6)])


@pytest.fixture
def segment(bright):
    def run(image, axes="TYX", **settings):
        made = {"model": str(bright), "device": "cpu", "axes": axes, "size": SHAPE}
        return ss.segment(image, **made | settings)

    return run


def ids(plane):
    return np.unique(plane[plane > 0]).tolist()


def same_ids_everywhere(result):
    """Of each frame, whether labels, table and polygons name the same objects."""
    leading = [axis.lower() for axis in result.frames.leading_axes]
    rows = {frame: part["label"].tolist() for frame, part in result.table.groupby(leading)}
    outlined = {frame: [p.id for p in result.polygons if p.frame == frame] for frame in rows}
    return all(rows[f] == ids(result.labels[f]) == outlined[f] for f in rows)


def test_objects_keep_their_numbers_in_labels_polygons_and_table(segment, series):
    result = tracked(segment(series))
    small, large = result.labels[0, 24, 30], result.labels[0, 72, 90]
    assert [result.labels[t, 24 + 8 * t, 30] for t in range(6)] == [small] * 6
    assert [result.labels[t, 72 - 8 * t, 90] for t in range(6)] == [large] * 6
    assert result.labels.dtype == np.int32
    assert same_ids_everywhere(result)


def test_a_row_of_the_table_is_still_that_of_its_object(segment, series):
    result = tracked(segment(series))
    areas = result.table.groupby("label")["area_px2"].agg(["min", "max"])
    assert (areas["max"] - areas["min"]).tolist() == [0, 0]
    assert result.table["mean_intensity"].tolist() == [3000] * 12
    assert [p.mean_probability for p in result.polygons] == result.table[
        "mean_probability"
    ].tolist()


def test_tracking_changes_nothing_but_the_numbers(segment, series):
    before = segment(series, pixel_size=0.5)
    after = tracked(before)
    assert np.array_equal(before.labels > 0, after.labels > 0)
    columns = [name for name in before.table.columns if name != "label"]
    order = ["t", "centroid_x_um"]
    assert (
        before.table[columns]
        .sort_values(order, ignore_index=True)
        .equals(after.table[columns].sort_values(order, ignore_index=True))
    )
    assert before.labels.max() == 12  # the one that was given is as it was


def test_motion_follows_in_micrometres_as_in_pixels(segment, series):
    pytest.importorskip("laptrack")
    settings = Tracking(method="motion", max_distance=8)
    for pixel_size in (None, 0.1):
        result = tracked(segment(series, pixel_size=pixel_size), settings)
        assert ids(result.labels) == [1, 2]
        assert same_ids_everywhere(result)


def test_the_recipe_says_how(segment, series):
    settings = Tracking(min_overlap=0.3)
    recipe = tracked(segment(series), settings).recipe
    assert Tracking(**json.loads(json.dumps(recipe["made_with"]["tracking"]))) == settings
    assert "corrected_by_hand" not in recipe["made_with"]


def test_the_recipe_makes_the_objects_again(segment, series):
    result = tracked(segment(series))
    again = tracked(ss.segment(series, **result.recipe, device="cpu"))
    assert np.array_equal(again.labels, result.labels)


def test_another_threshold_is_numbered_anew(segment, series):
    result = tracked(segment(series)).at(threshold=0.6)
    assert ids(result.labels) == list(range(1, 13))
    assert "tracking" not in result.recipe["made_with"]
    assert ids(tracked(result).labels) == [1, 2]


def test_slices_are_series_of_their_own(segment, series):
    stack = np.stack([series, series[::-1]], axis=1)
    result = tracked(segment(stack, axes="TZYX"))
    assert [ids(result.labels[:, z]) for z in range(2)] == [[1, 2], [3, 4]]
    assert same_ids_everywhere(result)


def test_time_may_be_the_inner_axis(segment, series):
    result = tracked(segment(np.stack([series, series[::-1]]), axes="ZTYX"))
    assert [ids(result.labels[z]) for z in range(2)] == [[1, 2], [3, 4]]


def test_positions_without_objects_take_no_numbers(segment, series, plane):
    empty = np.stack([plane()] * 6)
    result = tracked(segment(np.stack([empty, series, empty, series]), axes="PTYX"))
    assert [ids(result.labels[p]) for p in range(4)] == [[], [1, 2], [], [3, 4]]


def test_a_series_without_objects_stays_without(segment, plane):
    result = tracked(segment(np.stack([plane(), plane()])))
    assert not result.labels.any()
    assert len(result.table) == len(result.polygons) == 0


def test_frames_that_were_not_segmented_are_passed_over(segment, series):
    result = tracked(segment(series, frames=((0,), (1,), (3,))), Tracking(max_gap=0))
    assert [ids(each) for each in result.labels] == [[1, 2], [1, 2], [], [1, 2], [], []]


def test_polygons_of_a_region_have_their_place_in_the_image(segment, series):
    result = tracked(segment(series, region=(0, 96, 8, 128)))
    whole = tracked(segment(series))
    columns = [[p.outer[:, 1].max() for p in each.polygons] for each in (result, whole)]
    assert columns[0] == columns[1]


def test_an_object_in_the_hole_of_another_keeps_its_parent(segment, plane, disc):
    image = plane((48, 64, 40), (10, 10, 6))
    image[disc(SHAPE, (48, 64), 30)] = 100
    image[disc(SHAPE, (48, 64), 12)] = 3000
    second = image.copy()
    second[:24, :24] = 100  # the first object of the frame goes: the others are numbered anew
    result = tracked(segment(np.stack([image, second])))
    parents = [{p.id: p.parent for p in result.polygons if p.frame == (t,)} for t in range(2)]
    inner, ring = result.labels[0, 48, 64], result.labels[0, 48, 29]
    assert parents[0][inner] == parents[1][inner] == ring


def test_labels_corrected_by_hand_are_followed(segment, series):
    before = segment(series)
    painted = np.where(before.labels == 1, 2_000_000_000, before.labels)
    result = tracked(before.corrected(painted))
    assert ids(result.labels) == [1, 2]
    assert same_ids_everywhere(result)
    assert result.recipe["made_with"]["corrected_by_hand"]


def test_tracks_can_be_corrected(segment, series):
    result = tracked(segment(series))
    corrected = result.corrected(np.where(result.labels == 2, 9, result.labels))
    assert ids(corrected.labels) == [1, 9]
    assert same_ids_everywhere(corrected)


def test_tracks_survive_the_round_trip_through_geojson(segment, series, tmp_path):
    result = tracked(segment(series))
    rows = result.table.to_dict("records")
    path = tmp_path / "polygons.geojson"
    write_geojson(path, PolygonFile(result.polygons, "T", None, result.recipe), rows)
    back = read_geojson(path)
    assert [(p.id, p.frame) for p in back.polygons] == [(p.id, p.frame) for p in result.polygons]
    assert "tracking" in back.recipe["made_with"]


@pytest.mark.parametrize("axes", ["ZYX", "YX"])
def test_an_image_without_time_is_refused(segment, series, axes):
    image = series if axes == "ZYX" else series[0]
    with pytest.raises(BadSetting, match="no time axis"):
        tracked(segment(image, axes=axes))
