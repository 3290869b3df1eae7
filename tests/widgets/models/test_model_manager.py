"""The model manager in a real viewer, beside the segment widget that offers the same models."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module

import pytest
from qtpy.QtCore import QUrl
from qtpy.QtWidgets import QInputDialog

from napari_spheroseg import models
from napari_spheroseg.doctor import Finding
from napari_spheroseg.errors import UnreadableFile
from napari_spheroseg.models.download import transfer
from napari_spheroseg.models.library import METADATA, WEIGHTS, find
from napari_spheroseg.widgets.models.details import _with_pictures
from napari_spheroseg.widgets.models.folders import FoldersDialog
from napari_spheroseg.widgets.models.widget import ModelsWidget

NAME, MANAGER = "napari-spheroseg", "Model manager"


class Manager:
    """A viewer with the docked widget, and what a person does with them."""

    def __init__(self, viewer, qtbot):
        self.viewer, self._qtbot = viewer, qtbot
        _, self.widget = viewer.window.add_plugin_dock_widget(NAME, MANAGER)
        assert isinstance(self.widget, ModelsWidget)
        self.answer, self.questions = True, []
        self.widget.ask = self._answer

    def _answer(self, title, question):
        self.questions.append(question)
        return self.answer

    def open_segment(self):
        return self.viewer.window.add_plugin_dock_widget(NAME, "Segment spheroids")[1]

    def wait(self):
        self._qtbot.waitUntil(self.idle, timeout=60_000)

    def idle(self):
        return not self.widget._work.running

    def press(self, button):
        assert button.enabled
        button.native.click()
        self.wait()

    def do(self, action, *values):
        action(*values)
        self.wait()

    def install(self, path, name=""):
        self.widget.install_path.value, self.widget.install_name.value = path, name
        self.press(self.widget.install)

    @property
    def states(self):
        return self.widget.table.states()

    @property
    def details(self):
        return self.widget.details.toPlainText()


@pytest.fixture
def web(checkpoint, monkeypatch):
    """Address of a file beside the checkpoint, on a server of this machine."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    handler = partial(SimpleHTTPRequestHandler, directory=checkpoint.parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield lambda name: f"http://127.0.0.1:{server.server_address[1]}/{name}"
        server.shutdown()


@pytest.fixture
def manager(make_napari_viewer, qtbot):
    opened = Manager(make_napari_viewer(), qtbot)
    yield opened
    opened.widget._work.cancel()
    opened.wait()


def told(notices, word):
    return any(word in message for _, message in notices())


# --- the table and the details ----------------------------------------------------------------


def test_the_shipped_models_are_listed(manager):
    shipped = {each.name: "shipped" for each in models.available()}
    assert shipped
    assert manager.states == shipped


def test_sizes_are_those_of_the_weights(manager):
    table = manager.widget.table
    for row, each in enumerate(table.rows):
        megabytes = (each.folder / WEIGHTS).stat().st_size / 1e6
        assert table.item(row, 5).text() == f"{megabytes:.1f}"


def test_details_hold_metrics_training_data_licence_checksum_and_card(manager):
    manager.widget.table.selected = "unet"
    known = models.info("unet")
    for word in (known.sha256, known.licence, "Where it fails", known.training_data[0].name):
        assert word in manager.details
    (part, metrics), *_ = known.metrics.items()
    (metric, by_source), *_ = metrics.items()
    assert f"{part} {metric}" in manager.details
    assert f"{by_source['mean']:.4g}" in manager.details


def test_details_show_metrics_that_were_not_measured_by_source(manager, bright, models_folder):
    models.install(bright, "mine")
    metadata = models.info("mine").replace(metrics={"validation": {"val_dice": 0.9}, "f1": 0.8})
    models.library.write_metadata(models_folder / "mine", metadata)
    manager.widget.table.refresh()
    manager.widget.table.selected = "mine"
    assert "validation val_dice: 0.9" in manager.details
    assert "f1: 0.8" in manager.details


def test_html_in_a_card_stays_text(manager, bright, models_folder):
    models.install(bright, "mine")
    (models_folder / "mine" / "README.md").write_text('# Card\n\n<img src="file:///x.png">')
    manager.widget.table.refresh()
    manager.widget.table.selected = "mine"
    assert "<img" in manager.details


def test_long_lines_of_a_report_end_in_sight(manager):
    details = manager.widget.details
    details.show_markdown("```\n" + "long " * 200 + "\n```")
    assert details.document().idealWidth() <= details.viewport().width()


def test_a_model_without_weights_waits_for_a_checkpoint(waiting, manager):
    manager.widget.table.selected = waiting
    assert manager.states[waiting] == "waits for a checkpoint"
    assert not manager.widget.export.enabled
    assert not manager.widget.bundle.enabled


def test_a_model_that_cannot_be_read_is_damaged_and_changes_nothing_else(
    make_napari_viewer, qtbot, bright, models_folder
):
    models.install(bright, "mine")
    (models_folder / "mine" / METADATA).write_text("{")
    manager = Manager(make_napari_viewer(), qtbot)
    manager.widget.table.selected = "mine"
    assert manager.states["mine"] == "damaged"
    assert manager.states["unet"] == "shipped"
    assert str(models_folder / "mine") in manager.details.replace("\n", "")
    assert not manager.widget.rename.enabled
    assert not manager.widget.make_default.enabled
    manager.press(manager.widget.remove)
    assert "mine" not in manager.states
    assert not (models_folder / "mine").exists()


def test_a_shared_model_is_listed_and_not_changed(
    make_napari_viewer, qtbot, bright, tmp_path, monkeypatch
):
    shutil.copytree(bright, tmp_path / "ours")
    monkeypatch.setenv("SPHEROSEG_SHARED_MODELS", str(tmp_path))
    manager = Manager(make_napari_viewer(), qtbot)
    manager.widget.table.selected = "ours"
    assert manager.states["ours"] == "shared"
    assert str(tmp_path / "ours") in manager.details.replace("\n", "")
    assert not manager.widget.remove.enabled
    assert not manager.widget.rename.enabled


def test_a_folder_of_the_lab_is_shared_until_it_is_taken_off(manager, bright, tmp_path, notices):
    segment = manager.open_segment()
    shutil.copytree(bright, tmp_path / "ours")
    manager.do(manager.widget.share, tmp_path)
    assert manager.states["ours"] == "shared"
    assert "ours" in segment.model.choices
    assert told(notices, "1 model of")
    manager.do(manager.widget.unshare, tmp_path)
    assert "ours" not in manager.states
    assert "ours" not in segment.model.choices


def test_a_folder_of_something_else_is_told(manager, tmp_path, notices):
    (tmp_path / "holiday").mkdir()
    manager.do(manager.widget.share, tmp_path)
    assert told(notices, "No model was found in")


def test_a_folder_that_is_not_there_is_told(manager, tmp_path, notices):
    manager.do(manager.widget.share, tmp_path / "nothing")
    assert told(notices, "There is no folder")


def test_the_dialog_lists_all_folders_and_takes_off_only_what_was_added(
    manager, tmp_path, monkeypatch
):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("SPHEROSEG_SHARED_MODELS", str(tmp_path / "one"))
    models.add_shared_folder(tmp_path / "two")
    dialog = FoldersDialog(manager.widget.native)
    can_go = []
    for row in range(dialog.list.count()):
        dialog.list.setCurrentRow(row)
        can_go.append(dialog.drops.isEnabled())
    assert can_go == [False, False, True, False]
    dialog.list.setCurrentRow(2)
    dialog.drops.click()
    assert dialog.drop == tmp_path / "two"
    dialog.deleteLater()


def test_what_a_model_finds_in_a_sample_is_shown_above_its_details(manager, bright, notices):
    manager.install(bright, "mine")
    manager.press(manager.widget.try_out)
    assert told(notices, "objects in the sample image")
    assert manager.details.startswith("\ufffc")  # a picture in a text
    manager.widget.table.selected = "unet"
    assert not manager.details.startswith("\ufffc")


def test_a_card_shows_pictures_that_lie_beside_it_and_no_others(manager):
    manager.widget.table.selected = "unet"
    assert manager.details.count("\ufffc") == 1
    widest = manager.widget.details.viewport().width()
    folder = find("unet")[1]
    picture = manager.widget.details.loadResource(
        2, QUrl.fromLocalFile(str(folder / "examples.jpg"))
    )
    assert 0 < picture.width() <= widest
    assert _with_pictures("![a](../../x.png) ![b](https://x.org/y.png)", folder) == "a b"


def test_only_what_segments_is_tried(manager):
    can_be = {}
    for name in ("unet", "nafnet"):
        manager.widget.table.selected = name
        can_be[name] = manager.widget.try_out.enabled
    assert can_be == {"unet": True, "nafnet": False}


# --- install and remove -----------------------------------------------------------------------


def test_an_installed_checkpoint_is_here_and_in_the_open_segment_widget(manager, checkpoint):
    segment = manager.open_segment()
    manager.install(checkpoint, "mine")
    assert manager.states["mine"] == "installed"
    assert manager.widget.table.selected == ["mine"]
    assert "mine" in segment.model.choices
    assert manager.widget.install_name.value == ""


def test_a_removed_model_is_gone_from_both(manager, checkpoint):
    segment = manager.open_segment()
    manager.install(checkpoint, "mine")
    segment.model.value = "mine"
    manager.press(manager.widget.remove)
    assert manager.questions == ["Move mine to the trash?"]
    assert "mine" not in manager.states
    assert "mine" not in segment.model.choices
    assert segment.model.value in manager.states


def test_a_model_stays_where_removing_was_a_mistake(manager, checkpoint):
    manager.install(checkpoint, "mine")
    manager.answer = False
    manager.press(manager.widget.remove)
    assert manager.states["mine"] == "installed"


def test_a_shipped_model_is_neither_removed_nor_renamed(manager, notices):
    manager.widget.table.selected = "unet"
    assert not manager.widget.remove.enabled
    assert not manager.widget.rename.enabled
    manager.do(manager.widget.remove.changed.emit, True)  # as a script may
    assert told(notices, "'unet' ships with the package and stays")
    assert manager.states["unet"] == "shipped"


def test_a_broken_file_is_told_and_the_widget_works_on(manager, checkpoint, tmp_path, notices):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no checkpoint")
    before = manager.states
    manager.install(broken)
    assert told(notices, "broken.pth")
    assert manager.states == before
    assert not manager.widget.progress.visible
    manager.install(checkpoint)
    assert manager.states["spheroids"] == "installed"


@pytest.mark.parametrize("answer", [True, False])
def test_a_model_is_overwritten_only_if_the_user_wants_it(manager, checkpoint, bright, answer):
    manager.install(checkpoint, "mine")
    manager.answer = answer
    manager.install(bright, "mine")
    manager.wait()
    assert manager.questions == ["A model 'mine' is installed already. Move that one to the trash?"]
    assert models.info("mine").source == ("bright" if answer else "spheroids.pth")


def test_a_bundle_brings_its_models_back(manager, checkpoint, tmp_path):
    manager.install(checkpoint, "first")
    manager.install(checkpoint, "second")
    manager.widget.table.selected = ["first", "second"]
    manager.do(manager.widget.bundle_to, tmp_path / "both.zip")
    manager.press(manager.widget.remove)
    assert "first" not in manager.states
    manager.install(tmp_path / "both.zip")
    assert manager.widget.table.selected == ["first", "second"]


def test_a_removed_model_is_told_how_to_come_back_and_does(manager, checkpoint, notices):
    manager.install(checkpoint, "mine")
    manager.press(manager.widget.remove)
    assert told(notices, "Trash… brings back what was removed")
    manager.do(manager.widget.bring_back, "mine")
    assert manager.states["mine"] == "installed"
    assert manager.widget.table.selected == ["mine"]


@pytest.mark.parametrize("answer", [True, False])
def test_a_replaced_model_changes_places_only_if_the_user_wants_it(
    manager, checkpoint, bright, answer
):
    models.install(checkpoint, "mine")
    models.install(bright, "mine", replace=True)
    manager.answer = answer
    manager.do(manager.widget.bring_back, "mine")
    manager.wait()
    assert manager.questions == ["A model 'mine' is installed already. Move that one to the trash?"]
    assert models.info("mine").source == ("spheroids.pth" if answer else "bright")
    assert [each.name for each in models.trashed()] == ["mine"]


def test_what_was_removed_is_gone_from_the_table_where_another_could_not_be(
    manager, checkpoint, notices, monkeypatch
):
    for name in ("one", "two"):
        manager.install(checkpoint, name)
    manager.widget.table.selected = ["one", "two"]
    remove = models.remove

    def stuck(name):
        if name == "two":
            raise UnreadableFile("It is in use")
        return remove(name)

    monkeypatch.setattr(models, "remove", stuck)
    manager.press(manager.widget.remove)
    assert "one" not in manager.states
    assert told(notices, "'two' stays: It is in use")


def test_the_last_of_two_that_were_removed_within_a_second_can_be_chosen(
    manager, checkpoint, bright, monkeypatch
):
    for source in (checkpoint, bright):
        models.install(source, "mine")
        models.remove("mine")
    monkeypatch.setattr(QInputDialog, "getItem", lambda *given, **_: (given[3][0], True))
    manager.press(manager.widget.trash)
    assert models.info("mine").source == "bright"


def test_an_empty_trash_is_told(manager, notices):
    manager.press(manager.widget.trash)
    assert told(notices, "The trash is empty")


# --- addresses --------------------------------------------------------------------------------


def test_a_model_is_installed_from_an_address(manager, web):
    manager.widget.install_url.value = web("spheroids.pth")
    manager.press(manager.widget.install)
    assert manager.states["spheroids"] == "installed"
    assert models.info("spheroids").source == web("spheroids.pth")
    assert manager.widget.install_url.value == ""
    assert manager.widget.cancel.native.isHidden()


def test_an_address_that_gives_nothing_is_told_and_stays_to_be_mended(manager, web, notices):
    manager.widget.install_url.value = web("nothing.pth")
    manager.press(manager.widget.install)
    assert told(notices, "answers 404")
    assert manager.widget.install_url.value == web("nothing.pth")
    assert manager.widget.install.enabled


def test_a_download_can_be_cancelled(manager, web, monkeypatch):
    def slowly(self, *arguments):
        time.sleep(0.02)
        return read(self, *arguments)

    read = transfer.Download._next
    monkeypatch.setattr(transfer.Download, "_next", slowly)  # it is under way when we cancel
    monkeypatch.setattr(transfer, "_CHUNK", 100)
    monkeypatch.setattr(transfer, "_OFTEN", 0)
    manager.widget.install_url.value = web("spheroids.pth")
    manager.widget.install.native.click()
    manager._qtbot.waitUntil(lambda: not manager.widget.cancel.native.isHidden(), timeout=30_000)
    manager.widget.cancel.native.click()
    manager.wait()
    assert "spheroids" not in manager.states
    assert manager.widget.install_url.value == web("spheroids.pth")
    assert manager.widget.cancel.native.isHidden()


# --- the other buttons ------------------------------------------------------------------------


def test_a_renamed_model_has_its_new_name_in_the_segment_widget_too(manager, checkpoint):
    segment = manager.open_segment()
    manager.install(checkpoint, "mine")
    manager.do(manager.widget.rename_to, "yours")
    assert manager.widget.table.selected == ["yours"]
    assert "yours" in segment.model.choices
    assert "mine" not in segment.model.choices


def test_verifying_finds_changed_weights_and_says_so_until_they_are_whole(
    manager, checkpoint, models_folder, notices
):
    manager.install(checkpoint, "mine")
    manager.press(manager.widget.verify)
    assert told(notices, "The model is what the metadata describe")
    weights = models_folder / "mine" / WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    manager.press(manager.widget.verify)
    assert told(notices, "Damaged: mine")
    assert manager.states["mine"] == "damaged"
    assert "Damaged" in manager.details
    weights.write_bytes(whole)
    manager.press(manager.widget.verify)
    assert manager.states["mine"] == "installed"


def test_a_model_is_exported_in_the_format_of_the_ending(manager, bright, tmp_path, notices):
    manager.install(bright, "mine")
    manager.do(manager.widget.export_to, tmp_path / "mine.pt")
    assert (tmp_path / "mine.pt").is_file()
    assert told(notices, "Wrote mine.pt")


def test_an_ending_that_stands_for_no_format_is_told(manager, tmp_path, notices):
    manager.widget.table.selected = "unet"
    manager.do(manager.widget.export_to, tmp_path / "unet.doc")
    assert told(notices, "stands for no format")
    assert manager.widget.export.enabled


def test_a_default_is_marked_and_begins_the_next_widget(manager, bright):
    manager.install(bright, "mine")
    manager.press(manager.widget.make_default)
    table = manager.widget.table
    tasks = {each.name: table.item(row, 3).text() for row, each in enumerate(table.rows)}
    assert (tasks["mine"], tasks["unet"]) == ("segmentation (default)", "segmentation")
    assert manager.open_segment().model.value == "mine"


def test_what_the_check_of_this_machine_found_is_shown(manager, monkeypatch):
    found = [Finding("OpenCV", "problem", "is missing", "pip install it")]
    examine = import_module("napari_spheroseg.doctor.examine")
    monkeypatch.setattr(examine, "CHECKS", {"OpenCV": lambda: found})
    manager.press(manager.widget.check)
    for word in ("1 problem", "OpenCV: is missing", "pip install it"):
        assert word in manager.details


def test_a_closed_widget_no_longer_listens(manager, checkpoint):
    from napari_spheroseg.widgets.news import news

    manager.viewer.window.remove_dock_widget("all")
    manager.widget.native.deleteLater()
    manager._qtbot.wait(50)
    models.install(checkpoint, "mine")
    news.models_changed.emit()


def test_opening_the_widget_does_not_import_torch():
    code = (
        "import sys, napari; v = napari.Viewer(show=False);"
        "assert 'torch' not in sys.modules, 'by napari';"
        f"v.window.add_plugin_dock_widget('{NAME}', '{MANAGER}');"
        "assert 'torch' not in sys.modules, 'by the widget'; v.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
