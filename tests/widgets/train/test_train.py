"""The training widget in a real viewer; training itself in its process, where it matters."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from napari_spheroseg import models
from napari_spheroseg.training.runs import Run, Status, list_runs
from napari_spheroseg.training.settings import Data, TrainingSettings
from napari_spheroseg.widgets.durations import about
from napari_spheroseg.widgets.train.run_panel import RunPanel
from napari_spheroseg.widgets.train.widget import TrainWidget

NAME, TRAIN = "napari-spheroseg", "Train model"
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
ENTRIES = [
    {"epoch": 1, "step": 4, "loss": 1.2, "val_loss": 1.1, "val_dice": 0.4},
    {"epoch": 2, "step": 8, "loss": 0.9, "val_loss": float("nan"), "val_dice": 0.6},
]


class Session:
    """A viewer with the docked widget, and what a person does with them."""

    def __init__(self, viewer, qtbot):
        self.viewer, self.qtbot = viewer, qtbot
        self.dock, self.widget = viewer.window.add_plugin_dock_widget(NAME, TRAIN)
        assert isinstance(self.widget, TrainWidget)

    def wait(self, condition, seconds=30):
        self.qtbot.waitUntil(condition, timeout=int(seconds * 1000))

    def press(self, button):
        """Press, and wait until what it prepares is done."""
        button.native.click()
        self.wait(lambda: not self.widget._work.running)

    def start(self):
        self.press(self.widget.start)

    def state(self, name):
        return self.widget.runs.states().get(name)

    def look(self):
        self.widget.panel.watch.look()

    def add_layers(self, images, labels):
        for number, (pixels, drawn) in enumerate(zip(images, labels, strict=True)):
            self.viewer.add_image(pixels, name=f"plate {number}")
            self.viewer.add_labels(drawn, name=f"plate {number} labels")


@pytest.fixture(autouse=True)
def runs_folder(tmp_path, monkeypatch):
    folder = tmp_path / "all runs"
    monkeypatch.setenv("SPHEROSEG_RUNS", str(folder))
    return folder


@pytest.fixture
def training(make_napari_viewer, qtbot, bright, models_folder, monkeypatch):
    """The widget, set to something tiny; it leaves runs alone when it closes."""
    monkeypatch.setattr(
        "napari_spheroseg.widgets.train.run_panel.ask_about",
        lambda names, can_stay, parent: "leave",
    )
    shutil.copytree(bright, models_folder / "bright")
    opened = Session(make_napari_viewer(), qtbot)
    form = opened.widget.form
    form.start_from.value = "bright"
    form.epochs.value, form.steps_per_epoch.value = 3, 4
    form.more.batch_size.value, form.more.crop.value = 2, 64
    yield opened
    for run in list_runs():
        run.stop()
    opened.wait(lambda: not any(run.is_alive for run in list_runs()))


@pytest.fixture
def drawn(image):
    """Labels of the three discs."""
    return (image > 1000).astype(np.int32)


@pytest.fixture
def folders(tmp_path, image, drawn):
    """Three images and masks as files."""
    for name, array in (("images", image), ("masks", drawn.astype(np.uint8))):
        (tmp_path / name).mkdir()
        for number in range(3):
            tifffile.imwrite(tmp_path / name / f"{number}.tif", array)
    return tmp_path / "images", tmp_path / "masks"


@pytest.fixture
def new_run(folders):
    """Makes a run on disk in some state, with two epochs done."""

    def make(state="stopped", name="mine", **status):
        data = Data(images=folders[0], masks=folders[1])
        settings = TrainingSettings(name=name, start="bright", data=data, epochs=3)
        run = Run.create(settings)
        lines = [str(entry).replace("'", '"').replace("nan", "NaN") for entry in ENTRIES]
        (run.folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
        tifffile.imwrite(run.folder / "unused.tif", np.zeros((2, 2)))
        run.write_status(Status(state=state, step=8, steps=12, epoch=2, **status))
        return run

    return make


@pytest.fixture
def finished(new_run, bright):
    """Makes a finished run that has its model."""

    def make(name="mine"):
        run = new_run("finished", name)
        shutil.copytree(bright, run.model)
        metadata = models.library.read_metadata(run.model)
        best = {"validation": {"val_dice": 0.9, "seconds": 1234567}}
        models.library.write_metadata(run.model, metadata.replace(name=name, metrics=best))
        (run.model / "README.md").write_text("# The card")
        return run

    return make


def use_folders(training, folders):
    training.widget.data.kind.value = "Folders"
    training.widget.data.images.value, training.widget.data.masks.value = folders


# --- a training from beginning to end ---------------------------------------------------------


def test_a_training_on_layers_is_stopped_resumed_installed_and_offered(
    training, image, drawn, notices
):
    _, segment = training.viewer.window.add_plugin_dock_widget(NAME, "Segment spheroids")
    widget = training.widget
    training.add_layers([image] * 3, [drawn] * 3)
    training.start()
    assert training.state("bright-tuned-1") == "waiting"
    training.wait(lambda: training.state("bright-tuned-1") == "running", 60)
    widget.stop.native.click()
    training.wait(lambda: training.state("bright-tuned-1") == "stopped", 60)
    (run,) = list_runs()
    assert 1 <= run.status.step < 12
    widget.resume.native.click()
    training.wait(lambda: training.state("bright-tuned-1") == "finished", 90)
    training.wait(lambda: "bright-tuned" in segment.model.choices)
    for key in ("loss", "val_loss", "val_dice"):
        assert [epoch for epoch, _ in widget.view.curves.points(key)] == [1, 2, 3]
    assert not widget.view.picture.pixmap.isNull()
    assert "After epoch 3" in widget.view.legend.value
    assert any("Installed 'bright-tuned'" in message for _, message in notices())
    assert (models.library.user_folder() / "bright-tuned" / "README.md").is_file()
    assert widget.runs.item(0, 2).text() == "bright-tuned"
    assert widget.form.model_name.value == "bright-tuned-2"


def test_a_training_that_fails_says_why_and_another_can_be_started(training, folders, notices):
    for path in folders[0].iterdir():
        path.write_bytes(b"no image")
    use_folders(training, folders)
    training.start()
    training.wait(lambda: training.state("bright-tuned-1") == "failed", 60)
    assert any("bright-tuned-1" in message for _, message in notices())
    assert "failed" in training.widget.view.text.value.lower()
    assert training.widget.resume.enabled
    assert training.widget.start.enabled
    assert training.widget.start.text == "Start"


# --- what to learn from -----------------------------------------------------------------------


def test_results_of_the_segment_widget_are_chosen_by_themselves(training, image, drawn):
    training.add_layers([image] * 2, [drawn] * 2)
    pairs = [(p.image.name, p.labels.name) for p in training.widget.data.layers.value]
    assert pairs == [(f"plate {i}", f"plate {i} labels") for i in range(2)]


def test_layers_of_another_shape_are_not_matched(training, image, drawn):
    training.viewer.add_image(image, name="plate")
    training.viewer.add_labels(drawn[:-1], name="other")
    assert training.widget.data.layers.choices == ()
    assert "No Labels layer" in training.widget.data.none.value
    training.viewer.add_labels(drawn, name="drawn")
    assert [pair.labels.name for pair in training.widget.data.layers.value] == ["drawn"]


def test_labels_that_fit_two_images_are_left_to_the_user(training, image, drawn):
    for name in ("a", "b"):
        training.viewer.add_image(image, name=name)
    training.viewer.add_labels(drawn, name="drawn")
    assert len(training.widget.data.layers.choices) == 2
    assert training.widget.data.layers.value == []


def test_what_the_user_took_out_stays_out(training, image, drawn):
    training.add_layers([image] * 2, [drawn] * 2)
    training.widget.data.layers.value = training.widget.data.layers.value[:1]
    training.viewer.add_image(image, name="another")
    assert len(training.widget.data.layers.value) == 1


def test_a_stack_with_channels_goes_with_its_result(training, image, drawn):
    stack = np.stack([np.stack([np.full_like(image, 7), image])] * 2)
    training.viewer.add_image(stack, name="TCYX")
    recipe = {"axes": "TCYX", "channel": 1}
    result = np.stack([drawn] * 2)[:, None]
    training.viewer.add_labels(result, name="TCYX labels", metadata={"spheroseg": recipe})
    (layer,) = training.widget.data.chosen()
    np.testing.assert_array_equal(layer.frames[(0,)], image)


def test_checking_shows_numbers_problems_and_samples(training, folders):
    tifffile.imwrite(folders[0] / "lonely.tif", np.zeros((64, 64), np.uint8))
    use_folders(training, folders)
    training.press(training.widget.check)
    assert "2 to learn from" in training.widget.found.value
    assert "lonely.tif" in training.widget.found.value
    assert training.widget.samples.pixmap.width() > 4 * 64
    assert training.widget.start.enabled
    assert list_runs() == []


def test_a_manifest_can_be_checked(training, folders):
    path = folders[0].parent / "manifest.csv"
    lines = [f"images/{n}.tif,masks/{n}.tif" for n in range(3)]
    path.write_text("\n".join(["file,mask_file", *lines]))
    training.widget.data.kind.value = "Manifest"
    training.widget.data.manifest.value = path
    training.press(training.widget.check)
    assert "2 to learn from" in training.widget.found.value


# --- what can go wrong before a start ---------------------------------------------------------


def refused(training, notices, word):
    training.start()
    assert any(word in message for _, message in notices()), notices()
    assert list_runs() == []
    assert training.widget.start.enabled
    assert training.widget.start.text == "Start"


def test_without_layers_start_says_so(training, notices):
    refused(training, notices, "No layers were chosen")


@pytest.mark.parametrize("kind", ["Folders", "Manifest"])
def test_without_a_path_start_says_so(training, notices, kind):
    training.widget.data.kind.value = kind
    refused(training, notices, "Choose a")


def test_one_image_is_too_few_and_leaves_nothing_behind(
    training, image, drawn, notices, runs_folder
):
    training.add_layers([image], [drawn])
    refused(training, notices, "only one image")
    assert list(runs_folder.iterdir()) == []


def test_cancelling_a_start_leaves_nothing_behind(training, image, drawn, runs_folder):
    training.add_layers([np.stack([image] * 300)], [np.stack([drawn] * 300)])
    training.widget.start.native.click()
    training.wait(lambda: training.widget.progress.value > 1)
    assert training.widget.start.text == "Cancel"
    assert not training.widget.check.enabled
    training.start()
    assert list(runs_folder.iterdir()) == []
    assert training.widget.start.text == "Start"
    assert training.widget.check.enabled


def test_empty_labels_are_told(training, image, drawn, notices):
    training.add_layers([image], [np.zeros_like(drawn)])
    refused(training, notices, "no labels")


def test_a_folder_that_is_gone_is_told(training, folders, notices):
    use_folders(training, folders)
    shutil.rmtree(folders[1])
    refused(training, notices, "There is no folder")


def test_a_name_that_is_taken_is_told(training, folders, notices):
    use_folders(training, folders)
    training.widget.form.model_name.value = "bright"
    refused(training, notices, "There is a model 'bright' already")


def test_a_name_that_cannot_be_used_is_told(training, folders, notices):
    use_folders(training, folders)
    training.widget.form.model_name.value = "../mine"
    refused(training, notices, "A name has letters, digits")


def test_numbers_that_cannot_be_used_are_told_in_the_words_of_the_form(training):
    training.widget.form.more.crop.value = 100
    assert training.widget.form.estimate.value.startswith("'Crop' = 100 cannot be used")


def test_without_the_extra_start_says_what_to_install(training, folders, notices, monkeypatch):
    use_folders(training, folders)
    monkeypatch.setitem(sys.modules, "lightning", None)
    refused(training, notices, "napari-spheroseg[train]")


# --- settings ---------------------------------------------------------------------------------


def test_the_name_follows_the_start_unless_somebody_wrote_one(training):
    form = training.widget.form
    assert form.model_name.value == "bright-tuned"
    form.start_from.value = "unet"
    assert form.model_name.value == "unet-tuned"
    form.model_name.value = "mine"
    form.start_from.value = "bright"
    assert form.model_name.value == "mine"


def test_it_starts_from_the_default_model(make_napari_viewer, qtbot):
    form = Session(make_napari_viewer(), qtbot).widget.form
    assert form.start_from.value == models.default("segmentation") != form.start_from.choices[0]


def test_labels_named_after_their_image_are_offered_by_their_own_name(training, image):
    training.viewer.add_image(image, name="plate 1")
    for name in ("plate 1 labels", "drawn"):
        training.viewer.add_labels((image > image.mean()).astype(int), name=name)
    names = [pair.name for pair in training.widget.data.layers.choices]
    assert names == ["plate 1 labels", "plate 1  +  drawn"]


def test_only_networks_that_segment_are_offered(training):
    offered = training.widget.form.start_from.choices
    assert "new:unet" in offered
    assert not {"cell_classifier", "new:flexresnet", "new:nafnet"} & set(offered)


def test_a_new_network_has_the_size_of_the_one_that_ships(training):
    form = training.widget.form
    form.start_from.value = "new:unet"
    values = form.values()
    assert values["arguments"] == models.info("unet").arguments
    assert values["network"] == "unet"
    assert form.learning_rate.value > 3e-4
    assert not form.freeze_encoder.enabled


def test_time_is_estimated_from_an_earlier_run(training, new_run):
    assert "once it runs" in training.widget.form.estimate.value
    run = new_run()
    run.write_status(run.status.replace(seconds_per_step=2.0))
    form = training.widget.form
    form.epochs.value, form.steps_per_epoch.value = 4, 150
    form.more.batch_size.value, form.more.crop.value = 8, 256
    assert "about 40 min" in form.estimate.value  # 600 steps of 2 s, of twice the samples


def test_before_a_first_training_some_of_its_steps_are_timed(training):
    form = training.widget.form
    training.viewer.window._qt_window.show()
    training.wait(lambda: form.timing.running, 10)
    assert "being measured" in form.estimate.value
    training.wait(lambda: not form.timing.running, 120)
    assert "validation, judged by some steps timed here" in form.estimate.value
    form.epochs.value, form.steps_per_epoch.value = 100, 1000
    assert about(1e5 * form.timing.paces[0].seconds) in form.estimate.value
    assert not form.timing.running


@pytest.fixture
def timed(training, monkeypatch):
    """Shows the widget and waits until a process times steps: it does what the command does."""
    started = []

    def begin(command):
        def start(settings):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            started.append(process)
            return process

        monkeypatch.setattr("napari_spheroseg.widgets.train.timing.start_timing", start)
        training.viewer.window._qt_window.show()
        training.wait(lambda: training.widget.form.timing.running, 10)
        return started

    yield begin
    for process in started:
        process.kill()
        process.wait()


def test_nothing_is_timed_while_nobody_sees_the_widget(training):
    training.qtbot.wait(1500)
    assert not training.widget.form.timing.running


def test_what_cannot_be_timed_is_known_once_it_runs_and_not_tried_again(training, timed):
    timing, form = training.widget.form.timing, training.widget.form
    started = timed([sys.executable, "-c", "raise SystemExit(1)"])
    training.wait(lambda: not timing.running, 10)
    assert "once it runs" in form.estimate.value
    form.epochs.value = 9
    training.qtbot.wait(1500)
    assert len(started) == 1


def test_another_network_is_timed_instead(training, timed):
    form = training.widget.form
    started = timed(SLEEP)
    form.freeze_encoder.value = True
    training.wait(lambda: len(started) == 2, 10)
    assert started[0].poll() is not None
    assert form.timing.running


def test_a_training_that_starts_is_not_slowed_by_timing(training, folders, timed):
    started = timed(SLEEP)
    use_folders(training, folders)
    training.start()
    training.wait(lambda: len(list_runs()) == 1, 10)
    assert started[0].poll() is not None
    assert not training.widget.form.timing.running


def test_closing_the_dock_ends_the_timing(training, timed):
    started = timed(SLEEP)
    training.dock.close()
    training.wait(lambda: started[0].poll() is not None, 10)
    training.qtbot.wait(1500)
    assert len(started) == 1


# --- runs -------------------------------------------------------------------------------------


def test_a_run_that_goes_on_elsewhere_is_shown_live(training, new_run):
    curves = training.widget.view.curves
    before = curves.grab().toImage()
    run = new_run()
    with run.held():
        run.write_status(run.status.replace(state="running", seconds_per_step=30.0))
        training.look()
        assert training.state("mine-1") == "running"
        assert curves.points("val_dice") == [(1, 0.4), (2, 0.6)]
        assert curves.points("val_loss") == [(1, 1.1)]
        assert curves.grab().toImage() != before
        assert "about 2 min left" in training.widget.view.text.value
        assert training.widget.stop.enabled
        assert not training.widget.resume.enabled
        assert not training.widget.remove_run.enabled
        training.widget.stop.native.click()
        assert run.wants_to_stop
        assert training.widget.stop.text == "Stopping…"
        run.write_status(run.status.replace(state="stopped"))
    training.wait(lambda: training.state("mine-1") == "stopped", 5)
    assert not training.widget.panel.watch._timer.isActive()


def test_a_run_whose_process_was_killed_is_stale_and_can_be_resumed_or_removed(
    training, new_run, monkeypatch
):
    run = new_run("running")
    training.look()
    assert training.state("mine-1") == "stale"
    assert training.widget.resume.enabled
    monkeypatch.setattr(RunPanel, "ask_to_remove", lambda *_: False)
    training.widget.remove_run.native.click()
    assert run.folder.exists()
    monkeypatch.setattr(RunPanel, "ask_to_remove", lambda *_: True)
    training.widget.remove_run.native.click()
    assert not run.folder.exists()
    assert training.widget.runs.rowCount() == 0
    assert not training.widget.resume.enabled


def test_a_run_that_dies_while_it_is_watched_is_told(training, new_run, notices):
    run = new_run()
    with run.held():
        run.write_status(run.status.replace(state="running"))
        training.look()
    training.wait(lambda: training.state("mine-1") == "stale", 5)
    assert any("'mine-1'" in message for _, message in notices())


def test_a_process_that_ends_before_it_begins_has_failed(training, new_run, notices):
    run = new_run("waiting")
    watch = training.widget.panel.watch
    watch._processes[run.folder] = subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])
    training.look()
    training.wait(lambda: training.state("mine-1") == "failed", 15)
    assert any("before it began" in message for _, message in notices())
    assert training.widget.resume.enabled


def test_a_damaged_run_is_shown_and_can_be_removed(training, new_run, monkeypatch):
    run = new_run()
    (run.folder / "settings.json").write_text("{")
    training.look()
    assert "cannot be read" in training.widget.view.text.value
    monkeypatch.setattr(RunPanel, "ask_to_remove", lambda *_: True)
    training.widget.remove_run.native.click()
    assert training.widget.runs.rowCount() == 0


def test_the_selected_run_stays_selected_when_another_comes(training, new_run):
    first = new_run(name="first")
    training.look()
    new_run(name="second")
    training.look()
    assert training.widget.runs.selected == first


def install(training):
    panel = training.widget.panel
    training.widget.install.native.click()
    training.wait(lambda: not panel._installing.running)


def test_a_run_that_finished_while_napari_was_closed_is_installed_once(training, finished):
    finished()
    training.look()
    assert training.widget.runs.item(0, 2).text() == "not installed"
    install(training)
    assert training.widget.runs.item(0, 2).text() == "mine"
    install(training)
    assert [m.name for m in models.available()][-2:] == ["bright", "mine"]
    assert models.library.read_metadata(models.library.user_folder() / "mine").metrics


def test_a_name_that_was_taken_meanwhile_gets_a_number(training, finished, models_folder, notices):
    finished("bright")
    training.look()
    install(training)
    assert "bright-2" in [m.name for m in models.available()]
    assert any("'bright-2'" in message for _, message in notices())


def test_a_model_that_cannot_be_installed_is_told(training, finished, notices):
    run = finished()
    (run.model / "weights.safetensors").write_bytes(b"")
    training.look()
    install(training)
    assert len(notices()) == 1
    assert training.widget.install.enabled


# --- closing ----------------------------------------------------------------------------------


@pytest.fixture
def going(training, new_run):
    """A run that was started from this widget and has not come far."""
    run = new_run("waiting")
    process = subprocess.Popen(SLEEP)
    training.widget.panel.watch._processes[run.folder] = process
    training.look()
    yield run, process
    process.kill()
    process.wait()


@pytest.mark.parametrize("answer", ["leave", "stop", "stay"])
def test_closing_napari_asks_what_becomes_of_a_run(training, going, monkeypatch, answer):
    asked, answers = [], [answer]
    monkeypatch.setattr(
        RunPanel,
        "ask_on_closing",
        lambda _, *question: asked.append(question) or (answers.pop() if answers else "leave"),
    )
    training.qtbot.wait(10)
    closed = training.viewer.window._qt_window.close()
    assert asked == [(["mine-1"], True)]
    assert closed == (answer != "stay")
    run, process = going
    assert run.wants_to_stop == (answer == "stop")
    if answer == "stop":
        assert process.wait(10)
        training.look()
        assert run.status.state == "stopped"
    else:
        assert process.poll() is None


def test_closing_the_dock_asks_too(training, going, monkeypatch):
    asked = []
    monkeypatch.setattr(RunPanel, "ask_on_closing", lambda _, *a: asked.append(a) or "leave")
    training.qtbot.wait(10)
    training.dock.destroyOnClose()
    training.wait(lambda: asked == [(["mine-1"], False)], 5)
    assert going[1].poll() is None


def test_closing_without_a_run_asks_nothing(training, new_run, monkeypatch):
    new_run("stopped")
    monkeypatch.setattr(RunPanel, "ask_on_closing", lambda *_: pytest.fail("asked"))
    training.look()
    training.viewer.window._qt_window.close()


def test_opening_the_widget_and_watching_do_not_import_torch(new_run):
    new_run("finished")
    code = (
        "import sys, napari; v = napari.Viewer(show=False);"
        f"_, w = v.window.add_plugin_dock_widget('{NAME}', '{TRAIN}');"
        "w.tabs.setCurrentIndex(1);"
        "assert w.view.curves.entries;"
        "assert 'torch' not in sys.modules, 'by the widget'; v.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
