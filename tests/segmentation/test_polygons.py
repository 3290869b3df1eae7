import cv2
import numpy as np
import pytest

from napari_spheroseg.segmentation.plane import analyse
from napari_spheroseg.segmentation.polygons import moved, outline, rasterise, simplify
from napari_spheroseg.segmentation.settings import PostProcessing

SHAPE = (100, 120)


def blank():
    return np.zeros(SHAPE, np.int32)


def noise_labels(seed, density=0.5):
    mask = np.random.default_rng(seed).random((40, 50)) < density
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[1]


def islands(disc, numbers=(1, 2, 3)):
    """A ring, in its hole another ring, in whose hole lies a disc."""
    labels = blank()
    outer, middle, inner = numbers
    for number, radius in ((outer, 45), (0, 35), (middle, 28), (0, 18), (inner, 9)):
        labels[disc(SHAPE, (50, 60), radius)] = number
    return labels


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_an_object_without_holes_has_one_ring(disc):
    labels = disc(SHAPE, (50, 60), 30).astype(np.int32)
    (polygon,) = outline(labels)
    assert (polygon.id, len(polygon.rings), polygon.parent) == (1, 1, None)


def test_the_outline_runs_between_the_pixels_inside_and_those_outside():
    labels = blank()
    labels[10:20, 30:50] = 1
    (polygon,) = outline(labels, 0)
    assert polygon.outer.min(axis=0).tolist() == [9.5, 29.5]
    assert polygon.outer.max(axis=0).tolist() == [19.5, 49.5]


def test_a_hole_is_a_ring_of_its_object(disc):
    labels = (disc(SHAPE, (50, 60), 30) & ~disc(SHAPE, (50, 60), 10)).astype(np.int32)
    (polygon,) = outline(labels)
    (hole,) = polygon.holes
    assert np.allclose(hole.mean(axis=0), (50, 60), atol=0.5)
    assert np.ptp(hole, axis=0) == pytest.approx([21, 21], abs=1.1)


def test_every_hole_is_found(disc):
    mask = disc(SHAPE, (50, 60), 45)
    for x in (35, 60, 85):
        mask &= ~disc(SHAPE, (50, x), 6)
    (polygon,) = outline(mask.astype(np.int32))
    assert len(polygon.holes) == 3


@pytest.mark.parametrize("numbers", [(1, 2, 3), (3, 2, 1), (2, 1, 3), (2, 3, 1), (7, 30, 4)])
def test_an_island_in_a_hole_has_the_object_around_it_as_parent(numbers, disc):
    polygons = outline(islands(disc, numbers))
    parents = {polygon.id: polygon.parent for polygon in polygons}
    outer, middle, inner = numbers
    assert parents == {outer: None, middle: outer, inner: middle}


def test_a_neighbour_that_touches_is_no_child(disc):
    labels = disc(SHAPE, (50, 40), 20).astype(np.int32)
    labels[disc(SHAPE, (50, 80), 20)] = 2
    assert [polygon.parent for polygon in outline(labels)] == [None, None]


@pytest.mark.parametrize("tolerance", [0, 0.5, 5, 50])
def test_a_polygon_has_at_least_three_corners_however_small_the_object(tolerance):
    labels = blank()
    labels[5, 5] = 1  # one pixel
    labels[10, 5:7] = 2
    labels[20, 5:60] = 3  # a line
    labels[30, 5] = labels[31, 6] = 4  # a diagonal
    labels[0, 0] = labels[-1, -1] = 5  # corners of the image
    polygons = outline(labels, tolerance)
    assert {polygon.id for polygon in polygons} == {1, 2, 3, 4, 5}
    assert all(len(ring) >= 3 for polygon in polygons for ring in polygon.rings)


def test_the_first_corner_is_not_repeated(disc):
    (polygon,) = outline(disc(SHAPE, (50, 60), 30).astype(np.int32), 0)
    assert (polygon.outer[0] != polygon.outer[-1]).any()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("density", [0.3, 0.5, 0.7])
def test_labels_survive_the_way_through_polygons_exactly(seed, density):
    labels = noise_labels(seed, density)
    assert np.array_equal(rasterise(outline(labels, 0), labels.shape), labels)


@pytest.mark.parametrize("numbers", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_nested_labels_survive_the_way_through_polygons_exactly(numbers, disc):
    labels = islands(disc, numbers)
    assert np.array_equal(rasterise(outline(labels, 0), SHAPE), labels)


def test_touching_labels_survive_the_way_through_polygons_exactly():
    labels = np.arange(1, 13, dtype=np.int32).reshape(3, 4).repeat(9, 0).repeat(7, 1)
    assert np.array_equal(rasterise(outline(labels, 0), labels.shape), labels)


def test_an_object_in_several_parts_has_a_polygon_for_each(disc):
    labels = (disc(SHAPE, (30, 30), 10) | disc(SHAPE, (70, 80), 10)).astype(np.int32)
    polygons = outline(labels, 0)
    assert [polygon.id for polygon in polygons] == [1, 1]
    assert np.array_equal(rasterise(polygons, SHAPE), labels)


def test_each_hole_goes_to_the_part_that_it_is_in(disc):
    ring = disc(SHAPE, (30, 30), 15) & ~disc(SHAPE, (30, 30), 5)
    labels = (ring | disc(SHAPE, (70, 80), 20)).astype(np.int32)
    holes = {round(float(each.outer.mean())): len(each.holes) for each in outline(labels)}
    assert holes == {30: 1, 75: 0}


@pytest.mark.parametrize("tolerance", [0.25, 0.5, 1, 2, 5])
def test_a_polygon_deviates_from_the_outline_by_no_more_than_the_tolerance(tolerance, disc):
    mask = disc((200, 200), (100, 100), 70) | disc((200, 200), (60, 60), 40)
    (exact,), (rough,) = (outline(mask.astype(np.int32), each) for each in (0, tolerance))
    ring = np.ascontiguousarray(rough.outer[:, None])
    distances = [cv2.pointPolygonTest(ring, point.tolist(), True) for point in exact.outer]
    assert np.abs(distances).max() <= tolerance + 1e-4


@pytest.mark.parametrize("radius", [40, 80, 150])
def test_half_a_pixel_of_tolerance_hardly_changes_a_large_object(radius, disc):
    labels = disc((320, 320), (160, 160), radius).astype(np.int32)
    back = rasterise(outline(labels, 0.5), labels.shape)
    assert iou(back > 0, labels > 0) > 0.99


def test_tolerance_saves_corners(disc):
    labels = disc((320, 320), (160, 160), 150).astype(np.int32)
    assert len(outline(labels, 0.5)[0].outer) < len(outline(labels, 0)[0].outer) / 5


def test_a_ring_of_four_corners_is_not_simplified():
    ring = np.array([(0, 0), (0, 1), (1, 1), (1, 0)], np.float32)
    assert np.array_equal(simplify(ring, 10), ring)


def test_numbers_with_gaps_are_kept(disc):
    labels = blank()
    labels[disc(SHAPE, (20, 20), 9)] = 7
    labels[disc(SHAPE, (70, 70), 9)] = 40
    assert [polygon.id for polygon in outline(labels)] == [7, 40]


def test_no_labels_have_no_polygons():
    assert outline(blank()) == []


def test_no_polygons_are_no_labels():
    assert not rasterise([], SHAPE).any()


def test_what_lies_outside_the_image_is_not_painted(disc):
    polygons = outline(disc(SHAPE, (50, 110), 30).astype(np.int32), 0)
    assert rasterise(polygons, (50, 60)).shape == (50, 60)


def test_ids_are_equal_in_labels_polygons_and_table():
    rng = np.random.default_rng(0)
    probability = cv2.GaussianBlur(rng.random((200, 200)).astype(np.float32), (0, 0), 3)
    probability = (probability - probability.min()) / np.ptp(probability)
    plane = analyse(probability[None], probability, PostProcessing(min_area=20), None)
    numbers = np.unique(plane.labels)[1:].tolist()
    assert len(numbers) > 10
    assert plane.table["label"].tolist() == [polygon.id for polygon in plane.polygons] == numbers


def test_polygons_carry_the_mean_probability_of_the_table(disc):
    probability = disc(SHAPE, (50, 60), 20) * np.float32(0.8)
    plane = analyse(probability[None], probability, PostProcessing(), None)
    assert plane.polygons[0].mean_probability == pytest.approx(0.8)


def test_more_objects_than_are_traced_at_once_keep_their_order():
    labels = np.arange(1, 701, dtype=np.int32).reshape(20, 35).repeat(4, 0).repeat(3, 1)
    polygons = outline(labels, 0)
    assert [polygon.id for polygon in polygons] == list(range(1, 701))
    assert np.array_equal(rasterise(polygons, labels.shape), labels)


def test_a_moved_polygon_takes_its_holes_along(disc):
    labels = (disc(SHAPE, (50, 60), 30) & ~disc(SHAPE, (50, 60), 10)).astype(np.int32)
    (polygon,) = outline(labels)
    there = moved(polygon, (3, -4))
    assert np.array_equal(there.outer, np.add(polygon.outer, (3, -4)))
    assert np.array_equal(there.holes[0], np.add(polygon.holes[0], (3, -4)))
    assert there.outer.dtype == np.float32
