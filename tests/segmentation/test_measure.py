import cv2
import numpy as np
import pytest

import napari_spheroseg as ss
from napari_spheroseg.errors import BadImage, BadSetting
from napari_spheroseg.segmentation.measure import COLUMNS, column_names, equivalent_diameter

RADII = [10, 11, 13, 17, 25, 40, 70, 120, 200]
CENTRES = [(0, 0), (0.5, 0.5), (0.5, 0), (0.27, 0.61)]


def measured(mask, **more):
    (row,) = ss.measure(np.asarray(mask, np.int32), **more).to_dict("records")
    return row


def drawn(disc, radius, shift=(0, 0)):
    side = 2 * radius + 11
    return disc((side, side), (radius + 5 + shift[0], radius + 5 + shift[1]), radius)


def rectangle(height, width):
    mask = np.zeros((height + 8, width + 8), bool)
    mask[4:-4, 4:-4] = True
    return mask


# ---------------------------------------------------------------- discs and rectangles


@pytest.mark.parametrize("radius", RADII)
def test_the_area_of_a_disc_is_pi_times_its_radius_squared(radius, disc):
    area = measured(drawn(disc, radius))["area_px2"]
    assert area == pytest.approx(np.pi * radius**2, rel=0.01)


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("shift", CENTRES)
def test_the_area_of_a_disc_is_its_pixels_wherever_its_centre_lies(radius, shift, disc):
    mask = drawn(disc, radius, shift)
    area = measured(mask)["area_px2"]
    assert area == mask.sum()
    # between pixels a disc of radius 13 has by itself 1.7 % more pixels than area
    assert area == pytest.approx(np.pi * radius**2, rel=0.02 if radius < 20 else 0.01)


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("shift", CENTRES)
def test_a_disc_is_round(radius, shift, disc):
    assert measured(drawn(disc, radius, shift))["circularity"] == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("radius", RADII)
def test_a_disc_is_as_wide_as_it_is(radius, disc):
    row = measured(drawn(disc, radius))
    for column in ("feret_max_px", "feret_min_px", "length_px", "width_px"):
        assert row[column] == pytest.approx(2 * radius, abs=1.2)
    assert row["equivalent_diameter_px"] == pytest.approx(2 * radius, rel=0.01)


@pytest.mark.parametrize("radius", RADII)
def test_a_disc_is_solid_and_not_elongated(radius, disc):
    row = measured(drawn(disc, radius))
    assert row["solidity"] == pytest.approx(1, abs=0.02)
    assert row["aspect_ratio"] == pytest.approx(1, abs=0.02)
    assert row["eccentricity"] < 0.05


def test_the_volume_of_a_disc_is_that_of_a_sphere(disc):
    row = measured(drawn(disc, 50))
    for column in ("volume_sphere_px3", "volume_length_width_px3"):
        sphere = {"volume_sphere_px3": 4 / 3 * np.pi * 50**3, "volume_length_width_px3": 100**3 / 2}
        assert row[column] == pytest.approx(sphere[column], rel=0.03)


@pytest.mark.parametrize(("height", "width"), [(20, 20), (20, 60), (101, 33)])
def test_the_sides_of_a_rectangle_are_measured(height, width):
    row = measured(rectangle(height, width))
    assert row["area_px2"] == height * width
    # the outline cuts the corners by half a pixel
    assert row["length_px"] == pytest.approx(max(height, width), abs=1)
    assert row["width_px"] == pytest.approx(min(height, width), abs=1)
    assert row["feret_max_px"] == pytest.approx(np.hypot(height, width), abs=1.5)
    assert row["solidity"] == 1


@pytest.mark.parametrize(("height", "width"), [(20, 20), (20, 60), (101, 33)])
def test_the_perimeter_of_a_rectangle_is_that_of_its_sides_within_4_percent(height, width):
    perimeter = measured(rectangle(height, width))["perimeter_px"]
    assert perimeter == pytest.approx(2 * (height + width), rel=0.04)  # corners are rounded off


def test_the_eccentricity_of_a_rectangle_is_that_of_its_moments():
    row = measured(rectangle(20, 60))
    assert row["eccentricity"] == pytest.approx(np.sqrt(1 - 20**2 / 60**2))


def test_an_ellipse_has_its_axes():
    y, x = np.mgrid[-60:61, -60:61]
    row = measured((y / 20) ** 2 + (x / 50) ** 2 <= 1)
    assert row["aspect_ratio"] == pytest.approx(2.5, rel=0.02)
    assert row["eccentricity"] == pytest.approx(np.sqrt(1 - 0.4**2), rel=0.01)


@pytest.mark.parametrize("angle", [0, 17, 45, 80])
def test_sides_do_not_depend_on_the_angle(angle):
    mask = np.zeros((160, 160), np.uint8)
    box = cv2.boxPoints(((80, 80), (90, 40), angle))
    cv2.fillPoly(mask, [np.rint(box * 16).astype(int)], 1, shift=4)
    row = measured(mask)
    assert row["length_px"] == pytest.approx(91, abs=2)
    assert row["width_px"] == pytest.approx(41, abs=2)


def test_a_hole_belongs_to_the_perimeter_and_not_to_the_area(disc):
    whole = drawn(disc, 40)
    hole = disc(whole.shape, (45, 45), 15)
    row, solid = measured(whole & ~hole), measured(whole)
    assert row["area_px2"] == solid["area_px2"] - hole.sum()
    assert row["perimeter_px"] - solid["perimeter_px"] == pytest.approx(2 * np.pi * 15, rel=0.03)


def test_a_single_pixel_is_measured():
    mask = np.zeros((9, 9), int)
    mask[4, 4] = 1
    row = measured(mask, image=np.ones((9, 9)), probability=np.ones((9, 9)))
    assert np.isfinite(np.array(list(row.values()), float)).all()
    assert row["area_px2"] == row["solidity"] == 1


# ---------------------------------------------------------------- units


def test_lengths_are_in_pixels_without_a_pixel_size(disc):
    names = ss.measure(drawn(disc, 10).astype(int)).columns.tolist()
    assert {"area_px2", "perimeter_px", "volume_sphere_px3", "circularity"} <= set(names)
    assert not any("_um" in name for name in names)


def test_lengths_are_in_micrometres_with_a_pixel_size(disc):
    names = ss.measure(drawn(disc, 10).astype(int), pixel_size=2).columns.tolist()
    assert {"area_um2", "perimeter_um", "volume_sphere_um3", "circularity"} <= set(names)
    assert not any("_px" in name for name in names)


def test_the_columns_are_those_that_are_promised(disc):
    names = ss.measure(drawn(disc, 10).astype(int), pixel_size=2).columns.tolist()
    assert names == column_names(2)


@pytest.mark.parametrize(("name", "power"), [(n, p) for n, p in COLUMNS.items() if p is not None])
def test_a_length_grows_with_the_pixel_size_by_its_power(name, power, disc):
    mask = drawn(disc, 20)
    mask[10:20] = False
    ratio = (
        measured(mask, pixel_size=0.5)[f"{name}_um{power}"] / measured(mask)[f"{name}_px{power}"]
    )
    assert ratio == pytest.approx(0.5 ** int(power or 1))


@pytest.mark.parametrize(
    "name", ["circularity", "solidity", "eccentricity", "aspect_ratio", "touches_edge"]
)
def test_a_plain_number_does_not_depend_on_the_pixel_size(name, disc):
    mask = drawn(disc, 20)
    mask[10:20] = False
    assert measured(mask, pixel_size=0.5)[name] == pytest.approx(measured(mask)[name])


def test_a_pixel_may_be_higher_than_wide():
    y, x = np.mgrid[-40:41, -80:81]
    row = measured((2 * y) ** 2 + x**2 <= 70**2, pixel_size=(2, 1))  # a disc of radius 70 µm
    assert row["area_um2"] == pytest.approx(np.pi * 70**2, rel=0.01)
    assert row["circularity"] == pytest.approx(1, abs=0.03)
    assert row["feret_max_um"] == pytest.approx(140, abs=2)
    assert row["feret_min_um"] == pytest.approx(140, abs=2)
    assert row["eccentricity"] < 0.15


def test_the_sides_of_a_rectangle_are_scaled_each_by_its_own_pixel_side():
    row = measured(rectangle(20, 60), pixel_size=(2, 0.5))
    assert row["area_um2"] == 20 * 60
    assert row["length_um"] == pytest.approx(40, abs=2)
    assert row["width_um"] == pytest.approx(30, abs=0.5)
    assert (row["centroid_y_um"], row["centroid_x_um"]) == ((4 + 9.5) * 2, (4 + 29.5) * 0.5)


@pytest.mark.parametrize("bad", [0, -1, np.nan, np.inf, (1, 0)])
def test_an_impossible_pixel_size_is_refused(bad):
    with pytest.raises(BadSetting, match="impossible"):
        ss.measure(np.ones((9, 9), int), pixel_size=bad)


# ---------------------------------------------------------------- positions and intensities


def test_the_centroid_counts_from_the_centre_of_the_first_pixel(disc):
    row = measured(disc((60, 80), (20, 50), 9))
    assert (row["centroid_y_px"], row["centroid_x_px"]) == (20, 50)


def test_intensities_are_measured_on_the_image(disc):
    mask = drawn(disc, 10)
    image = np.where(mask, 7, 1000).astype(np.uint16)
    row = measured(mask, image=image)
    assert row["mean_intensity"] == 7
    assert row["integrated_intensity"] == 7 * mask.sum()


def test_intensities_do_not_overflow(disc):
    mask = drawn(disc, 100)
    row = measured(mask, image=np.full(mask.shape, 65535, np.uint16))
    assert row["integrated_intensity"] == 65535.0 * mask.sum()


@pytest.mark.parametrize("column", ["mean_intensity", "integrated_intensity"])
def test_intensities_are_nan_without_an_image(column, disc):
    assert np.isnan(measured(drawn(disc, 10))[column])


def test_the_mean_probability_is_nan_without_a_probability(disc):
    assert np.isnan(measured(drawn(disc, 10))["mean_probability"])


def test_the_mean_probability_is_that_inside(disc):
    mask = drawn(disc, 10)
    row = measured(mask, probability=np.where(mask, 0.75, 0.1).astype(np.float32))
    assert row["mean_probability"] == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("where", "touches"),
    [
        (np.s_[0:3, 4:6], True),
        (np.s_[6:9, 4:6], True),
        (np.s_[4:6, 0:2], True),
        (np.s_[4:6, 7:9], True),
        (np.s_[1:8, 1:8], False),
    ],
)
def test_touching_the_edge_is_told(where, touches):
    mask = np.zeros((9, 9), int)
    mask[where] = 1
    assert measured(mask)["touches_edge"] == touches


# ---------------------------------------------------------------- tables


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "int64", "uint32", "uint64"])
def test_labels_may_be_of_any_integer_type(dtype, disc):
    labels = drawn(disc, 10).astype(dtype) * 3
    assert ss.measure(labels)["label"].tolist() == [3]


def test_a_mask_is_one_object(disc):
    assert ss.measure(drawn(disc, 10))["label"].tolist() == [1]


def test_numbers_with_gaps_are_kept(disc):
    labels = np.zeros((60, 60), np.int32)
    labels[disc(labels.shape, (15, 15), 9)] = 1_000_000
    labels[disc(labels.shape, (40, 40), 12)] = 5
    table = ss.measure(labels)
    assert table["label"].tolist() == [5, 1_000_000]
    assert table["centroid_y_px"].tolist() == [40, 15]


def test_an_object_is_measured_alike_whatever_else_is_there(disc):
    labels = np.zeros((60, 90), np.int32)
    labels[disc(labels.shape, (30, 20), 15)] = 1
    alone = ss.measure(labels).iloc[0]
    labels[disc(labels.shape, (30, 50), 15) & (labels == 0)] = 2  # touches the first
    assert ss.measure(labels).iloc[0].equals(alone)


def test_negative_labels_are_objects_of_their_own():
    labels = np.zeros((20, 20), np.int32)
    labels[2:8, 2:8] = -3
    labels[12:18, 12:18] = 4
    assert ss.measure(labels)["label"].tolist() == [-3, 4]


def test_no_objects_make_a_table_of_no_rows_with_all_columns():
    table = ss.measure(np.zeros((9, 9), int), pixel_size=0.5)
    assert len(table) == 0
    assert table.columns.tolist() == column_names(0.5)


def test_a_stack_is_measured_plane_by_plane(disc):
    labels = np.zeros((3, 50, 50), np.int32)
    labels[0][disc((50, 50), (25, 25), 10)] = 1
    labels[2][disc((50, 50), (25, 25), 20)] = 1
    table = ss.measure(labels, image=np.ones(labels.shape))
    assert table.columns[:2].tolist() == ["label", "frame"]
    assert table["frame"].tolist() == [0, 2]
    assert table["area_px2"].iloc[1] > 3 * table["area_px2"].iloc[0]


def test_a_stack_of_stacks_names_the_place_along_each_axis():
    labels = np.zeros((2, 3, 9, 9), np.int32)
    labels[1, 2, 3:6, 3:6] = 4
    (row,) = ss.measure(labels).to_dict("records")
    assert (row["label"], row["frame_0"], row["frame_1"]) == (4, 1, 2)


@pytest.mark.parametrize("what", ["image", "probability"])
def test_an_image_of_another_shape_is_refused(what):
    with pytest.raises(BadImage, match=what):
        ss.measure(np.ones((9, 9), int), **{what: np.ones((9, 8))})


@pytest.mark.parametrize(
    "labels", [np.ones((9, 9)), np.ones(9, int), np.ones((9, 9), complex), np.zeros((0, 9, 9), int)]
)
def test_what_are_no_labels_is_refused(labels):
    with pytest.raises(BadImage):
        ss.measure(labels)


@pytest.mark.parametrize(("area", "diameter"), [(0, 0), (np.pi, 2), (np.pi * 100, 20)])
def test_the_equivalent_diameter_is_that_of_the_disc_of_this_area(area, diameter):
    assert equivalent_diameter(area) == pytest.approx(diameter)


def test_the_equivalent_diameter_of_nothing_known_is_not_known():
    assert np.isnan(equivalent_diameter(np.nan))
