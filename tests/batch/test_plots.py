from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from napari_spheroseg.batch.plots import draw_plate, write_plots
from napari_spheroseg.batch.report import write_report
from napari_spheroseg.batch.svg import round_ticks, say, shade
from napari_spheroseg.errors import SpherosegError

ALL = ["sizes", "growth", "plate_count", "plate_diameter", "plate_area"]


def batch(wells=("A01", "B02"), times=(0.0, 24.0), unit="um"):
    rows = [
        {
            "file": f"{well}_{time}.tif",
            "well": well,
            "time": time,
            "time_unit": "h",
            f"equivalent_diameter_{unit}": 100.0 + 10 * n + time,
            f"area_{unit}2": np.pi / 4 * (100 + 10 * n + time) ** 2,
        }
        for well in wells
        for time in times
        for n in range(3)
    ]
    objects = pd.DataFrame(rows)
    images = objects[["file", "well", "time"]].drop_duplicates().assign(state="done", error=None)
    return objects, images


def texts(svg):
    return [each.text for each in ElementTree.fromstring(str(svg)).iter() if each.text]


def test_all_plots_of_a_plate_over_time_are_written_and_are_xml(tmp_path):
    paths = write_plots(*batch(), tmp_path)
    assert [path.stem for path in paths] == ALL
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    for path in paths:
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("dropped", "plots"),
    [
        (["well"], ["sizes", "growth"]),
        (["time", "time_unit"], ["sizes", "plate_count", "plate_diameter", "plate_area"]),
        (["well", "time", "time_unit"], ["sizes"]),
    ],
)
def test_only_plots_with_data_are_written(dropped, plots, tmp_path):
    objects, images = batch()
    images = images.drop(columns=[name for name in dropped if name in images.columns])
    written = write_plots(objects.drop(columns=dropped), images, tmp_path)
    assert [path.stem for path in written] == plots


def test_without_objects_nothing_is_drawn(tmp_path):
    objects, images = batch()
    assert write_plots(objects[:0], images, tmp_path) == []
    assert write_plots(pd.DataFrame(), pd.DataFrame(), tmp_path) == []


@pytest.mark.parametrize(("unit", "sign"), [("um", "µm"), ("px", "px")])
def test_axes_have_units(unit, sign, tmp_path):
    for path in write_plots(*batch(unit=unit), tmp_path):
        if path.stem in ("sizes", "growth"):
            said = texts(path.read_text(encoding="utf-8"))
            assert any(f"diameter ({sign})" in text for text in said)
    assert "time (h)" in texts((tmp_path / "growth.svg").read_text(encoding="utf-8"))


def test_a_well_without_objects_is_0_and_one_without_images_is_empty():
    objects, images = batch(("A01",), (0.0,))
    empty = pd.DataFrame({"well": ["B03"], "time": [0.0], "state": ["done"]})
    said = texts(draw_plate(objects, pd.concat([images, empty]), "count"))
    assert {"A01: 3 objects", "B03: 0 objects", "A02: no value"} <= set(said)


def test_a_series_is_mapped_at_its_last_time():
    said = texts(draw_plate(*batch(("A01",)), "diameter"))
    assert "A01: 134 µm" in said
    assert "Mean diameter by well, at the last time" in said


def test_wells_that_no_plate_has_are_not_mapped():
    assert draw_plate(*batch(("W00001",)), "count") is None


@pytest.mark.parametrize("count", [1, 96, 97])
def test_any_number_of_wells_is_drawn(count, tmp_path):
    wells = [f"{'ABCDEFGHIJKLMNOP'[n % 16]}{n // 16 + 1:02d}" for n in range(count)]
    assert [path.stem for path in write_plots(*batch(wells), tmp_path)] == ALL


@pytest.mark.parametrize(("rows", "shown"), [(slice(None), False), (slice(0, 2), True)])
def test_objects_without_a_well_are_drawn_by_themselves(rows, shown, tmp_path):
    objects, images = batch()
    objects.loc[objects.index[rows], "well"] = np.nan
    paths = write_plots(objects, images, tmp_path)
    drawn = " ".join(texts(paths[0].read_text(encoding="utf-8")))
    assert paths[0].stem == "sizes"
    assert ("no well" in drawn) == shown


def test_objects_all_of_one_size_are_drawn(tmp_path):
    objects, images = batch()
    objects["equivalent_diameter_um"] = 50.0
    assert len(write_plots(objects, images, tmp_path)) == len(ALL)


def test_unknown_sizes_are_not_drawn(tmp_path):
    objects, images = batch()
    objects["equivalent_diameter_um"] = np.nan
    written = write_plots(objects, images, tmp_path)
    assert [path.stem for path in written] == ["plate_count", "plate_area"]


def test_names_are_only_text(tmp_path):
    objects, images = batch(("<A&1>",))
    for path in write_plots(objects, images, tmp_path):
        ElementTree.parse(path)


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SpherosegError, match="cannot be written"):
        write_plots(*batch(), tmp_path / "file")


# ---------------------------------------------------------------- drawing


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (0, 0.3, [0, 0.1, 0.2, 0.3]),
        (123, 187, [120, 140, 160, 180, 200]),
        (50, 50, [0, 20, 40, 60, 80, 100]),
        (0, 0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
    ],
)
def test_ticks_are_round_and_enclose_the_range(low, high, ticks):
    assert round_ticks(low, high) == ticks


def test_ticks_of_counts_are_whole():
    assert round_ticks(0, 2, whole=True) == [0, 1, 2]


def test_shades_run_from_dark_to_light():
    assert (shade(-1), shade(0.5), shade(2)) == ("#440154", "#21918c", "#fde725")


def test_numbers_have_three_digits_or_so():
    assert [say(each) for each in (0.0, 0.12345, 12.345, 1234.5)] == ["0", "0.123", "12.3", "1234"]


# ---------------------------------------------------------------- report


def test_the_report_holds_the_plots_and_every_failure(tmp_path):
    objects, images = batch()
    images.loc[images.index[0], ["state", "error"]] = ["failed", "it is <empty>"]
    plots = write_plots(objects, images, tmp_path)
    page = write_report(tmp_path, images, plots, len(objects)).read_text(encoding="utf-8")
    assert "4 images, 1 failed, 12 objects" in page
    assert "it is &lt;empty&gt;" in page
    assert page.count("<svg") == len(plots)
    assert "src=" not in page


def test_a_report_of_very_many_failures_is_short(tmp_path):
    images = pd.DataFrame({"file": range(2000), "state": "failed", "error": "damaged"})
    page = write_report(tmp_path, images).read_text(encoding="utf-8")
    assert "and 1500 more, in images.csv" in page


def test_a_plot_that_is_gone_says_so(tmp_path):
    with pytest.raises(SpherosegError, match="Draw the plots again"):
        write_report(tmp_path, pd.DataFrame(), [tmp_path / "gone.svg"])
