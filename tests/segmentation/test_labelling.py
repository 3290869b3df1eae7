import cv2
import numpy as np
import pytest

from napari_spheroseg.segmentation.labelling import label, object_areas
from napari_spheroseg.segmentation.plane import analyse
from napari_spheroseg.segmentation.settings import PostProcessing

SHAPE = (120, 160)


def probability(*masks, inside=0.9):
    values = np.zeros(SHAPE, np.float32)
    for mask in masks:
        values[mask] = inside
    return values


def find(values, **settings):
    return label(np.asarray(values, np.float32), PostProcessing(**{"min_area": 0} | settings))


def count(values, **settings):
    return int(find(values, **settings).max())


@pytest.fixture
def one(disc):
    return disc(SHAPE, (60, 50), 20)


@pytest.fixture
def two_that_overlap(disc):
    return disc(SHAPE, (60, 50), 20) | disc(SHAPE, (60, 84), 20)


@pytest.fixture
def ring(disc):
    return disc(SHAPE, (60, 50), 20) & ~disc(SHAPE, (60, 50), 8)


# ---------------------------------------------------------------- threshold


def test_labels_are_int32_of_the_shape_of_the_probability(one):
    labels = find(probability(one))
    assert (labels.dtype, labels.shape) == (np.int32, SHAPE)


def test_only_what_is_above_the_threshold_belongs_to_an_object():
    values = np.zeros(SHAPE, np.float32)
    values[10:20, 10:20] = 0.5
    values[40:50, 10:20] = np.nextafter(np.float32(0.5), np.float32(1))
    labels = find(values, threshold=0.5)
    assert not labels[10:20, 10:20].any()
    assert (labels[40:50, 10:20] == 1).all()


@pytest.mark.parametrize(("threshold", "objects"), [(0, 2), (0.3, 1), (0.7, 0), (1, 0)])
def test_a_higher_threshold_finds_less(threshold, objects, disc):
    values = probability(disc(SHAPE, (30, 30), 10), inside=0.2)
    values[disc(SHAPE, (80, 80), 10)] = 0.6
    assert count(values, threshold=threshold) == objects


def test_nothing_is_found_in_nothing():
    assert count(np.zeros(SHAPE)) == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"split_touching": True},
        {"fill_holes": True},
        {"opening": 3, "closing": 3},
        {"low_threshold": 0.1},
        {"min_solidity": 0.5, "min_circularity": 0.5, "min_probability": 0.5, "exclude_edge": True},
    ],
)
@pytest.mark.parametrize("value", [0, 1])
def test_an_empty_and_a_full_plane_pass_every_step(settings, value):
    assert count(np.full(SHAPE, value), **settings) in ([0] if value == 0 else [0, 1])


def test_pixels_that_meet_at_a_corner_are_one_object():
    values = np.zeros(SHAPE)
    values[np.arange(20) + 10, np.arange(20) + 10] = 1
    assert count(values) == 1


def test_objects_are_numbered_from_top_to_bottom(disc):
    masks = [disc(SHAPE, centre, 8) for centre in ((100, 20), (20, 100), (60, 60))]
    labels = find(probability(*masks))
    assert [labels[y, x] for y, x in ((20, 100), (60, 60), (100, 20))] == [1, 2, 3]


@pytest.mark.parametrize("settings", [{}, {"split_touching": True}, {"min_circularity": 0.5}])
def test_numbers_have_no_gaps_after_filters(settings, disc):
    masks = [disc(SHAPE, (y, x), r) for y, x, r in ((15, 15, 9), (15, 60, 3), (60, 60, 12))]
    labels = find(probability(*masks), min_area=100, **settings)
    assert np.array_equal(np.unique(labels), [0, 1, 2])


# ---------------------------------------------------------------- hysteresis


def test_an_object_grows_down_to_the_low_threshold(disc):
    values = probability(disc(SHAPE, (60, 60), 30), inside=0.4)
    values[disc(SHAPE, (60, 60), 5)] = 0.9
    grown = find(values, threshold=0.5, low_threshold=0.3)
    assert np.array_equal(grown > 0, disc(SHAPE, (60, 60), 30))


def test_what_never_reaches_the_threshold_is_not_grown(disc):
    values = probability(disc(SHAPE, (60, 60), 30), inside=0.4)
    assert count(values, threshold=0.5, low_threshold=0.3) == 0


def test_the_low_threshold_is_strict_too(one):
    values = np.where(one, np.float32(0.25), 0)
    values[60, 50] = 1
    assert find(values, threshold=0.5, low_threshold=0.25).sum() == 1


# ---------------------------------------------------------------- morphology


def test_opening_cuts_a_thin_bridge(disc):
    mask = disc(SHAPE, (60, 40), 15) | disc(SHAPE, (60, 110), 15)
    mask[59:62, 40:110] = True
    assert count(probability(mask)) == 1
    assert count(probability(mask), opening=3) == 2


def test_opening_removes_a_speck(one, disc):
    assert count(probability(one, disc(SHAPE, (100, 130), 2)), opening=4) == 1


def test_closing_joins_over_a_narrow_gap():
    values = np.zeros(SHAPE)
    values[20:60, 20:40] = values[20:60, 43:60] = 1
    assert (count(values), count(values, closing=3)) == (2, 1)


def test_closing_keeps_a_wide_gap():
    values = np.zeros(SHAPE)
    values[20:60, 20:40] = values[20:60, 60:80] = 1
    assert count(values, closing=3) == 2


@pytest.mark.parametrize("settings", [{"opening": 4}, {"closing": 4}])
def test_morphology_leaves_a_disc_alone(settings, one):
    assert np.mean((find(probability(one), **settings) > 0) != one) < 0.002


@pytest.mark.parametrize("settings", [{"opening": 5}, {"closing": 5}])
def test_morphology_neither_cuts_nor_glues_at_the_edge_of_the_image(settings):
    values = np.zeros(SHAPE)
    values[30:90, :40] = 1
    changed = (find(values, **settings) > 0) != (values > 0)
    assert not changed[:, :30].any()


def test_holes_are_kept_unless_they_are_to_be_filled(ring):
    assert np.array_equal(find(probability(ring)) > 0, ring)


def test_fill_holes_makes_an_object_solid(ring, disc):
    filled = find(probability(ring), fill_holes=True)
    assert np.array_equal(filled > 0, disc(SHAPE, (60, 50), 20))


def test_a_bay_at_the_edge_of_the_image_is_no_hole():
    values = np.ones(SHAPE)
    values[:20, 40:60] = 0
    assert np.array_equal(find(values, fill_holes=True) > 0, values > 0)


def test_a_hole_that_is_closed_only_at_corners_is_filled():
    values = np.zeros(SHAPE)
    values[10:20, 10:20] = [[abs(y - 5) + abs(x - 5) == 4 for x in range(10)] for y in range(10)]
    assert find(values, fill_holes=True)[15, 15] == 1


def test_a_bar_across_the_image_has_no_holes_beside_it():
    values = np.zeros(SHAPE)
    values[50:60] = 1
    assert np.array_equal(find(values, fill_holes=True) > 0, values > 0)


# ---------------------------------------------------------------- touching objects


def test_two_overlapping_discs_become_two(two_that_overlap):
    assert count(probability(two_that_overlap)) == 1
    assert count(probability(two_that_overlap), split_touching=True) == 2


def test_overlapping_discs_are_cut_at_the_neck(two_that_overlap):
    labels = find(probability(two_that_overlap), split_touching=True)
    columns = [np.flatnonzero((labels == number).any(axis=0)) for number in (1, 2)]
    edges = sorted((each.min(), each.max()) for each in columns)
    assert abs(edges[0][1] - 67) <= 2
    assert abs(edges[1][0] - 67) <= 2


def test_splitting_loses_no_pixel(two_that_overlap):
    labels = find(probability(two_that_overlap), split_touching=True)
    assert np.array_equal(labels > 0, two_that_overlap)


@pytest.mark.parametrize("radius", [3, 5, 8, 13, 20, 31, 50])
def test_a_disc_stays_one(radius, disc):
    mask = disc((120, 160), (60, 80), radius)
    assert count(probability(mask), split_touching=True) == 1


@pytest.mark.parametrize(("length", "width"), [(30, 25), (50, 30), (60, 20)])
@pytest.mark.parametrize("angle", [0, 30, 75])
def test_an_ellipse_stays_one(length, width, angle):
    mask = np.zeros(SHAPE, np.uint8)
    cv2.ellipse(mask, (80, 60), (length, width), angle, 0, 360, 1, -1)
    assert count(mask, split_touching=True) == 1


def test_a_square_stays_one():
    values = np.zeros(SHAPE)
    values[30:80, 30:80] = 1
    assert count(values, split_touching=True) == 1


def test_a_chain_of_three_becomes_three(disc):
    mask = np.logical_or.reduce([disc(SHAPE, (60, x), 18) for x in (30, 62, 94)])
    assert count(probability(mask), split_touching=True) == 3


@pytest.mark.parametrize("radius", [20, 19.5, 18])
@pytest.mark.parametrize(("depth", "objects"), [(0.1, 2), (0.4, 2), (0.6, 1), (0.9, 1)])
def test_a_deeper_split_depth_cuts_less(radius, depth, objects, disc):
    # the neck is 10.5 pixels wide to each side: narrower than both discs by 0.42 to 0.48
    mask = disc(SHAPE, (60, 50), 20) | disc(SHAPE, (60, 84), radius)
    assert count(mask, split_touching=True, split_depth=depth) == objects


@pytest.mark.parametrize("bend", [0, 20, 40, 80])
@pytest.mark.parametrize("angle", range(0, 180, 30))
def test_a_bent_body_of_even_width_stays_one(bend, angle):
    along = np.linspace(-1, 1, 50)
    x, y = 80 * along, bend * along**2 - bend / 2
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    points = np.rint(16 * np.stack([150 + c * x - s * y, 150 + s * x + c * y], axis=1))
    mask = np.zeros((300, 300), np.uint8)
    cv2.polylines(mask, [points.astype(np.int32)], False, 1, 40, shift=4)
    assert count(mask, split_touching=True) == 1


def test_splitting_does_not_depend_on_what_else_is_there(two_that_overlap, disc):
    alone = find(probability(two_that_overlap), split_touching=True)
    far = disc(SHAPE, (15, 140), 10)
    both = find(probability(two_that_overlap, far), split_touching=True)
    assert len(np.unique(both[two_that_overlap])) == 2
    assert np.array_equal(both[two_that_overlap] - 1, alone[two_that_overlap])


# ---------------------------------------------------------------- the network's distance


def middles(mask, *centres, depth=0.4):
    """What a network sees: 1 in each middle, less by `depth` 17 pixels away from the nearest."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    away = np.min([np.hypot(y - cy, x - cx) for cy, cx in centres], axis=0)
    return np.where(mask, np.clip(1 - depth * (away / 17) ** 2, 0, 1), 0).astype(np.float32)


def split(mask, distance, **settings):
    settings = PostProcessing(min_area=0, split_touching=True, **settings)
    return label(probability(mask), settings, distance)


BOTH = ((60, 50), (60, 84))


@pytest.mark.parametrize(
    ("depth", "split_depth", "objects"),
    [(0.4, 0.1, 2), (0.4, 0.2, 2), (0.4, 0.6, 1), (0.2, 0.3, 1), (0.8, 0.5, 2), (0.05, 0.1, 1)],
)
def test_discs_are_cut_where_the_distance_falls_by_more_than_the_split_depth(
    depth, split_depth, objects, two_that_overlap
):
    distance = middles(two_that_overlap, *BOTH, depth=depth)
    labels = split(two_that_overlap, distance, split_depth=split_depth)
    assert labels.max() == objects
    assert np.array_equal(labels > 0, two_that_overlap)


def test_the_cut_follows_the_valley(two_that_overlap):
    labels = split(two_that_overlap, middles(two_that_overlap, *BOTH), split_depth=0.1)
    assert labels[60, 65] != labels[60, 69]
    left, right = (two_that_overlap & (labels == labels[y, x]) for y, x in BOTH)
    assert np.flatnonzero(left.any(axis=0)).max() <= 69
    assert np.flatnonzero(right.any(axis=0)).min() >= 65


def test_a_neck_without_a_valley_is_not_cut(two_that_overlap):
    one_middle = middles(two_that_overlap, (60, 67), depth=0.2)
    assert split(two_that_overlap, one_middle, split_depth=0.1).max() == 1
    assert count(probability(two_that_overlap), split_touching=True) == 2


def test_a_valley_cuts_where_the_outline_has_no_neck():
    mask = np.zeros(SHAPE, bool)
    mask[40:80, 30:104] = True
    assert split(mask, middles(mask, *BOTH), split_depth=0.1).max() == 2
    assert count(probability(mask), split_touching=True) == 1


def test_a_flat_distance_cuts_nothing(two_that_overlap):
    for value in (0, 0.5, 1):
        distance = np.full(SHAPE, value, np.float32)
        assert split(two_that_overlap, distance, split_depth=0.1).max() == 1


def test_a_distance_is_not_looked_at_unless_objects_are_to_be_split(two_that_overlap):
    settings = PostProcessing(min_area=0, split_depth=0.1)
    distance = middles(two_that_overlap, *BOTH)
    assert label(probability(two_that_overlap), settings, distance).max() == 1


def test_nothing_is_split_in_nothing():
    empty = np.zeros(SHAPE, np.float32)
    settings = PostProcessing(split_touching=True)
    assert label(empty, settings, empty + 1).max() == 0


@pytest.fixture
def two_pairs(disc):
    """Two pairs of discs, one above the other, with the maps that a network sees."""
    centres = ((25, 40), (25, 74), (90, 60), (90, 94))
    mask = np.logical_or.reduce([disc(SHAPE, centre, 20) for centre in centres])
    return np.stack([probability(mask), middles(mask, *centres)])


def test_split_objects_are_numbered_from_top_to_bottom(two_pairs):
    settings = PostProcessing(split_touching=True, split_depth=0.1)
    labels = label(two_pairs[0], settings, two_pairs[1])
    assert np.unique(labels).tolist() == [0, 1, 2, 3, 4]
    tops = [np.flatnonzero((labels == number).any(axis=1)).min() for number in range(1, 5)]
    assert tops == sorted(tops)


def test_ids_of_split_objects_agree_in_labels_polygons_and_table(two_pairs):
    settings = PostProcessing(split_touching=True, split_depth=0.1, min_area=100)
    plane = analyse(two_pairs, two_pairs[0], settings, None)
    assert plane.table["label"].tolist() == [each.id for each in plane.polygons] == [1, 2, 3, 4]
    for polygon, area in zip(plane.polygons, plane.table["area_px2"], strict=True):
        assert (plane.labels == polygon.id).sum() == area


# ---------------------------------------------------------------- filters


def square(side, at=(10, 10)):
    values = np.zeros(SHAPE)
    values[at[0] : at[0] + side, at[1] : at[1] + side] = 1
    return values


@pytest.mark.parametrize(("least", "objects"), [(99, 1), (100, 1), (100.5, 0)])
def test_objects_smaller_than_the_least_area_are_dropped(least, objects):
    assert count(square(10), min_area=least) == objects


@pytest.mark.parametrize(("most", "objects"), [(99, 0), (100, 1), (101, 1)])
def test_objects_larger_than_the_largest_area_are_dropped(most, objects):
    assert count(square(10), max_area=most) == objects


def test_objects_that_the_model_is_unsure_of_are_dropped(disc):
    values = probability(disc(SHAPE, (30, 30), 10), inside=0.6)
    values[disc(SHAPE, (80, 80), 10)] = 0.95
    labels = find(values, min_probability=0.8)
    assert labels[80, 80] == 1
    assert labels[30, 30] == 0


def test_objects_that_are_not_round_are_dropped(one):
    values = probability(one)
    values[100:104, 20:140] = 1
    assert np.array_equal(find(values, min_circularity=0.7) > 0, one)


def test_objects_with_dents_are_dropped(one):
    values = probability(one)
    values[5:30, 100:104] = values[26:30, 100:140] = 1  # an L
    assert np.array_equal(find(values, min_solidity=0.8) > 0, one)


@pytest.mark.parametrize("radius", [5, 10, 30])
def test_a_disc_is_solid(radius, disc):
    assert count(probability(disc(SHAPE, (60, 60), radius)), min_solidity=0.97) == 1


@pytest.mark.parametrize("at", [(0, 50), (110, 50), (50, 0), (50, 150)])
def test_objects_at_the_edge_are_excluded_where_asked(at):
    assert (count(square(10, at)), count(square(10, at), exclude_edge=True)) == (1, 0)


@pytest.mark.parametrize("at", [(1, 50), (109, 50), (50, 1), (50, 149)])
def test_objects_one_pixel_from_the_edge_stay(at):
    assert count(square(10, at), exclude_edge=True) == 1


def test_what_hangs_on_by_a_corner_stays_with_its_object(two_that_overlap, disc):
    other = disc(SHAPE, (15, 15), 6)
    mask = two_that_overlap | other
    y, x = np.argwhere(two_that_overlap)[0]
    mask[y - 1, x - 8 : x] = True  # touches the first row at its end, by a corner
    mask[y, x - 8 : x] = False
    labels = find(probability(mask), split_touching=True)
    assert labels.max() == 3
    for number in range(1, 4):
        assert cv2.connectedComponents((labels == number).astype(np.uint8), connectivity=8)[0] == 2


def test_the_same_map_is_split_alike_wherever_it_lies_in_memory():
    rng = np.random.default_rng(55)
    noise = cv2.GaussianBlur(rng.random((200, 180)).astype(np.float32), (0, 0), 4)
    smooth = np.round((noise - noise.min()) / np.ptp(noise) * 16) / 16
    keep, found = [], set()
    for size in range(1, 60):
        keep.append(np.empty(size * 37, np.uint8))  # moves what is allocated next
        found.add(find(smooth, split_touching=True, split_depth=0.02).tobytes())
    assert len(found) == 1


@pytest.mark.parametrize("settings", [{}, {"split_touching": True}, {"exclude_edge": True}])
def test_areas_are_those_of_the_labels(two_that_overlap, ring, disc, settings):
    values = probability(two_that_overlap, disc(SHAPE, (0, 150), 9))
    labels = find(values, **settings)
    areas = object_areas(values, PostProcessing(min_area=0, **settings))
    assert areas.tolist() == np.bincount(labels.ravel())[1:].tolist()
