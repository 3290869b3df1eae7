import zipfile

import numpy as np
import pytest
import roifile
from skimage.draw import polygon2mask

from napari_spheroseg.errors import UnreadableFile
from napari_spheroseg.polygon import Polygon
from napari_spheroseg.readwrite.geojson import PolygonFile
from napari_spheroseg.readwrite.imagej import read_rois, write_rois
from napari_spheroseg.segmentation.polygons import outline, rasterise

SHAPE = (100, 120)
SQUARE = np.array([(0, 0), (0, 9), (9, 9), (9, 0)], np.float32)


@pytest.fixture
def labels(disc):
    """A ring, a disc in its hole, a disc beside it, and an object in two parts, one with a hole."""
    values = np.zeros(SHAPE, np.int32)
    values[disc(SHAPE, (50, 50), 40) & ~disc(SHAPE, (50, 50), 25)] = 1
    values[disc(SHAPE, (50, 50), 10)] = 2
    values[disc(SHAPE, (20, 105), 8)] = 3
    values[disc(SHAPE, (70, 105), 10) & ~disc(SHAPE, (70, 105), 4)] = 4
    values[disc(SHAPE, (92, 105), 6)] = 4
    return values


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a_rois.zip"


def read_back(path):
    """ROIs as roifile has them, by name."""
    return {roi.name: roi for roi in roifile.roiread(path)}


def filled(roi):
    """Pixels of a ROI, filled by winding number: stricter than even and odd."""
    winding = np.zeros(SHAPE, int)
    for ring in roi.coordinates(multi=True):
        if (ring[0] == ring[-1]).all():
            ring = ring[:-1]
        y, x = ring[:, 1], ring[:, 0]
        turns = np.sign(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
        winding += int(turns) * polygon2mask(SHAPE, ring[:, ::-1] - 0.5)
    return winding != 0


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


# ---------------------------------------------------------------- what is written


def test_there_is_one_roi_an_object_named_by_its_id(path, labels):
    write_rois(path, PolygonFile(outline(labels)))
    assert sorted(read_back(path)) == ["1", "2", "3", "4"]
    assert sorted(zipfile.ZipFile(path).namelist()) == ["1.roi", "2.roi", "3.roi", "4.roi"]


@pytest.mark.parametrize(("tolerance", "least"), [(0, 1.0), (0.5, 0.96)])
def test_what_roifile_reads_covers_the_object_and_spares_its_holes(tolerance, least, path, labels):
    write_rois(path, PolygonFile(outline(labels, tolerance)))
    for name, roi in read_back(path).items():
        assert iou(filled(roi), labels == int(name)) >= least


def test_an_object_of_one_ring_is_a_polygon_and_others_are_composites(path, labels):
    write_rois(path, PolygonFile(outline(labels)))
    rois = read_back(path)
    assert [rois[name].composite for name in "1234"] == [True, False, False, True]
    assert rois["2"].roitype == roifile.ROI_TYPE.POLYGON
    assert [len(rois[name].coordinates(multi=True)) for name in "1234"] == [2, 1, 1, 3]


def test_every_ring_of_a_composite_is_closed(path, labels):
    write_rois(path, PolygonFile(outline(labels)))
    segments = read_back(path)["1"].multi_coordinates
    assert segments[0] == 0
    assert segments[-1] == 4


def test_coordinates_are_x_before_y_from_the_corner_of_the_first_pixel(path):
    values = np.zeros((20, 30), np.int32)
    values[2:5, 10:20] = 1
    write_rois(path, PolygonFile(outline(values, 0)))
    roi = read_back(path)["1"]
    assert roi.coordinates().min(axis=0).tolist() == [10, 2]
    assert roi.coordinates().max(axis=0).tolist() == [20, 5]
    assert (roi.left, roi.top) == (10, 2)


def test_a_hole_is_spared_whichever_way_its_ring_turns(path):
    hole = SQUARE / 3 + 3
    for outer, inner in ((SQUARE, hole), (SQUARE[::-1], hole), (SQUARE, hole[::-1])):
        write_rois(path, PolygonFile([Polygon(1, outer, (inner,))]))
        assert not filled(read_back(path)["1"])[4, 4]


def test_positions_count_from_one(path):
    polygons = [Polygon(1, SQUARE, frame=(2, 0)), Polygon(2, SQUARE, frame=(0, 4))]
    write_rois(path, PolygonFile(polygons, "TZ"))
    rois = read_back(path)
    assert [(r.t_position, r.z_position, r.c_position) for r in rois.values()] == [
        (1, 5, 0),
        (3, 1, 0),
    ]


def test_an_axis_that_imagej_lacks_is_written_as_time(path):
    write_rois(path, PolygonFile([Polygon(1, SQUARE, frame=(2,))], "P"))
    assert read_back(path)["1"].t_position == 3


def test_an_object_followed_through_a_stack_has_an_entry_a_frame(path):
    write_rois(path, PolygonFile([Polygon(7, SQUARE, frame=(t,)) for t in (0, 1)], "T"))
    assert zipfile.ZipFile(path).namelist() == ["7_t1.roi", "7_t2.roi"]
    assert [each.id for each in read_rois(path).polygons] == [7, 7]


def test_coordinates_beyond_sixteen_bit_are_kept(path):
    far = SQUARE + np.float32(70_000)
    write_rois(path, PolygonFile([Polygon(1, far), Polygon(2, far, (far / 3,))]))
    assert read_back(path)["1"].coordinates().min() == 70_000.5
    assert np.array_equal(read_rois(path).polygons[0].outer.min(axis=0), far.min(axis=0))


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableFile):
        write_rois(tmp_path / "file" / "a.zip", PolygonFile([]))


# ---------------------------------------------------------------- there and back


def test_every_pixel_survives_the_round_trip(path, labels):
    write_rois(path, PolygonFile(outline(labels, 0)))
    assert np.array_equal(rasterise(read_rois(path).polygons, SHAPE), labels)


def test_holes_go_to_the_part_that_has_them(path, labels):
    write_rois(path, PolygonFile(outline(labels)))
    found = [(each.id, len(each.holes)) for each in read_rois(path).polygons]
    assert found == [(1, 1), (2, 0), (3, 0), (4, 1), (4, 0)]


def test_a_part_in_the_hole_of_its_own_object_is_no_hole(path, disc):
    values = np.zeros(SHAPE, np.int32)
    values[disc(SHAPE, (50, 50), 40) & ~disc(SHAPE, (50, 50), 25)] = 1
    values[disc(SHAPE, (50, 50), 10)] = 1
    write_rois(path, PolygonFile(outline(values, 0)))
    assert iou(filled(read_back(path)["1"]), values == 1) == 1
    assert sorted(len(each.holes) for each in read_rois(path).polygons) == [0, 1]


def test_parts_that_touch_at_a_corner_stay_apart(path):
    values = np.zeros(SHAPE, np.int32)
    values[2:9, 2:9] = 1
    values[3, 3] = values[4, 4] = 0
    write_rois(path, PolygonFile(outline(values, 0)))
    assert np.array_equal(rasterise(read_rois(path).polygons, SHAPE), values)


@pytest.mark.parametrize("mean_probability", [0.8, float("nan")])
def test_what_is_known_of_a_polygon_survives_the_round_trip(mean_probability, path):
    before = Polygon(17, SQUARE, (), "debris", 4, mean_probability, (2, 1))
    write_rois(path, PolygonFile([before], "TZ"))
    content = read_rois(path)
    (after,) = content.polygons
    assert content.axes == "TZ"
    assert (after.id, after.name, after.parent, after.frame) == (17, "debris", 4, (2, 1))
    assert after.mean_probability == pytest.approx(mean_probability, nan_ok=True)


def test_a_file_without_objects_survives_the_round_trip(path):
    write_rois(path, PolygonFile([]))
    assert read_rois(path).polygons == []


# ---------------------------------------------------------------- what others write


def test_a_single_roi_of_imagej_is_read(tmp_path):
    roifile.ImagejRoi.frompoints([[1, 2], [9, 2], [9, 7]], name="0005-0042").tofile(
        tmp_path / "x.roi"
    )
    (polygon,) = read_rois(tmp_path / "x.roi").polygons
    assert polygon.id == 1
    assert polygon.outer.tolist() == [[1.5, 0.5], [1.5, 8.5], [6.5, 8.5]]


def test_rectangles_are_areas_and_lines_are_passed_over(path):
    box = roifile.ImagejRoi(
        roitype=roifile.ROI_TYPE.RECT, left=2, top=3, right=12, bottom=8, name="box"
    )
    line = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.LINE, x2=5.0, y2=5.0, name="line")
    roifile.roiwrite(path, [box, line])
    (polygon,) = read_rois(path).polygons
    assert polygon.outer.min(axis=0).tolist() == [2.5, 1.5]
    assert len(polygon.outer) == 4


def test_the_position_in_a_plain_stack_is_a_time(path):
    roifile.roiwrite(path, [roifile.ImagejRoi.frompoints(SQUARE, name="3", position=4)])
    content = read_rois(path)
    assert (content.axes, content.polygons[0].frame) == ("T", (4,))


def test_rois_without_a_number_are_counted_on(path):
    rois = [roifile.ImagejRoi.frompoints(SQUARE, name=name) for name in ("a", "9", "b")]
    roifile.roiwrite(path, rois)
    assert [each.id for each in read_rois(path).polygons] == [10, 9, 11]


def test_what_macos_adds_to_a_zip_is_passed_over(path):
    write_rois(path, PolygonFile([Polygon(1, SQUARE)]))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/._1.roi", b"nothing")
    assert len(read_rois(path).polygons) == 1


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06"])
def test_what_is_no_zip_is_refused(content, path):
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"a_rois\.zip"):
        read_rois(path)


def test_a_zip_of_other_things_is_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(UnreadableFile, match=r"no entry ends in \.roi"):
        read_rois(path)


def test_a_damaged_roi_is_refused(path):
    write_rois(path, PolygonFile([Polygon(1, SQUARE, (SQUARE / 3 + 3,))]))
    whole = zipfile.ZipFile(path).read("1.roi")
    for content in (b"", whole[:100], b"x" * 200):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("1.roi", content)
        with pytest.raises(UnreadableFile):
            read_rois(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="cannot be read"):
        read_rois(tmp_path / "nowhere.zip")
