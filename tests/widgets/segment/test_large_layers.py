"""Images too large for memory, in a real viewer: here, whatever has more than 10,000 pixels."""

from __future__ import annotations

import gc
import shutil

import numpy as np
import pytest

import napari_spheroseg as ss
from napari_spheroseg.readwrite.omezarr import open_levels
from napari_spheroseg.segmentation.large.temporary import temporary_folder
from napari_spheroseg.widgets.segment import job, shown_large

pytest.importorskip("zarr")

PLACE = {"scale": (0.65, 0.65), "translate": (100, 50), "units": ("um", "um")}


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch, tmp_path):
    monkeypatch.setattr(job, "LARGE", 10_000)
    monkeypatch.setenv("SPHEROSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def wide(image):
    """Large enough for a pyramid: the three discs, and much ground."""
    plane = np.full((700, 800), 100, np.uint16)
    plane[:128, :160] = image
    return plane


def folders():
    return list(temporary_folder().glob("result-*"))


def test_labels_lie_in_files_where_the_image_lies(session, wide):
    layer = session.viewer.add_image(wide, name="slide", **PLACE)
    session.run()
    labels = session.layer("slide labels")
    assert labels.multiscale
    assert [type(level).__module__.split(".")[0] for level in labels.data] == ["zarr", "zarr"]
    np.testing.assert_array_equal(np.asarray(labels.data[0]) > 0, wide > 1000)
    for name in ("slide labels", "slide polygons"):
        result = session.layer(name)
        np.testing.assert_allclose(result.scale, layer.scale)
        np.testing.assert_allclose(result.translate, layer.translate)
        assert result.units == layer.units
    assert session.layer("slide polygons").nshapes == 3
    assert list(labels.features["index"]) == [1, 2, 3]
    assert labels.features["area_um2"].max() == pytest.approx(np.pi * 20**2 * 0.65**2, rel=0.02)
    assert "3 objects" in session.widget.summary.value
    assert len(folders()) == 1


def test_the_objects_are_those_of_a_run_in_memory(session, wide, monkeypatch):
    session.viewer.add_image(wide, name="slide")
    session.run()
    again = ss.segment(wide, **session.layer("slide labels").metadata["spheroseg"])
    np.testing.assert_array_equal(np.asarray(session.layer("slide labels").data[0]), again.labels)


def test_nobody_can_paint_on_files(session, image):
    session.viewer.add_image(image, name="slide")  # one level only: napari itself would allow it
    session.run()
    assert not session.layer("slide labels").editable
    assert not session.layer("slide polygons").editable


def test_small_planes_of_a_large_stack_are_held_in_memory(session, image):
    small = image[:60, :80]
    session.viewer.add_image(np.stack([small] * 4), name="movie")
    session.widget.frames.value = "Every slice"
    session.run()
    assert isinstance(session.layer("movie labels").data, np.ndarray)


def test_every_slice_of_large_planes(session, stack):
    session.viewer.add_image(stack, name="movie")
    session.widget.frames.value = "Every slice"
    session.run()
    np.testing.assert_array_equal(np.asarray(session.layer("movie labels").data) > 0, stack > 1000)
    frames = [ring[0, 0] for ring in session.layer("movie polygons").data]
    assert frames == [0, 0, 0, 1, 1, 1, 2, 2]


def test_the_current_slice_alone(session, stack):
    session.viewer.add_image(stack, name="movie")
    session.widget.frames.value = "Current slice"
    session.viewer.dims.set_point(0, 1)
    session.run()
    labels = np.asarray(session.layer("movie labels").data)
    assert [plane.max() for plane in labels] == [0, 3, 0]


def test_of_a_pyramid_nothing_is_read_but_windows(session):
    import dask.array

    largest = []

    def block(block_info):
        where = block_info[None]["array-location"]
        largest.append(max(stop - start for start, stop in where))
        part = np.full((200, 200), 100, np.uint16)
        part[80:120, 80:120] = 3000
        return part

    chunks = ((200,) * 4, (200,) * 4)
    fine = dask.array.map_blocks(
        block, chunks=chunks, dtype=np.uint16, meta=np.empty((0, 0), np.uint16)
    )
    session.viewer.add_image(
        [fine, fine[::4, ::4]], name="slide", multiscale=True, contrast_limits=(0, 3000)
    )
    session.run()
    assert len(session.layer("slide labels").features) == 16
    assert max(largest) == 200


def test_a_moved_threshold_says_when_it_takes_effect_and_then_does(session):
    ramp = np.tile(np.linspace(0, 1, 700, dtype=np.float32), (600, 1))
    session.viewer.add_image(ramp, name="ramp")
    session.run()
    before = int((np.asarray(session.layer("ramp labels").data[0]) > 0).sum())
    assert "next run" in session.widget.threshold.tooltip
    assert "next run" not in session.widget.summary.value
    session.widget.threshold.value = 0.9
    assert "next run" in session.widget.summary.value
    labels = session.layer("ramp labels")
    session.run()
    assert "next run" not in session.widget.summary.value
    assert session.layer("ramp labels") is labels
    assert 0 < int((np.asarray(labels.data[0]) > 0).sum()) < before
    assert labels.metadata["spheroseg"]["threshold"] == 0.9


def test_another_image_moves_its_threshold_at_once(session, wide, image):
    session.viewer.add_image(wide, name="slide")
    session.run()
    session.widget.image.value = session.viewer.add_image(image[:60, :80], name="plate")
    assert "next run" not in session.widget.threshold.tooltip


def test_files_go_with_their_layer(session, wide, qtbot):
    session.viewer.add_image(wide, name="slide")
    session.run()
    (folder,) = folders()
    gc.collect()
    assert folder.is_dir()
    session.viewer.layers.remove("slide labels")
    session.wait(lambda: not folder.exists(), 10)
    assert session.widget.summary.value == ""
    assert not session.widget.actions.enabled


def test_files_of_before_go_when_another_run_takes_their_place(session, wide):
    session.viewer.add_image(wide, name="slide")
    session.run()
    (before,) = folders()
    session.widget.more.min_area.value = 500
    session.run()
    session.wait(lambda: not before.exists(), 10)
    assert len(folders()) == 1
    assert len(session.layer("slide labels").features) == 2
    assert session.layer("slide polygons").nshapes == 2


def test_labels_of_another_shape_take_the_place_of_those_before(session, wide):
    layer = session.viewer.add_image(wide, name="slide")
    session.run()
    layer.data = wide[:600]
    session.run()
    assert session.names == ["slide", "slide labels", "slide polygons"]
    assert session.layer("slide labels").data[0].shape == (600, 800)
    assert "3 objects" in session.widget.summary.value
    assert session.widget.actions.enabled
    session.wait(lambda: len(folders()) == 1, 10)


def test_labels_that_are_removed_during_another_run_are_let_go_of(session, wide, image):
    session.viewer.add_image(wide, name="slide")
    session.run()
    session.widget.image.value = session.viewer.add_image(image[:60, :80], name="plate")
    session.press()
    session.viewer.layers.remove("slide labels")
    session.settle()
    session.widget.image.value = session.layer("slide")
    assert session.widget.summary.value == ""


def test_files_stay_while_a_copy_of_the_layer_is_there(session, wide):
    session.viewer.add_image(wide, name="slide")
    session.run()
    copy = session.viewer.add_labels(session.layer("slide labels").data, name="copy")
    session.viewer.layers.remove("slide labels")
    session._qtbot.wait(700)
    assert len(folders()) == 1
    assert np.asarray(copy.data[0]).max() == 3


def test_cancelling_leaves_no_files(session, stack, slow):
    session.viewer.add_image(np.concatenate([stack] * 5), name="movie")
    session.widget.frames.value = "Every slice"
    session.press()
    session.wait(lambda: "about" in session.widget.summary.value)
    assert session.widget.run.text == "Cancel"
    session.press()
    session.wait(session.idle)
    assert session.names == ["movie"]
    assert not folders()


def test_the_current_view_is_segmented_in_memory_and_the_whole_is_kept(session, wide):
    layer = session.viewer.add_image(wide, name="slide")
    session.run()
    session.widget.region.value = "Current view only"
    session.look_at(layer, (90, 110), 44)
    session.run()
    assert isinstance(session.layer("slide labels").data, np.ndarray)
    assert session.layer("slide labels").data.max() == 1
    whole = session.layer("slide labels (whole image)")
    assert np.asarray(whole.data[0]).max() == 3
    assert not whole.visible
    session.widget.region.value = "Whole image"
    session.run()
    assert session.layer("slide labels").multiscale
    assert session.names.count("slide labels") == 1


def test_results_are_saved_under_the_name_of_the_image(session, wide, tmp_path):
    session.viewer.add_image(wide, name="slide", **PLACE)
    session.run()
    session.widget.actions.save_to(tmp_path / "kept")
    session.wait(lambda: not session.widget.actions.saving.running)
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert kept == [
        "slide_labels.ome.zarr",
        "slide_measurements.csv",
        "slide_polygons.geojson",
    ]
    assert open_levels(tmp_path / "kept" / kept[0])[0][:].max() == 3


def test_a_folder_that_cannot_be_written_gives_a_notice(session, wide, tmp_path, notices):
    session.viewer.add_image(wide, name="slide")
    session.run()
    (tmp_path / "file").write_text("not a folder")
    session.widget.actions.save_to(tmp_path / "file")
    session.wait(lambda: not session.widget.actions.saving.running)
    assert any("cannot be written" in message for _, message in notices())
    assert session.widget.actions.save.enabled


def test_the_copied_python_makes_the_same_labels(session, wide, tmp_path, monkeypatch):
    from qtpy.QtWidgets import QApplication

    monkeypatch.chdir(tmp_path)
    session.viewer.add_image([wide, wide[::2, ::2]], name="slide", multiscale=True)
    session.run()
    session.widget.actions.copy_python.native.click()
    scope = {"viewer": session.viewer}
    exec(QApplication.clipboard().text(), scope)
    found = np.asarray(session.layer("slide labels").data[0])
    np.testing.assert_array_equal(scope["result"].labels[:], found)


def test_so_many_outlines_that_napari_would_be_slow_are_not_drawn(session, wide, monkeypatch):
    monkeypatch.setattr(shown_large, "MOST_OUTLINES", 2)
    session.viewer.add_image(wide, name="slide")
    session.run()
    assert session.names == ["slide", "slide labels"]
    assert "contour" in session.widget.summary.value


def test_outlines_come_a_few_at_a_time(session, wide, monkeypatch):
    monkeypatch.setattr(shown_large, "_TOGETHER", 1)
    session.viewer.add_image(wide, name="slide")
    session.run()
    polygons = session.layer("slide polygons")
    assert polygons.nshapes == 3
    assert list(polygons.features["label"]) == [1, 2, 3]


def test_no_objects_are_no_error(session, notices):
    plane = np.full((300, 300), 100, np.uint16)
    plane[10:12, 10:12] = 3000  # smaller than an object may be
    session.viewer.add_image(plane, name="slide")
    session.run()
    assert "No objects" in session.widget.summary.value
    assert session.layer("slide polygons").nshapes == 0


def restore_first(session, wide, model):
    from napari_spheroseg import models

    shutil.copytree(model, models.places.user_folder() / "sharpen")
    session.widget.more.restore.reset_choices()
    session.widget.more.restore.value = "sharpen"
    session.viewer.add_image(wide, name="slide")
    session.run()


def test_a_large_layer_is_restored_first_where_asked(session, wide, notices, restorer):
    restore_first(session, wide, restorer())
    assert np.asarray(session.layer("slide labels").data[0]).max() == 3
    assert not notices()


def test_what_cannot_be_done_by_window_gives_a_notice(session, wide, notices, restorer):
    restore_first(session, wide, restorer(intensity="columns"))
    assert any("wants all of an image" in message for _, message in notices())
    assert session.names == ["slide"]
    assert not folders()
