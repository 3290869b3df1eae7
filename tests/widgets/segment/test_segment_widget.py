"""The segment widget in a real viewer: the main job, and everything that may go wrong in it."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile

import napari_spheroseg as ss
from napari_spheroseg.widgets.segment.job import analyse_steps

PLACE = {"scale": (0.65, 0.65), "translate": (100, 50), "units": ("um", "um")}


def test_a_run_adds_labels_and_polygons_named_after_the_image(session, image):
    session.viewer.add_image(image, name="plate")
    session.run()
    assert {"plate labels", "plate polygons"} < set(session.names)
    assert session.layer("plate labels").data.max() == 3
    assert session.layer("plate polygons").nshapes == 3


def test_results_lie_where_the_image_lies(session, image):
    layer = session.viewer.add_image(image, name="plate", **PLACE)
    session.run()
    for name in ("plate labels", "plate polygons"):
        result = session.layer(name)
        np.testing.assert_allclose(result.scale, layer.scale)
        np.testing.assert_allclose(result.translate, layer.translate)
        assert result.units == layer.units
        assert result.axis_labels == layer.axis_labels


def test_measures_are_in_micrometres_where_the_layer_says_so(session, image):
    session.viewer.add_image(image, name="plate", **PLACE)
    session.run()
    features = session.layer("plate labels").features
    assert list(features["index"]) == [1, 2, 3]
    assert features["area_um2"].max() == pytest.approx(np.pi * 20**2 * 0.65**2, rel=0.02)
    assert "µm" in session.widget.summary.value


def test_ids_are_equal_in_labels_polygons_and_table(session, image):
    session.viewer.add_image(image, name="plate")
    session.run()
    labels, polygons = session.layer("plate labels"), session.layer("plate polygons")
    assert set(np.unique(labels.data)) - {0} == set(labels.features["index"])
    assert set(polygons.features["label"]) == set(labels.features["index"])
    assert list(polygons.text.values) == ["1", "2", "3"]


def test_the_recipe_in_the_metadata_makes_the_labels_again(session, image):
    session.viewer.add_image(image, name="plate")
    session.run()
    labels = session.layer("plate labels")
    again = ss.segment(image, **labels.metadata["spheroseg"])
    np.testing.assert_array_equal(again.labels, labels.data)


def test_a_second_run_updates_the_same_layers(session, image):
    session.viewer.add_image(image, name="plate")
    session.run()
    before = list(session.viewer.layers)
    session.widget.more.min_area.value = 500
    session.run()
    assert list(session.viewer.layers) == before
    assert session.layer("plate labels").data.max() == 2


def test_the_threshold_moves_labels_polygons_and_table_without_inference(session, monkeypatch):
    ramp = np.tile(np.linspace(0, 1, 128, dtype=np.float32), (64, 1))
    session.viewer.add_image(ramp, name="ramp")
    session.run()
    before = (session.layer("ramp labels").data > 0).sum()

    def no_inference(*_):
        raise AssertionError("the network ran again")

    monkeypatch.setattr("napari_spheroseg.inference.predictor.Predictor.predict", no_inference)
    session.widget.threshold.value = 0.9
    session.settle()
    labels = session.layer("ramp labels")
    assert 0 < (labels.data > 0).sum() < before
    assert labels.features["area_px2"].sum() == (labels.data > 0).sum()
    assert session.layer("ramp polygons").data[0][:, 1].max() == pytest.approx(127.5)
    assert labels.metadata["spheroseg"]["threshold"] == 0.9


def test_the_last_position_of_a_dragged_slider_wins(session):
    ramp = np.tile(np.linspace(0, 1, 128, dtype=np.float32), (64, 1))
    session.viewer.add_image(ramp, name="ramp")
    session.run()
    for threshold in np.linspace(0.2, 0.8, 25):
        session.widget.threshold.value = threshold
    session.settle()
    assert session.layer("ramp labels").metadata["spheroseg"]["threshold"] == 0.8


def test_labels_follow_the_slider_while_it_is_dragged(session, qtbot):
    ramp = np.tile(np.linspace(0, 1, 512, dtype=np.float32), (512, 1))
    session.viewer.add_image(ramp, name="ramp")
    session.run()
    seen = set()
    for threshold in np.linspace(0.2, 0.8, 40):
        session.widget.threshold.value = threshold
        qtbot.wait(15)
        seen.add((session.layer("ramp labels").data > 0).sum())
    assert len(seen) > 3


def test_post_processing_moves_without_inference(session, image):
    session.viewer.add_image(image, name="plate")
    session.run()
    session.widget.more.min_area.value = 1000
    session.settle()
    assert session.layer("plate labels").data.max() == 1
    assert session.layer("plate polygons").nshapes == 1
    assert session.widget.more.preset.value == "Custom"


def test_run_becomes_cancel_and_cancel_ends_the_run(session, stack, slow):
    session.viewer.add_image(np.concatenate([stack] * 10), name="movie")
    session.widget.frames.value = "Every slice"
    session.press()
    assert session.widget.run.text == "Cancel"
    session.press()
    session.wait(session.idle, 5)
    assert session.widget.run.text == "Run"
    assert session.widget.summary.value == "Cancelled."
    assert "movie labels" not in session.names


def test_every_slice_has_its_polygons_on_its_own_slice(session, stack):
    session.viewer.add_image(stack, name="movie")
    session.widget.frames.value = "Every slice"
    session.run()
    labels, polygons = session.layer("movie labels"), session.layer("movie polygons")
    assert labels.data.shape == stack.shape
    frames = [shape[0, 0] for shape in polygons.data]
    assert frames == [0, 0, 0, 1, 1, 1, 2, 2]
    assert all((shape[:, 0] == shape[0, 0]).all() for shape in polygons.data)
    assert len(np.unique(labels.data)) - 1 == len(labels.features) == 8


def test_the_current_slice_alone_is_segmented_and_the_next_joins_it(session, stack):
    session.viewer.add_image(stack, name="movie")
    session.widget.frames.value = "Current slice"
    session.viewer.dims.set_current_step(0, 1)
    session.run()
    labels = session.layer("movie labels")
    assert [plane.max() > 0 for plane in labels.data] == [False, True, False]
    session.viewer.dims.set_current_step(0, 2)
    session.run()
    labels = session.layer("movie labels")
    assert [plane.max() > 0 for plane in labels.data] == [False, True, True]
    assert list(labels.features["t"]) == [1, 1, 1, 2, 2]


def test_an_rgb_image_gives_a_plane_of_labels(session, image):
    rgb = np.stack([(image / 3000 * 255).astype(np.uint8)] * 3, axis=-1)
    session.viewer.add_image(rgb, name="colour")
    session.run()
    assert session.layer("colour labels").data.shape == image.shape
    assert session.layer("colour labels").data.max() == 3


def test_one_channel_of_several_is_segmented(session, image):
    session.viewer.add_image(np.stack([np.full_like(image, 7), image]), name="channels")
    session.widget.more.axes.value = "CYX"
    session.widget.more.channel.value = 1
    session.run()
    assert session.layer("channels labels").data.shape == image.shape
    assert session.layer("channels labels").data.max() == 3


def test_a_channel_axis_between_others_keeps_labels_in_place(session, image):
    stack = np.stack([np.stack([np.full_like(image, 7), image])] * 2)
    session.viewer.add_image(stack, name="TCYX", scale=(1, 2, 0.5, 0.5))
    session.widget.more.axes.value = "TCYX"
    session.widget.more.channel.value = 1
    session.widget.frames.value = "Every slice"
    session.run()
    labels, polygons = session.layer("TCYX labels"), session.layer("TCYX polygons")
    assert labels.data.shape == (2, 1, *image.shape)
    np.testing.assert_allclose(labels.translate, (0, 2, 0, 0))
    assert polygons.ndim == 4
    assert {shape[0, 1] for shape in polygons.data} == {0}


@pytest.mark.parametrize("kind", ["dask", "zarr"])
def test_lazy_layers_work(session, stack, kind):
    module = pytest.importorskip(kind)
    if kind == "dask":
        import dask.array

        lazy = dask.array.from_array(stack, chunks=(1, 64, 64))
    else:
        lazy = module.array(stack, chunks=(1, 64, 64))
    session.viewer.add_image(lazy, name="lazy")
    session.widget.frames.value = "Every slice"
    session.run()
    assert session.layer("lazy labels").data.max() == 8


def test_a_multiscale_layer_is_segmented_at_full_resolution(session, image):
    session.viewer.add_image([image, image[::2, ::2]], name="pyramid", multiscale=True)
    session.run()
    assert session.layer("pyramid labels").data.shape == image.shape


# --- what may go wrong -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pixels", "word"),
    [
        (np.zeros((1, 1), np.uint8), "constant"),
        (np.full((64, 64), np.nan, np.float32), "NaN"),
    ],
    ids=["one pixel", "all NaN"],
)
def test_an_image_that_cannot_be_segmented_gives_a_notice(session, notices, pixels, word):
    session.viewer.add_image(pixels, name="bad", contrast_limits=(0, 1))
    session.run()
    assert any(word in message for _, message in notices())
    assert session.widget.run.text == "Run"
    assert session.widget.run.enabled


def test_a_constant_image_gives_no_objects_and_says_why(session, notices):
    session.viewer.add_image(np.full((64, 64), 7, np.uint8), name="flat")
    session.run()
    assert session.layer("flat labels").data.max() == 0
    assert any("constant" in message for _, message in notices())


def test_pixels_that_are_nan_do_not_hide_the_others(session, image):
    holed = image.astype(np.float32)
    holed[:5] = np.nan
    session.viewer.add_image(holed, name="holed")
    session.run()
    assert session.layer("holed labels").data.max() == 3


def test_without_an_image_run_says_so(session, notices):
    session.press()
    assert any("no image" in message for _, message in notices())
    assert session.widget.run.text == "Run"


def test_settings_that_exclude_each_other_are_told_in_the_words_of_the_form(
    session, image, notices
):
    session.viewer.add_image(image, name="plate")
    session.run()
    session.widget.more.max_area.value = 10
    session.press()
    said = "'Largest area (px²)' must not be below 'Smallest area (px²)'"
    assert (notices()[-1][1], session.widget.summary.value) == (said, said)
    session.widget.more.max_area.value = 0
    assert session.widget.summary.value.startswith("3 objects")


def test_a_model_without_weights_says_how_to_install_them(waiting, session, image, notices):
    session.viewer.add_image(image, name="plate")
    session.widget.model.value = waiting
    assert "spheroseg models install" in session.widget.summary.value
    session.run()
    assert any("spheroseg models install" in message for _, message in notices())
    assert session.widget.run.text == "Run"


def test_an_image_removed_during_its_run_still_gives_its_result(session, image, slow, notices):
    layer = session.viewer.add_image(image, name="plate")
    session.press()
    session.viewer.layers.remove(layer)
    session.wait(session.idle)
    assert "plate labels" in session.names
    assert any("removed" in message for _, message in notices())


def test_an_image_renamed_during_its_run_names_its_result_anew(session, image, slow):
    layer = session.viewer.add_image(image, name="plate")
    session.press()
    layer.name = "well A1"
    session.wait(session.idle)
    assert "well A1 labels" in session.names


def test_an_image_that_changed_during_its_run_is_told(session, image, slow, notices):
    layer = session.viewer.add_image(image, name="plate")
    session.press()
    layer.data = image[:64, :64]
    session.wait(session.idle)
    assert session.layer("plate labels").data.shape == image.shape
    assert any("changed" in message for _, message in notices())


def test_a_result_layer_that_was_removed_comes_back_with_the_next_run(session, image):
    session.viewer.add_image(image, name="plate")
    session.run()
    session.viewer.layers.remove("plate labels")
    session.run()
    assert session.layer("plate labels").data.max() == 3
    assert session.names.count("plate polygons") == 1


def test_moving_the_threshold_does_not_bring_back_layers_that_were_removed(session, image):
    session.viewer.add_image(image, name="plate")
    session.run()
    session.viewer.layers.remove("plate labels")
    session.viewer.layers.remove("plate polygons")
    session.widget.threshold.value = 0.3
    session.settle()
    assert session.names == ["plate"]


def test_corrections_by_hand_are_kept_when_the_threshold_moves(session, image):
    session.viewer.add_image(image, name="plate")
    session.run()
    labels = session.layer("plate labels")
    labels.selected_label = 9
    labels.paint((100, 20), 9)
    session.widget.threshold.value = 0.3
    session.settle()
    assert session.layer("plate labels (corrected)").data[100, 20] == 9
    assert session.layer("plate labels").data[100, 20] == 0


def test_corrections_are_measured(session, image):
    session.viewer.add_image(image, name="plate")
    session.run()
    labels = session.layer("plate labels")
    labels.selected_label = 9
    labels.brush_size = 12
    labels.paint((100, 20), 9)
    session.wait(lambda: 9 in set(labels.features["index"]), 10)
    session.settle()
    row = labels.features.set_index("index").loc[9]
    assert row["area_px2"] == (labels.data == 9).sum()
    assert 9 in set(session.layer("plate polygons").features["label"])


def test_a_polygon_that_is_moved_takes_its_label_along(session, image):
    session.viewer.add_image(image, name="plate")
    session.run()
    polygons, labels = session.layer("plate polygons"), session.layer("plate labels")
    ring = polygons.data[2].copy()
    where = polygons.features["label"][2]
    area = (labels.data == where).sum()
    moved = [*polygons.data[:2], ring - (10, 0)]
    polygons.data = moved
    session.wait(lambda: labels.data[ring[:, 0].max().astype(int) - 1, 110] == 0, 10)
    session.settle()
    assert (labels.data == where).sum() == pytest.approx(area, rel=0.02)
    np.testing.assert_allclose(polygons.data[2], moved[2])
    session.widget.threshold.value = 0.3
    session.settle()
    assert "plate polygons (corrected)" in session.names


def test_labels_that_a_script_replaced_are_not_overwritten(session, image):
    session.viewer.add_image(image, name="plate")
    session.run()
    mine = np.zeros(image.shape, np.int32)
    mine[5:9, 5:9] = 3
    session.layer("plate labels").data = mine
    session.widget.threshold.value = 0.3
    session.settle()
    assert mine.sum() == 48
    assert session.layer("plate labels (corrected)").data is mine


def test_closing_the_viewer_during_a_run_is_no_error(session, stack, slow, qtbot):
    session.viewer.add_image(np.concatenate([stack] * 4), name="movie")
    session.widget.frames.value = "Every slice"
    session.press()
    session.viewer.close()
    session.wait(lambda: not session.widget._run.running, 10)


# --- what to do with a result ------------------------------------------------------------------


def test_results_are_saved_with_the_corrections(session, image, tmp_path):
    session.viewer.add_image(image, name="plate", **PLACE)
    session.run()
    labels = session.layer("plate labels")
    labels.selected_label = 9
    labels.brush_size = 12
    labels.paint((100, 20), 9)
    session.widget.actions.save_to(tmp_path)
    saved = ss.read_image(tmp_path / "plate_labels.tif")
    np.testing.assert_array_equal(saved.data, labels.data)
    assert saved.pixel_size == pytest.approx((0.65, 0.65))
    assert (tmp_path / "plate_polygons.geojson").is_file()
    assert "area_um2" in (tmp_path / "plate_measurements.csv").read_text()


def test_a_folder_that_cannot_be_written_gives_a_notice(session, image, tmp_path, notices):
    session.viewer.add_image(image, name="plate")
    session.run()
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    session.widget.actions.save_to(blocked)
    assert any("cannot be written" in message for _, message in notices())


def test_the_copied_python_makes_the_same_labels(session, image):
    from qtpy.QtWidgets import QApplication

    session.viewer.add_image(image, name="plate")
    session.widget.more.min_area.value = 500
    session.run()
    session.widget.actions.copy_python.native.click()
    scope = {"viewer": session.viewer}
    exec(QApplication.clipboard().text(), scope)
    np.testing.assert_array_equal(scope["result"].labels, session.layer("plate labels").data)


def test_the_copied_command_names_model_threshold_and_changes(session, image):
    from qtpy.QtWidgets import QApplication

    session.viewer.add_image(image, name="plate")
    session.widget.more.fill_holes.value = True
    session.widget.threshold.value = 0.4
    session.run()
    session.widget.actions.copy_command.native.click()
    command = QApplication.clipboard().text()
    assert command.startswith("spheroseg segment ")
    assert "--model bright --threshold 0.4 --fill-holes" in command


def test_undo_is_measured(session, image):
    session.viewer.add_image(image, name="plate")
    session.run()
    labels, polygons = session.layer("plate labels"), session.layer("plate polygons")
    session.viewer.layers.selection.active = labels
    labels.brush_size = 12
    labels.paint((100, 20), 9)
    session.wait(lambda: 9 in set(polygons.features["label"]), 10)
    labels.undo()
    session.wait(lambda: 9 not in set(polygons.features["label"]), 10)
    labels.redo()
    session.wait(lambda: 9 in set(polygons.features["label"]), 10)


def test_what_was_measured_is_not_measured_again_by_looking_at_it(session, stack, monkeypatch):
    session.viewer.add_image(stack, name="movie")
    session.run()
    session.wait(lambda: not session.widget._update.judging)  # which is measured, too
    labels = session.layer("movie labels")
    labels.paint((1, 100, 20), 9)
    session.wait(lambda: 9 in set(labels.features["index"]), 10)
    session.settle()
    begun = []
    monkeypatch.setattr(session.widget._update, "_start", lambda *given: begun.append(given))
    session.viewer.dims.set_current_step(0, 2)
    session.wait(lambda: not session.widget._update._timer.isActive(), 10)
    assert not begun


def test_closing_the_dock_during_a_run_ends_it(session, stack, slow):
    session.viewer.add_image(np.concatenate([stack] * 10), name="movie")
    session.press()
    session.viewer.window.remove_dock_widget(session.widget.native)
    session.wait(session.idle, 3)
    assert session.names == ["movie"]


def ome(folder, axes, shape):
    """A file of many axes, as a microscope writes it."""
    path = folder / "well.ome.tif"
    size = {"PhysicalSizeX": 0.65, "PhysicalSizeY": 0.65}
    data = np.random.default_rng(0).integers(0, 99, shape, np.uint8)
    tifffile.imwrite(path, data, ome=True, metadata={"axes": axes, **size})
    return path


def test_axes_and_pixel_size_are_those_of_the_file(session, tmp_path):
    session.viewer.open(ome(tmp_path, "ZCYX", (3, 2, 64, 64)), plugin="napari")
    more = session.widget.more
    assert (more.axes.value, more.pixel_size.value) == ("ZCYX", 0.65)
    assert more.channel.choices == (0, 1)


def test_a_layer_s_own_pixel_size_comes_before_that_of_its_file(session, tmp_path):
    (layer,) = session.viewer.open(ome(tmp_path, "YX", (64, 64)), plugin="napari")
    layer.scale, layer.units = (2, 2), ("um", "um")
    session.widget.more.show_image(layer)
    assert session.widget.more.pixel_size.value == 2


@pytest.mark.parametrize("whole", [True, False])
def test_copied_code_reads_the_file_only_if_the_layer_is_all_of_it(session, tmp_path, whole):
    from napari.layers import Image
    from napari.layers._source import Source
    from qtpy.QtWidgets import QApplication

    path = ome(tmp_path, "CYX", (2, 64, 64))
    data = tifffile.imread(path)
    layer = Image(data if whole else data[1], name="well 1")  # as readers split channels
    layer._source = Source(path=str(path))
    session.viewer.add_layer(layer)
    session.run()
    for button in (session.widget.actions.copy_python, session.widget.actions.copy_command):
        button.native.click()
        assert (path.name in QApplication.clipboard().text()) == whole


def test_a_copied_command_says_what_it_leaves_out(session, stack, notices):
    session.viewer.add_image(stack, name="movie")
    session.widget.frames.value = "Current slice"
    session.run()
    session.widget.actions.copy_command.native.click()
    (_, told), *_ = notices()[::-1]
    assert "whole images" in told
    assert "IMAGE.tif" in told


def test_opening_the_widget_does_not_import_torch():
    code = (
        "import napari, sys; v = napari.Viewer(show=False);"
        "assert 'torch' not in sys.modules, 'by napari';"
        "v.window.add_plugin_dock_widget('napari-spheroseg', 'Segment spheroids');"
        "v.open_sample('napari-spheroseg', 'brightfield');"
        "assert 'torch' not in sys.modules, 'by the widget'; v.close()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


# --- what a reviewer found -----------------------------------------------------------------------


def test_axes_channel_and_pixel_size_stay_after_a_run(session, image):
    session.viewer.add_image(np.stack([np.full_like(image, 7), image]), name="channels")
    session.widget.more.axes.value = "CYX"
    session.widget.more.channel.value = 1
    session.widget.more.pixel_size.value = 0.65
    session.run()
    assert session.widget.more.axes.value == "CYX"
    assert session.widget.more.channel.value == 1
    assert session.widget.more.pixel_size.value == pytest.approx(0.65)


@pytest.mark.parametrize("error", [RuntimeError("CUDA error"), ValueError("odd"), MemoryError()])
def test_an_error_that_nobody_foresaw_ends_in_a_notice(session, image, notices, monkeypatch, error):
    def fail(*_):
        raise error
        yield

    monkeypatch.setattr("napari_spheroseg.inference.predictor.Predictor.predict", fail)
    session.viewer.add_image(image, name="plate")
    session.run()
    assert session.widget.run.text == "Run"
    assert any(type(error).__name__ in message for _, message in notices())


def test_choosing_another_model_leaves_the_result_alone(session, image):
    session.viewer.add_image(image, name="plate")
    session.widget.threshold.value = 0.7
    session.run()
    labels = session.layer("plate labels")
    labels.paint((100, 20), 9)
    session.widget.model.value = "hrnet"
    session.settle()
    assert session.layer("plate labels") is labels
    assert labels.metadata["spheroseg"]["threshold"] == 0.7


def test_a_stroke_during_the_measuring_of_another_is_kept(session, image, monkeypatch):
    def slowly(*arguments):
        time.sleep(0.3)
        return (yield from analyse_steps(*arguments))

    session.viewer.add_image(image, name="plate")
    session.run()
    monkeypatch.setattr("napari_spheroseg.widgets.segment.updates.analyse_steps", slowly)
    labels = session.layer("plate labels")
    labels.fill((40, 40), 0)
    labels.events.paint(value=[])
    session.wait(lambda: session.widget._update.running, 5)
    labels.fill((90, 110), 0)
    labels.events.paint(value=[])
    session.wait(lambda: len(labels.features) == 1, 10)
    assert len(np.unique(labels.data)) == 2


def test_corrections_of_every_image_are_measured(session, image):
    for name in ("first", "second"):
        session.widget.image.value = session.viewer.add_image(image, name=name)
        session.run()
    for name in ("first", "second"):
        labels = session.layer(f"{name} labels")
        labels.brush_size = 12
        labels.paint((100, 20), 9)
    for name in ("first", "second"):
        session.wait(lambda name=name: 9 in set(session.layer(f"{name} labels").features["index"]))


def test_a_slider_moved_and_moved_back_leaves_what_it_says(session, stack):
    session.viewer.add_image(stack, name="movie")
    session.run()
    before = session.layer("movie labels").data.copy()
    for threshold in (0.9, 0.2, 0.5):
        session.widget.threshold.value = threshold
    session.settle()
    np.testing.assert_array_equal(session.layer("movie labels").data, before)


def test_moved_polygons_of_a_stack_with_channels_keep_their_slice(session, image):
    stack = np.stack([np.stack([np.stack([image, image])] * 2)] * 2)
    session.viewer.add_image(stack, name="TCZYX")
    session.widget.more.axes.value = "TCZYX"
    session.widget.more.channel.value = 1
    session.run()
    polygons, labels = session.layer("TCZYX polygons"), session.layer("TCZYX labels")
    before = labels.data > 0
    polygons.data = list(polygons.data)
    session.wait(lambda: session.widget._update.running, 5)
    session.settle()
    assert ((labels.data > 0) != before).mean() < 0.002


def test_the_copied_command_runs(session, image, tmp_path):
    import shlex

    from qtpy.QtWidgets import QApplication

    from napari_spheroseg.cli import main
    from napari_spheroseg.readwrite.tiff import write_labels

    write_labels(tmp_path / "plate.tif", image)
    (layer,) = session.viewer.open(tmp_path / "plate.tif", plugin="napari", layer_type="image")
    layer.scale, layer.units = (0.65, 0.7), ("um", "um")
    session.widget.image.value = layer
    session.widget._choose_image()
    session.run()
    session.widget.actions.copy_command.native.click()
    words = shlex.split(QApplication.clipboard().text())
    words[words.index("-o") + 1] = str(tmp_path / "results")
    with pytest.raises(SystemExit) as stop:
        main(words[1:])
    assert stop.value.code == 0
    again = ss.read_image(tmp_path / "results" / "plate_labels.tif")
    np.testing.assert_array_equal(again.data, session.layer("plate labels").data)
    assert again.pixel_size == pytest.approx((0.65, 0.7))


def test_images_that_are_gone_are_not_kept_in_memory(session, image):
    session.viewer.add_image(image, name="plate")
    session.run()
    session.viewer.layers.clear()
    assert not session.widget._shown
