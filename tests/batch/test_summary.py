"""Places, time-lapse, growth, plots: what is made of all results together."""

import json

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_spheroseg.batch.run import segment_files
from napari_spheroseg.errors import BadSetting
from napari_spheroseg.readwrite.images import read_image


def disc(radius, x=60):
    away = np.hypot(np.arange(120)[:, None] - 60, np.arange(120)[None] - x)
    return np.where(away <= radius, 200, 20).astype(np.uint8)


@pytest.fixture
def run(tmp_path, bright):
    def segment(images, **settings):
        folder, out = tmp_path / "in", tmp_path / "out"
        folder.mkdir(exist_ok=True)
        for name, image in images.items():
            tifffile.imwrite(folder / name, image)
        paths = sorted(folder.iterdir())
        how = {"model": str(bright), "device": "cpu", **settings}
        items = list(segment_files(paths, out, **how))
        assert not [item.error for item in items if item.error]
        return out

    return segment


WELLS = {f"Plate_{well}_1_00d{h:02d}h00m.tif": disc(r) for well, r0 in (("A1", 12), ("B2", 20))
         for h, r in ((0, r0), (6, r0 + 4), (12, r0 + 8))}  # fmt: skip


def test_well_and_time_come_from_the_names(run):
    table = pd.read_csv(run(WELLS) / "measurements.csv")
    assert table.groupby("well")["time"].apply(list).to_dict() == {
        "A01": [0, 6, 12],
        "B02": [0, 6, 12],
    }
    assert set(table["time_unit"]) == {"h"}


def test_images_have_a_table_of_their_own(run):
    images = pd.read_csv(run(WELLS) / "images.csv")
    assert images["objects"].tolist() == [1] * 6
    share = 100 * (disc(12) > 100).mean()
    assert images["area_covered_percent"][0] == pytest.approx(share, rel=0.1)
    assert {"well", "time", "mean_diameter_px", "warnings", "state"} <= set(images.columns)


def test_a_pattern_of_ones_own(run):
    images = {"drug-A1-day1.tif": disc(12), "drug-A1-day3.tif": disc(14)}
    table = pd.read_csv(run(images, pattern="{*}-{well}-day{day}") / "measurements.csv")
    assert table["time"].tolist() == [24, 72]


def test_a_pattern_that_is_none_stops_before_the_work(run, tmp_path):
    with pytest.raises(BadSetting):
        run(WELLS, pattern="{well")
    assert not (tmp_path / "out").exists()


def test_files_of_a_well_are_a_time_lapse(run):
    out = run(WELLS, track="overlap")
    table = pd.read_csv(out / "measurements.csv")
    assert table["track"].tolist() == [1] * 6
    last = table[table["time"] == 12].set_index("well")
    assert last.loc["A01", "relative_area"] == pytest.approx((20 / 12) ** 2, rel=0.1)
    growth = pd.read_csv(out / "growth.csv").set_index("well")
    assert growth["doubling_time_h"].between(2, 12).all()
    assert growth.loc["A01", "doubling_time_h"] < growth.loc["B02", "doubling_time_h"]


def test_in_a_stack_an_object_keeps_its_id(run, tmp_path):
    movie = np.stack([np.maximum(disc(12, 30 + t), disc(14, 90 - t)) for t in range(4)])
    movie[2, :, :60] = 20  # one object is missed for a frame
    folder = tmp_path / "in"
    folder.mkdir()
    tifffile.imwrite(folder / "movie.tif", movie, imagej=True, metadata={"axes": "TYX"})
    out = run({}, track="overlap")
    labels = read_image(out / "movie_labels.tif").data
    assert labels.max() == 2
    assert [labels[t, 60, 90 - t] for t in range(4)] == [labels[0, 60, 90]] * 4
    assert labels[0, 60, 30] == labels[3, 60, 33]
    table = pd.read_csv(out / "measurements.csv")
    assert (table["track"] == table["label"]).all()


def test_plots_and_a_page_stand_beside_the_tables(run):
    out = run(WELLS)
    names = {path.name for path in out.iterdir()}
    assert {"sizes.svg", "growth.svg", "plate_count.svg", "report.html"} <= names
    assert "<svg" in (out / "report.html").read_text(encoding="utf-8")


def test_no_plots_where_none_are_wanted(run):
    assert not list(run(WELLS, plots=False).glob("*.svg"))


def test_parquet_holds_what_the_csv_holds(run):
    pytest.importorskip("pyarrow")
    out = run(WELLS, table="parquet")
    pd.testing.assert_frame_equal(
        pd.read_parquet(out / "measurements.parquet"), pd.read_csv(out / "measurements.csv")
    )


def test_coco_files_are_joined_into_one(run):
    out = run(WELLS, outputs="labels,coco")
    coco = json.loads((out / "coco.json").read_text())
    assert [len(coco["images"]), len(coco["annotations"])] == [6, 6]


def test_what_could_not_be_followed_is_told_and_fails_nothing(run):
    out = run({**WELLS, "Plate_A1_1_00d18h00m.tif": disc(20)[:100]}, track="overlap")
    problems = json.loads((out / "run.json").read_text())["runs"][0]["problems"]
    assert problems[0].startswith("Objects could not be followed")
    assert len(pd.read_csv(out / "measurements.csv")) == 7


def test_objects_are_followed_through_labels(run):
    with pytest.raises(BadSetting, match="labels"):
        run(WELLS, track="overlap", outputs="polygons")
