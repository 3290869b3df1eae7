import pytest

from napari_spheroseg.batch.names import (
    Pattern,
    Place,
    guess_pattern,
    pattern_of,
    preview,
    read_place,
    read_places,
)
from napari_spheroseg.batch.patterns import PATTERNS
from napari_spheroseg.batch.plates import guess_layout, read_well, row_name, row_number, well_name
from napari_spheroseg.errors import BadSetting

BY_TITLE = {pattern.title: pattern for pattern in PATTERNS}


# ---------------------------------------------------------------- wells


@pytest.mark.parametrize(
    ("text", "name"),
    [("b3", "B03"), ("B03", "B03"), ("B-3", "B03"), ("P24", "P24"), ("af48", "AF48")],
)
def test_a_well_has_one_name_however_it_is_written(text, name):
    assert well_name(*read_well(text)) == name


@pytest.mark.parametrize("text", ["", "3", "A0", "A49", "AG1", "BB2", "W00001", "well"])
def test_what_no_plate_has_is_no_well(text):
    assert read_well(text) is None


def test_rows_are_numbered_beyond_z():
    assert [row_name(n) for n in (1, 26, 27, 32)] == ["A", "Z", "AA", "AF"]
    assert [row_number(name) for name in ("a", "Z", "AF", "02", "33", "x!")] == [
        *(1, 26, 32, 2),
        *(None, None),
    ]


@pytest.mark.parametrize(
    ("wells", "layout"),
    [
        (["A01", "B03"], (2, 3)),
        (["C04"], (3, 4)),
        (["D06"], (4, 6)),
        (["H12", "A01"], (8, 12)),
        (["I01"], (16, 24)),
        (["A25"], (32, 48)),
        (["W00001", ""], (2, 3)),
    ],
)
def test_the_smallest_plate_that_has_all_wells_is_guessed(wells, layout):
    assert guess_layout(wells) == layout


# ---------------------------------------------------------------- built-in patterns


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.title)
def test_every_built_in_pattern_is_guessed_from_its_own_example(pattern):
    assert guess_pattern([pattern.example]) is pattern


@pytest.mark.parametrize(
    ("title", "place"),
    [
        ("Incucyte, elapsed", Place("B03", "2", 4.0, "h")),
        ("Opera Phenix, Operetta CLS (Harmony)", Place("B03", "4", 1.0, "frame", "1")),
        ("Operetta (Harmony 3, Columbus)", Place("B03", "4")),
        ("ImageXpress (MetaXpress)", Place("B03", "1", channel="1")),
        ("Cytation (Gen5)", Place("A01", "1", 1.0, "frame", "Bright Field")),
        ("Yokogawa CV7000, CV8000", Place("B02", "1", 1.0, "frame", "01")),
        ("Nikon NIS-Elements JOBS", Place("A01", "0", channel="BF")),
        ("ScanR", Place("A01", "1", 0.0, "frame", "Trans")),
        ("IN Cell Analyzer", Place("B03", "1", channel="TL - Bright field")),
        ("Micro-Manager, plate", Place("A01", "0")),
        ("a folder a day", Place("B02", None, 72.0, "h")),
        ("well and day", Place("B04", None, 72.0, "h")),
        ("frame", Place(None, "spheroid", 3.0, "frame")),
    ],
)
def test_a_built_in_pattern_reads_its_example(title, place):
    assert read_place(BY_TITLE[title].example, BY_TITLE[title]) == place


@pytest.mark.parametrize(
    ("name", "title", "place"),
    [
        (
            "ACHN-20X_B02_s1_w1836B5662-3526-47FE-A453-0D1775E08D17.tif",
            "ImageXpress (MetaXpress)",
            Place("B02", "1", channel="1"),
        ),
        (
            "TimePoint_2/x_B02_s1_w1.TIF",
            "ImageXpress (MetaXpress)",
            Place("B02", "1", 2.0, "frame", "1"),
        ),
        (
            "A1ROI1_02_1_1_Bright Field_High Contrast_003.tif",
            "Cytation (Gen5)",
            Place("A01", "1", 3.0, "frame", "Bright Field_High Contrast"),
        ),
        (
            "A - 01(fld 1 wv UV - DAPI z 3 time 2 - 2636ms).tif",
            "IN Cell Analyzer",
            Place("A01", "1", 2.0, "frame", "UV - DAPI"),
        ),
        (
            "--W00007--P00001--Z00000--T00000--dapi.tif",
            "ScanR",
            Place("W00007", "1", 0.0, "frame", "dapi"),
        ),
        ("seq0000xy01c1.tif", "Nikon NIS-Elements, exported", Place(None, "1", channel="1")),
    ],
)
def test_variants_of_real_names_are_read(name, title, place):
    assert guess_pattern([name]).title == title
    assert read_place(name, BY_TITLE[title]) == place


@pytest.mark.parametrize("name", ["IMG_0001.tif", "S1.tif", "photo.png", "Series002_z00_ch00.tif"])
def test_names_that_say_nothing_have_no_pattern(name):
    assert guess_pattern([name]) is None


def test_a_pattern_must_fit_nearly_all_names():
    names = [f"B04_t{n:03d}.tif" for n in range(19)]
    assert guess_pattern([*names, "overview.tif"]).title == "well and frame"
    assert guess_pattern([*names, *(f"overview{n}.tif" for n in range(5))]) is None
    assert guess_pattern([]) is None


def test_of_ten_thousand_names_the_pattern_is_guessed_from_some():
    names = [f"X_A1_{n}_00d00h00m.tif" for n in range(10_000)]
    assert guess_pattern(names).title == "Incucyte, elapsed"


# ---------------------------------------------------------------- patterns of the user


@pytest.mark.parametrize(
    ("pattern", "name", "place"),
    [
        ("{well}_{position}_{time}", "b3_2_48h.tif", Place("B03", "2", 48.0, "h")),
        ("{well}_{position}_{time}.tif", "b3_2_007.tif", Place("B03", "2", 7.0, "frame")),
        ("{*}-{row}-{column}", "x-2-3.png", Place("B03")),
        ("{*}-{row}-{column}", "x-B-3.png", Place("B03")),
        ("{Well}_site{Site}", "B3_site07.tif", Place("B03", "7")),
        ("{well}[_{channel}]", "B3.tif", Place("B03")),
        ("{well}[_{channel}]", "B3_BF.tif", Place("B03", channel="BF")),
        ("day{day}_{hour}h", "day1_6h.tif", Place(None, None, 30.0, "h")),
        ("{*}_{time}", "x_30min.tif", Place(None, None, 0.5, "h")),
        ("{*}_{time}", "x_d2.tif", Place(None, None, 48.0, "h")),
        ("{well}/{*}_{frame}", "plate/B3/img_4.tif", Place("B03", None, 4.0, "frame")),
        ("{well}/{*}/{frame}", "B3/bf/4.tif", Place("B03", None, 4.0, "frame")),
        (r"(?P<well>[A-H]\d+)f(?P<site>\d+)", "xB3f01.tif", Place("B03", "1")),
        ("{name}.ome.tif", "a.ome.tif", Place(None, "a")),
    ],
)
def test_a_pattern_reads_what_its_placeholders_stand_for(pattern, name, place):
    assert read_place(name, pattern) == place


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{well}", "A1_extra.tif"),
        ("{well}", "Z99.tif"),
        ("{row}_{column}", "99_1.tif"),
        ("{well}/{frame}", "4.tif"),
        ("{*}_{time}", "x_2024y13m41d_12h30m.tif"),
        (r"(?P<well>..)_(?P<frame>.+)", "A1_x.tif"),
    ],
)
def test_a_name_that_does_not_fit_has_no_place(pattern, name):
    assert read_place(name, pattern) is None


def test_dates_become_hours_since_the_first_image():
    names = [f"N_A1_1_2024y0{month}d_12h30m.tif" for month in ("1m31", "2m01", "1m30")]
    places = read_places([*names, "other.tif"], BY_TITLE["Incucyte, date"])
    assert [place and (place.time, place.time_unit) for place in places] == [
        *((24.0, "h"), (48.0, "h"), (0.0, "h")),
        None,
    ]


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("{wel}_{time}", "mean {well}"),
        ("{}", "There are"),
        ("image", "Say where it stands"),
        ("", "Say where it stands"),
        ("{*}_{#}", "Say where it stands"),
        ("{well", "partner"),
        ("[{well}", "partner"),
        ("{well}]", "partner"),
        ("{well}_{well}", "once"),
        ("{t}_{frame}", "once"),
        ("(?<well>a)", r"\(\?P<name>"),
        ("(?P<well>[", "regular expression"),
        ("(?P<plate>x)", "There are"),
    ],
)
def test_a_bad_pattern_says_what_to_do(pattern, says):
    with pytest.raises(BadSetting, match=says):
        pattern_of(pattern)


def test_a_built_in_pattern_is_found_by_its_title():
    assert pattern_of("scanr") is BY_TITLE["ScanR"]
    assert pattern_of("{well}_{time}") == Pattern("{well}_{time}")


def test_the_preview_shows_what_is_read_and_what_is_not():
    names = ["p/B3_1h.tif", "B3_1h.png", "notes.tif", "C4_2h.tif"]
    rows = preview(names, "{well}_{time}")
    assert [row["well"] for row in rows] == ["B03", "B03", "", "C04"]
    assert [row["time"] for row in rows] == ["1 h", "1 h", "", "2 h"]
    assert [row["note"] for row in rows] == ["", "same as B3_1h.tif", "does not fit", ""]
    assert rows[0]["file"] == "B3_1h.tif"


def test_the_preview_says_that_files_of_the_same_name_read_the_same():
    rows = preview(["p/B3.tif", "q/B3.tif"], "{well}")
    assert [row["note"] for row in rows] == ["", "same as B3.tif"]
