"""Places that the files say themselves, where their names do not."""

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_spheroseg.batch.items import Item
from napari_spheroseg.batch.run import segment_files
from napari_spheroseg.batch.series import places_of
from napari_spheroseg.batch.taken import times_of_stacks
from napari_spheroseg.readwrite.acquired import Acquired

PLATE = (
    '<Plate ID="Plate:0"><Well ID="Well:0" Row="1" Column="2"><WellSample ID="WellSample:0" '
    'Index="0"><ImageRef ID="Image:0"/></WellSample></Well></Plate>'
)


def items(*names):
    return [Item(name, name, name) for name in names]


def places(taken, pattern="auto"):
    return places_of(items(*taken), pattern, taken)


def test_wells_come_from_files_where_names_tell_none():
    found = places({"one.tif": Acquired(2, 3), "two.tif": Acquired(1, 1, "2")})
    assert found == {
        "one.tif": {"well": "B03", "position": None},
        "two.tif": {"well": "A01", "position": "2"},
    }


def test_names_go_first():
    found = places({"B01.tif": Acquired(5, 5), "B02.tif": Acquired(5, 6)})
    assert [each["well"] for each in found.values()] == ["B01", "B02"]


def test_nothing_is_told_where_nothing_is_asked_for():
    assert places({"one.tif": Acquired(2, 3)}, "none") == {}


def test_a_well_that_no_plate_has_is_none():
    assert places({"one.tif": Acquired(99, 3)}) == {}


def test_times_are_hours_since_the_first_image_where_wells_were_imaged_again():
    days = {f"{name}.tif": Acquired(1, 1, None, 400_000.0 + 24 * n) for n, name in enumerate("xyz")}
    found = places(days)
    assert [each["time"] for each in found.values()] == [0, 24, 48]
    assert {each["time_unit"] for each in found.values()} == {"h"}


def test_wells_that_follow_each_other_on_one_plate_are_no_time_lapse():
    found = places({f"{n}.tif": Acquired(1, n + 1, None, 4e5 + n / 60) for n in range(4)})
    assert all("time" not in each for each in found.values())


@pytest.mark.parametrize(("first", "second"), [((), ()), ((1, 1), (1, 1))])
def test_moments_that_tell_no_series_apart_are_no_times(first, second):
    found = places({"x.tif": Acquired(*first, moment=4e5), "y.tif": Acquired(*second, moment=4e5)})
    assert all("time" not in each for each in found.values())


@pytest.mark.parametrize("workers", [False, True])
def test_they_reach_the_tables(bright, image, tmp_path, workers):
    for name, date in (("x", "2024-01-31"), ("y", "2024-02-01")):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, image, ome=True, metadata={"PhysicalSizeX": 0.65})
        head, rest = tifffile.tiffcomment(path).split("<Image ", 1)
        opening, rest = rest.split(">", 1)
        date = f"<AcquisitionDate>{date}T08:30:00</AcquisitionDate>"
        text = f"{head}{PLATE}<Image {opening}>{date}{rest}"
        tifffile.tiffcomment(path, text.encode("utf-8"))
    paths, out = [tmp_path / "x.tif", tmp_path / "y.tif"], tmp_path / "out"
    how = {"model": str(bright), "device": "cpu"}
    if workers:
        distributed = pytest.importorskip("distributed")
        with distributed.Client(processes=False, dashboard_address=None) as client:
            done = list(segment_files(paths, out, **how, client=client))
    else:
        done = list(segment_files(paths, out, **how))
    assert [item.error for item in done] == [None, None]
    images = pd.read_csv(out / "images.csv").sort_values("file")
    assert images["well"].tolist() == ["B03", "B03"]
    assert images["time"].tolist() == [0, 24]
    assert {"well", "time"} <= set(pd.read_csv(out / "measurements.csv"))
    again = list(segment_files(paths, out, **how))
    assert [item.state for item in again] == ["skipped", "skipped"]
    assert pd.read_csv(out / "images.csv")["well"].tolist() == ["B03", "B03"]


def test_fields_of_wells_that_were_imaged_one_after_the_other_are_no_times():
    taken = {f"{n}.tif": Acquired(1, 1 + n // 3, None, 4e5 + n / 60) for n in range(6)}
    assert all("time" not in each for each in places(taken).values())


def test_wells_that_were_visited_again_are_times():
    taken = {f"{n}.tif": Acquired(1, 1 + n % 3, None, 4e5 + n / 60) for n in range(6)}
    times = [each["time"] for each in places(taken).values()]
    assert times == pytest.approx([n / 60 for n in range(6)], abs=1e-6)


def test_hours_of_a_stack_reach_the_tables(bright, image, tmp_path):
    how = {"axes": "TYX", "TimeIncrement": 30.0, "TimeIncrementUnit": "min"}
    tifffile.imwrite(tmp_path / "x.tif", np.stack([image] * 3), ome=True, metadata=how)
    done = list(segment_files([tmp_path / "x.tif"], tmp_path / "out", str(bright), device="cpu"))
    assert done[0].error is None
    images = pd.read_csv(tmp_path / "out" / "images.csv")
    assert images["time"].tolist() == [0, 0.5, 1]
    assert set(images["time_unit"]) == {"h"}
    objects = pd.read_csv(tmp_path / "out" / "measurements.csv")
    assert (objects["time"] == objects["t"] / 2).all()


def test_hours_of_a_stack_begin_where_its_place_in_a_series_is():
    stacks = {"a": Acquired(times=[0, 1]), "b": Acquired(times=[0, 2])}
    begun = {"b": {"time": 24.0, "time_unit": "h"}}
    assert times_of_stacks(begun, stacks) == {"a": [0, 1], "b": [24, 26]}


@pytest.mark.parametrize(
    ("place", "times"), [({"time": 3, "time_unit": "frame"}, [0, 1]), ({}, None)]
)
def test_stacks_of_which_one_does_not_tell_hours_have_none(place, times):
    stacks = {"a": Acquired(times=[0, 1]), "b": Acquired(times=times)}
    assert times_of_stacks({"b": place}, stacks) == {}
