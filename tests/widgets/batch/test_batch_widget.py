"""The batch widget in a real viewer: stacks, files, cancel, pause, retry, what may go wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_spheroseg.readwrite.tiff import write_image
from napari_spheroseg.widgets.batch import question, results, run
from napari_spheroseg.widgets.batch.images import FILES, LAYERS
from napari_spheroseg.widgets.news import news

NAME = "napari-spheroseg"
PLACE = {"scale": (0.65, 0.65), "translate": (100, 50), "units": ("um", "um")}


class BatchSession:
    """A viewer, the batch widget, and what a person does with them."""

    def __init__(self, viewer, widget, qtbot, out):
        self.viewer, self.widget, self._qtbot, self.out = viewer, widget, qtbot, out

    def wait(self, condition, seconds=90):
        self._qtbot.waitUntil(condition, timeout=int(seconds * 1000))

    def idle(self):
        return not (self.widget.batch.running or self.widget.batch.opener.running)

    def press(self, button="run"):
        getattr(self.widget, button).native.click()

    def run(self, button="run"):
        self.press(button)
        self.wait(self.idle)

    def choose_folder(self, folder):
        self.widget.source.value = FILES
        self.widget.folder.value = str(folder)
        self.wait(lambda: bool(self.widget.images.found.paths))

    @property
    def items(self):
        return self.widget.table.items.items

    @property
    def states(self):
        return [item.state for item in self.items]

    def some_done(self, count=1):
        return self.widget.table.items.states["done"] >= count

    def double_click(self, row):
        self.widget.tabs.setCurrentIndex(1)
        model = self.widget.table.model()
        self.widget.table.doubleClicked.emit(model.index(row, 1))

    def layer(self, name):
        return self.viewer.layers[name]

    @property
    def names(self):
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def batch(make_napari_viewer, qtbot, bright, models_folder, tmp_path):
    """A viewer with the batch widget; the model finds what is bright."""
    shutil.copytree(bright, models_folder / "bright")
    viewer = make_napari_viewer()
    _, widget = viewer.window.add_plugin_dock_widget(NAME, "Batch segmentation")
    widget.model.value = "bright"
    out = tmp_path / "results"
    widget.out.value = out
    opened = BatchSession(viewer, widget, qtbot, out)
    yield opened
    widget.batch.work.cancel()
    opened.wait(opened.idle)


@pytest.fixture
def folder(tmp_path, image):
    """Four images, the second of which is broken."""
    path = tmp_path / "images"
    path.mkdir()
    for number in range(4):
        write_image(path / f"B0{number + 1}.tif", image)
    (path / "B02.tif").write_bytes(b"no image at all")
    return path


def of_axes(image, times=3, depths=2):
    """T x Z x C; the second channel holds discs, one more with every time."""
    stack = np.full((times, depths, 2, *image.shape), 100, np.uint16)
    stack[:, :, 1] = image
    stack[:, :, 1, 100:120, 20:40] = 100
    stack[0, 0, 1, 15:46, 100:140] = 100  # one disc less there
    return stack


def open_stack(batch, image, **more):
    place = {
        "scale": (1, 2, 1, 0.65, 0.65),
        "translate": (5, 0, 0, 100, 50),
        "units": ("s", "um", "pixel", "um", "um"),
        "axis_labels": ("t", "z", "c", "y", "x"),
    }
    layer = batch.viewer.add_image(of_axes(image, **more), name="plate", **place)
    batch.widget.source.value = LAYERS
    batch.widget.layers.value = [layer]
    batch.widget.more.channel.value = 1
    return layer


# --- stacks ------------------------------------------------------------------------------------


def test_every_frame_of_a_stack_has_its_results_on_its_own_slice(batch, image):
    layer = open_stack(batch, image)
    batch.run()
    labels, polygons = batch.layer("plate labels"), batch.layer("plate polygons")
    assert labels.data.shape == (3, 2, 1, *image.shape)
    counts = labels.data.max(axis=(-3, -2, -1))
    assert counts.tolist() == [[2, 3], [3, 3], [3, 3]]
    places = {tuple(shape[0, :3]) for shape in polygons.data}
    assert places == {(t, z, 0) for t in range(3) for z in range(2)}
    assert polygons.nshapes == counts.sum()
    for result in (labels, polygons):
        np.testing.assert_allclose(result.scale, layer.scale)
        np.testing.assert_allclose(result.translate, (5, 0, 1, 100, 50))  # channel 1
        assert result.units == layer.units
        assert result.axis_labels == layer.axis_labels
        assert result.metadata["spheroseg"]["model"] == "bright"
    assert batch.states == ["done"] * 6


def test_a_range_of_a_stack_alone_is_segmented(batch, image):
    open_stack(batch, image)
    ranges = batch.widget.ranges
    assert [each.name for each in ranges] == ["T", "Z"]
    ranges["T"].first.value, ranges["Z"].last.value = 1, 0
    batch.run()
    assert [item.title for item in batch.items] == ["plate [T 1, Z 0]", "plate [T 2, Z 0]"]
    found = batch.layer("plate labels").data.max(axis=(-3, -2, -1)) > 0
    assert found.tolist() == [[False, False], [True, False], [True, False]]


def test_cancel_ends_it_and_the_next_run_shows_what_was_done_before(batch, image, slow):
    open_stack(batch, image, times=12)
    batch.press()
    assert batch.widget.run.text == "Cancel"
    batch.wait(batch.some_done)
    batch.press()
    batch.wait(batch.idle, 20)
    assert batch.widget.run.text == "Run"
    assert (batch.out / "measurements.csv").exists()
    assert 0 < batch.widget.table.items.states["done"] < 24
    assert set(batch.states) == {"done", "waiting"}
    assert not batch.layer("plate labels").data[11, 1].any()
    batch.run()
    assert "skipped" in batch.states
    assert set(batch.states) == {"done", "skipped"}
    counts = batch.layer("plate labels").data.max(axis=(-3, -2, -1))
    assert counts.tolist() == [[2, 3]] + [[3, 3]] * 11
    assert batch.layer("plate polygons").nshapes == counts.sum()
    assert batch.names == ["plate", "plate labels", "plate polygons"]


def test_labels_of_a_large_stack_stay_in_their_files(batch, image, monkeypatch):
    monkeypatch.setattr(results, "LAZY_ABOVE", 1000)
    open_stack(batch, image)
    batch.run()
    labels = batch.layer("plate labels").data
    assert "dask" in type(labels).__module__
    assert labels.shape == (3, 2, 1, *image.shape)
    assert int(labels[0, 0].max()) == 2
    assert int(labels[2, 1].max()) == 3


def test_a_plane_is_a_stack_of_one(batch, image):
    layer = batch.viewer.add_image(image, name="plane", **PLACE)
    batch.widget.layers.value = [layer]
    batch.run()
    assert batch.layer("plane labels").data.max() == 3
    table = (batch.out / "measurements.csv").read_text()
    assert "area_um2" in table


def test_two_stacks_have_layers_of_their_own(batch, image):
    layers = [batch.viewer.add_image(np.stack([image] * n), name=f"m{n}") for n in (2, 3)]
    batch.widget.layers.value = layers
    batch.run()
    assert len(batch.items) == 5
    assert batch.layer("m2 labels").data.shape[0] == 2
    assert batch.layer("m3 labels").data.min(axis=(1, 2)).max() == 0
    assert batch.layer("m3 labels").data.max() == 3


def test_corrections_survive_another_run(batch, image):
    layer = batch.viewer.add_image(image, name="plane")
    batch.widget.layers.value = [layer]
    batch.run()
    batch.layer("plane labels").paint((5, 5), 7)
    batch.run()
    assert batch.layer("plane labels (corrected)").data.max() == 7
    assert batch.layer("plane labels").data.max() == 3


def test_a_double_click_moves_the_slider_to_the_frame(batch, image):
    open_stack(batch, image)
    batch.run()
    batch.double_click(5)
    assert batch.viewer.dims.current_step[:3] == (2, 1, 1)


def test_a_stack_that_is_closed_meanwhile_does_no_harm(batch, image, slow):
    open_stack(batch, image)
    batch.press()
    batch.wait(batch.some_done)
    batch.viewer.layers.clear()
    batch.wait(batch.idle)
    assert batch.states == ["done"] * 6


# --- files -------------------------------------------------------------------------------------


def test_one_broken_file_does_not_stop_the_others_and_says_why(batch, folder, notices):
    batch.choose_folder(folder)
    assert "4 images" in batch.widget.images.told.value
    batch.run()
    assert batch.states == ["done", "failed", "done", "done"]
    model = batch.widget.table.model()
    state = model.index(1, 2)
    assert "failed: is no TIFF" in model.data(state)
    assert "B02.tif" in model.data(state, Qt.ItemDataRole.ToolTipRole)
    assert model.data(model.index(0, 3)) == "3"
    assert model.data(model.index(0, 0), Qt.ItemDataRole.DecorationRole) is not None
    assert "3 done · 1 failed" in batch.widget.summary.value
    assert any("1 of 4 images failed" in message for _, message in notices())


def test_images_of_an_earlier_run_have_their_pictures_too(batch, folder):
    (folder / "B02.tif").unlink()
    batch.choose_folder(folder)
    batch.run()
    items = batch.widget.table.items.items
    batch.widget.table.items.show_items([])  # as in a new window
    batch.run()
    model = batch.widget.table.model()
    assert batch.states == ["skipped"] * len(items)
    for row in range(len(items)):
        assert model.data(model.index(row, 0), Qt.ItemDataRole.DecorationRole) is not None


def test_retry_does_those_that_failed_and_no_others(batch, folder):
    batch.choose_folder(folder)
    batch.run()
    written = (batch.out / "B01_labels.tif").stat().st_mtime_ns
    shutil.copy(folder / "B01.tif", folder / "B02.tif")
    assert batch.widget.retry.enabled
    batch.run("retry")
    assert batch.states == ["done"] * 4
    assert not batch.widget.retry.enabled
    assert (batch.out / "B01_labels.tif").stat().st_mtime_ns == written


def test_a_pause_holds_it_and_cancel_works_within(batch, folder, slow):
    batch.choose_folder(folder)
    batch.press()
    batch.wait(batch.some_done)
    batch.press("pause")
    assert batch.widget.pause.text == "Resume"
    batch._qtbot.wait(300)
    before = batch.states
    batch._qtbot.wait(600)
    assert batch.states == before
    assert "paused" in batch.widget.summary.value
    batch.press("pause")
    batch.wait(lambda: batch.states != before)
    batch.press("pause")
    batch.press()
    batch.wait(batch.idle, 20)
    assert batch.widget.pause.text == "Pause"
    assert not batch.widget.pause.enabled


def test_a_double_click_opens_a_file_with_its_results(batch, folder):
    batch.choose_folder(folder)
    batch.run()
    for _ in range(2):
        batch.double_click(0)
        batch.wait(batch.idle)
        assert batch.names == ["B01", "B01 labels", "B01 polygons"]
    assert batch.layer("B01 labels").data.max() == 3
    assert batch.layer("B01 polygons").nshapes == 3


def test_a_double_click_on_a_broken_file_tells_why(batch, folder, notices):
    batch.choose_folder(folder)
    batch.run()
    batch.double_click(1)
    batch.wait(batch.idle)
    assert batch.names == []
    assert "B02.tif" in notices()[-1][1]


def test_what_is_ticked_is_written(batch, folder):
    batch.choose_folder(folder)
    batch.widget.outputs["labels"].value = False
    batch.widget.outputs["outlines"].value = True
    batch.run()
    written = {path.name for path in batch.out.iterdir() if path.name.startswith("B01")}
    assert written == {"B01_polygons.geojson", "B01_outlines.png"}


def test_objects_are_classified_by_the_model_that_is_chosen(batch, folder, sizes, models_folder):
    shutil.copytree(sizes, models_folder / "sizes")
    news.models_changed.emit()
    batch.choose_folder(folder)
    batch.widget.outputs.classify.value = "sizes"
    batch.run()
    assert (batch.out / "B01_classes.tif").exists()
    header = (batch.out / "measurements.csv").read_text().splitlines()[0].split(",")
    assert {"class", "probability_small", "probability_large"} <= set(header)


def test_a_map_of_classes_is_offered_while_a_classifier_is_chosen(batch, sizes, models_folder):
    shutil.copytree(sizes, models_folder / "sizes")
    news.models_changed.emit()
    outputs = batch.widget.outputs
    box = outputs["classes"]
    assert outputs.classify.value == ""
    assert (box.value, box.native.isEnabledTo(outputs.native)) == (False, False)
    outputs.classify.value = "sizes"
    assert (box.value, box.native.isEnabledTo(outputs.native)) == (True, True)
    outputs.classify.value = ""
    assert outputs.values()["classify"] is None
    assert "classes" not in outputs.values()["outputs"]


def test_a_classifier_that_is_removed_is_offered_no_more(batch, sizes, models_folder):
    shutil.copytree(sizes, models_folder / "sizes")
    news.models_changed.emit()
    outputs = batch.widget.outputs
    outputs.classify.value = "sizes"
    shutil.rmtree(models_folder / "sizes")
    news.models_changed.emit()
    assert outputs.classify.value == ""
    assert "classes" not in outputs.values()["outputs"]


def test_it_runs_on_the_device_and_by_the_backend_that_were_chosen(batch, folder):
    batch.choose_folder(folder)
    more = batch.widget.more
    more.device.value, more.backend.value, more.precision.value = "cpu", "torch", "bfloat16"
    batch.run()
    ran = json.loads((batch.out / "run.json").read_text())["runs"][-1]
    assert (ran["device"], ran["backend"], ran["precision"]) == ("cpu", "torch", "bfloat16")


def test_names_of_files_are_previewed_and_their_wells_reach_the_table(batch, folder):
    batch.choose_folder(folder)
    rows = batch.widget.names.rows
    assert [rows.item(n, 1).text() for n in range(3)] == ["B01", "B02", "B03"]
    batch.run()
    assert "well" in (batch.out / "images.csv").read_text().splitlines()[0].split(",")


def test_a_pattern_that_cannot_be_read_is_said_at_once(batch, folder):
    batch.choose_folder(folder)
    batch.widget.names.pattern.value = "own"
    batch.widget.names.own.value = "{wel}"
    assert "There is no {wel}" in batch.widget.names.told.value


def test_one_channel_of_files_is_chosen(batch, image, tmp_path):
    from tifffile import imwrite

    path = tmp_path / "channels"
    path.mkdir()
    pair = np.stack([np.full_like(image, 7), image])
    imwrite(path / "a.ome.tif", pair, metadata={"axes": "CYX"})
    batch.choose_folder(path)
    assert batch.widget.more.channel.choices == (0, 1)
    batch.widget.more.channel.value = 1
    batch.run()
    assert [item.objects for item in batch.items] == [3]
    batch.double_click(0)
    batch.wait(batch.idle)
    (labels,) = [each for each in batch.viewer.layers if each.name.endswith("labels")]
    assert labels.data.shape == image.shape


def test_results_are_offered_a_place_beside_the_images(batch, folder):
    batch.widget.out.value = None
    batch.choose_folder(folder)
    assert batch.widget.out.value == folder / "spheroseg"


@pytest.mark.parametrize("where", ["", "/no/such/folder"])
def test_without_images_nothing_is_begun(batch, notices, where):
    batch.widget.source.value = FILES
    batch.widget.folder.value = where
    batch.run()
    assert notices()
    assert batch.widget.run.text == "Run"
    assert batch.widget.run.enabled


def test_a_new_user_is_asked_for_images_before_a_folder(batch, notices):
    batch.widget.source.value, batch.widget.out.value = FILES, None
    batch.press()
    assert "No images were chosen" in notices()[-1][1]


# --- a folder with other results ---------------------------------------------------------------


@pytest.mark.parametrize("answer", ["resume", "overwrite", ""])
def test_a_folder_of_other_settings_is_asked_about(batch, folder, monkeypatch, answer):
    batch.choose_folder(folder)
    batch.run()
    asked = []
    monkeypatch.setattr(
        run.BatchRun, "ask_about_changed", lambda _, why: asked.append(why) or answer
    )
    batch.widget.more.min_area.value = 500
    batch.press()
    batch.wait(lambda: bool(asked))
    batch.wait(batch.idle)
    assert "min_area" in asked[0]
    objects = {"resume": [3, 0, 3, 3], "overwrite": [2, 0, 2, 2], "": []}[answer]
    assert [item.objects for item in batch.items if item.state != "waiting"] == objects


def test_the_question_is_a_box_that_can_be_answered(batch, monkeypatch):
    box = question.QMessageBox
    pressed = "Delete"
    monkeypatch.setattr(box, "exec", lambda self: 0)
    monkeypatch.setattr(
        box,
        "clickedButton",
        lambda self: next(each for each in self.buttons() if each.text().startswith(pressed)),
    )
    assert batch.widget.batch.ask_about_changed("why") == "overwrite"
    pressed = "Go on"
    assert batch.widget.batch.ask_about_changed("why") == "resume"
    pressed = "Cancel"
    assert batch.widget.batch.ask_about_changed("why") == ""


# --- settings from the segment widget ----------------------------------------------------------


def test_settings_are_taken_from_the_open_segment_widget(batch, image):
    batch.viewer.add_image(image, name="plate")
    _, segment = batch.viewer.window.add_plugin_dock_widget(NAME, "Segment spheroids")
    segment.model.value = "bright"
    segment.threshold.value = 0.8
    segment.more.min_area.value = 300
    segment.more.diameter.value = 40
    segment.more.long_side.value = 512
    segment.more.backend.value = "torch"
    batch.press("from_segment")
    more = batch.widget.more
    assert batch.widget.model.value == "bright"
    assert batch.widget.threshold.value == 0.8
    assert (more.min_area.value, more.diameter.value, more.long_side.value) == (300, 40, 512)
    assert more.backend.value == "torch"
    assert more.preset.value == "Custom"


def test_without_a_segment_widget_the_button_says_what_to_do(batch, notices):
    batch.press("from_segment")
    assert "is not open" in notices()[-1][1]


# --- the viewer --------------------------------------------------------------------------------


def test_closing_the_viewer_stops_it_and_what_is_done_is_kept(batch, folder, slow):
    batch.choose_folder(folder)
    batch.press()
    batch.wait(batch.some_done)
    assert batch.widget.batch.stop(True)
    assert (batch.out / "images.csv").exists()
    batch.wait(batch.idle, 20)


def test_ten_thousand_rows_are_shown_and_changed_at_once(batch):
    from napari_spheroseg.batch.items import Item

    items = [Item(f"/data/{n}.tif", f"{n}.tif", str(n)) for n in range(10_000)]
    batch.widget.tabs.setCurrentIndex(1)
    clock = time.perf_counter()
    batch.widget.table.items.show_items(items)
    picture = np.zeros((40, 40, 3), np.uint8)
    for item in items[:2000]:
        batch.widget.table.items.update_item(item.running(), (1, 2), picture)
    batch._qtbot.wait(1)
    assert time.perf_counter() - clock < 5
    assert batch.widget.table.items.states == {"running": 2000, "waiting": 8000}


def test_opening_the_widget_imports_no_torch():
    code = (
        "import sys, napari; v = napari.Viewer(show=False);"
        "from napari_spheroseg.widgets.batch.widget import BatchWidget; BatchWidget(v);"
        "print('torch' in sys.modules); v.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90)
    assert done.stdout.strip().endswith("False"), done.stderr
