import math

import numpy as np
import pandas as pd
import pytest

from napari_spheroseg.batch.growth import (
    doubling_time,
    measure_column,
    object_growth,
    relative_growth,
    series_columns,
    time_column,
    time_unit,
    well_growth,
)
from napari_spheroseg.errors import BadSetting


def table(*rows, unit="um", **columns):
    """Rows of (well, time, diameter), and more columns."""
    made = pd.DataFrame(rows, columns=["well", "time", f"equivalent_diameter_{unit}"])
    made[f"area_{unit}2"] = np.pi / 4 * made[f"equivalent_diameter_{unit}"] ** 2
    return made.assign(file=[f"{n}.tif" for n in range(len(made))], time_unit="h", **columns)


SPHEROID = [("B02", 0.0, 100.0), ("B02", 24.0, 200.0), ("B02", 48.0, 400.0)]


# ---------------------------------------------------------------- what columns say


def test_measures_are_found_with_their_unit_and_micrometres_come_first():
    both = pd.DataFrame({"area_px2": [1.0, None], "area_um2": [None, 2.0]})
    assert measure_column(both, "area") == "area_um2"
    assert measure_column(both[:1], "area") == "area_px2"


def test_a_table_without_measures_says_which_table_to_give():
    with pytest.raises(BadSetting, match=r"measurements\.csv"):
        measure_column(pd.DataFrame({"areal": [1]}), "area")


def test_a_plane_of_depth_is_no_time_unless_objects_were_followed():
    stack = pd.DataFrame({"frame": [0, 1]})
    assert time_column(stack) is None
    assert time_column(stack.assign(track=1)) == "frame"
    assert time_column(pd.DataFrame({"time": [math.nan], "t": [0]})) == "t"


def test_hours_and_frames_have_no_common_axis():
    objects = table(*SPHEROID)
    objects["time_unit"] = ["h", "h", "frame"]
    with pytest.raises(BadSetting, match=r"frame and h.*one pattern"):
        time_unit(objects)


def test_a_file_is_a_series_where_it_holds_several_times():
    assert series_columns(table(*SPHEROID)) == ["well"]
    stack = pd.DataFrame({"file": ["a", "a"], "t": [0, 1]})
    assert series_columns(stack) == ["file"]


# ---------------------------------------------------------------- objects


def test_growth_is_relative_to_the_first_time_in_whatever_order_rows_come():
    grown = relative_growth(table(*SPHEROID[::-1]))
    assert grown["relative_area"].to_list() == pytest.approx([16, 4, 1])
    assert grown["relative_volume"].to_list() == pytest.approx([64, 8, 1])


@pytest.mark.parametrize("unit", ["um", "px"])
def test_one_spheroid_a_well_is_followed_without_tracks(unit):
    grown = object_growth(table(*SPHEROID, unit=unit))
    assert grown["well"].to_list() == ["B02"]
    assert grown["times"].to_list() == [3]
    assert grown["relative_volume"].to_list() == pytest.approx([64])
    # volume grows eightfold, three doublings, in 24 h
    assert grown["doubling_time_h"].to_list() == pytest.approx([8])
    assert grown["reason"].to_list() == [""]


def test_several_objects_without_tracks_are_not_followed():
    objects = table(*SPHEROID, ("B02", 24.0, 50.0), ("C02", 0.0, 10.0), ("C02", 24.0, 20.0))
    grown = relative_growth(objects)
    assert grown.loc[grown["well"] == "B02", "relative_area"].isna().all()
    assert grown.loc[grown["well"] == "C02", "relative_area"].to_list() == pytest.approx([1, 4])
    assert object_growth(objects)["well"].to_list() == ["C02"]


def test_tracks_are_followed_each_by_itself():
    rows = [
        ("B02", t, d) for t, *pair in ((0.0, 10, 30), (1.0, 20, 30), (2.0, 40, 30)) for d in pair
    ]
    grown = object_growth(table(*rows, track=[1, 2] * 3))
    assert grown["relative_area"].to_list() == pytest.approx([16, 1])
    assert grown["reason"].to_list() == ["", "no growth"]


def test_the_same_track_in_two_wells_is_two_objects():
    rows = [*SPHEROID, ("C02", 0.0, 100.0), ("C02", 24.0, 100.0)]
    assert object_growth(table(*rows, track=1))["relative_area"].to_list() == pytest.approx([16, 1])


def test_an_object_that_appears_later_is_relative_to_its_own_first_time():
    rows = [("B02", 0.0, 10.0), ("B02", 1.0, 10.0), ("B02", 1.0, 50.0), ("B02", 2.0, 100.0)]
    grown = relative_growth(table(*rows, track=[1, 1, 2, 2]))
    assert grown["relative_area"].to_list() == pytest.approx([1, 1, 1, 4])


def test_a_stack_is_followed_by_its_file_and_frame():
    objects = table(*SPHEROID, *SPHEROID).drop(columns=["well", "time", "time_unit"])
    objects = objects.assign(file=["a"] * 3 + ["b"] * 3, t=[0, 1, 2] * 2, track=1)
    grown = object_growth(objects)
    assert grown["file"].to_list() == ["a", "b"]
    assert grown["doubling_time_frame"].to_list() == pytest.approx([1 / 3] * 2)


def test_without_times_there_is_no_growth():
    objects = table(*SPHEROID).drop(columns=["time", "time_unit"])
    assert relative_growth(objects)["relative_area"].isna().all()
    assert object_growth(objects).empty


def test_an_empty_table_stays_empty():
    assert object_growth(table()).empty
    assert relative_growth(table()).empty


# ---------------------------------------------------------------- doubling time


def test_the_doubling_time_of_exact_exponential_growth_is_exact():
    time = np.array([0, 5, 12, 30.0])
    assert doubling_time(time, 7 * 2 ** (time / 20))[0] == pytest.approx(20)


@pytest.mark.parametrize(
    ("time", "volume", "reason"),
    [
        ([0, 1], [1, 2], "fewer than 3 times"),
        ([0, 1, 1], [1, 2, 3], "fewer than 3 times"),
        ([0, 1, 2], [1, math.nan, 3], "fewer than 3 times"),
        ([0, 1, 2], [1, 0, 3], "fewer than 3 times"),
        ([0, 1, 2], [1, 1, 1], "no growth"),
        ([0, 1, 2], [3, 2, 1], "no growth"),
        ([], [], "fewer than 3 times"),
    ],
)
def test_where_there_is_no_doubling_time_the_reason_is_said(time, volume, reason):
    value, said = doubling_time(time, volume)
    assert math.isnan(value)
    assert said == reason


# ---------------------------------------------------------------- wells


def test_a_well_has_its_objects_of_every_time():
    objects = table(("B02", 0.0, 10.0), ("B02", 0.0, 30.0), ("B02", 1.0, 50.0))
    summary = well_growth(objects)
    assert summary["n"].to_list() == [2, 1]
    assert summary["mean_diameter_um"].to_list() == pytest.approx([20, 50])
    assert summary["lower_diameter_um"].to_list() == pytest.approx([15, 50])
    assert summary["total_area_um2"].to_list() == pytest.approx(
        [np.pi / 4 * 1000, np.pi / 4 * 2500]
    )


def test_a_well_without_objects_counts_none_and_a_failed_one_is_not_there():
    images = pd.DataFrame(
        {
            "well": ["B02", "C02", "D02"],
            "time": [0.0, 0.0, 0.0],
            "state": ["done", "done", "failed"],
        }
    )
    summary = well_growth(table(SPHEROID[0]), images).set_index("well")
    assert summary["n"].to_dict() == {"B02": 1, "C02": 0}
    assert summary.loc["C02", "total_area_um2"] == 0
    assert math.isnan(summary.loc["C02", "mean_diameter_um"])


def test_without_wells_and_times_there_is_one_row_of_all():
    summary = well_growth(table(*SPHEROID).drop(columns=["well", "time"]))
    assert summary["n"].to_list() == [3]
    assert "well" not in summary
