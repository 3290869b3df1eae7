"""Make the pictures of the documentation: python scripts/docs_pictures.py (needs a screen)."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_spheroseg import models
from napari_spheroseg.readwrite.tiff import write_image
from napari_spheroseg.restoration.defocus import defocus, disc
from napari_spheroseg.synthetic import spheroids
from napari_spheroseg.training.runs import list_runs
from napari_spheroseg.widgets.classify.choice import TEACH

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"


def wait(condition: Callable[[], bool], seconds: float) -> None:
    """Let the event loop turn until the condition holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        QApplication.processEvents()
        time.sleep(0.005)


def picture(name: str, sample: str, *, theme: str = "dark", more: bool = False) -> None:
    """A viewer of 1280 x 800 with a sample and its result."""
    viewer = napari.Viewer()
    viewer.theme = theme
    viewer.window.resize(1280, 800)
    viewer.open_sample("napari-spheroseg", sample)
    _, widget = viewer.window.add_plugin_dock_widget("napari-spheroseg", "Segment spheroids")
    if more:
        widget.more.collapsible.expand(animate=False)
    widget.run.native.click()
    wait(lambda: widget.run.text == "Run", 120)
    viewer.reset_view()
    wait(lambda: False, 1)
    PICTURES.mkdir(parents=True, exist_ok=True)
    viewer.screenshot(str(PICTURES / name), canvas_only=False, flash=False)
    viewer.close()


def training_picture(name: str) -> None:
    """The widget while the shipped U-Net is fine-tuned on three synthetic images."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SPHEROSEG_RUNS"] = str(Path(folder) / "runs")
        os.environ["SPHEROSEG_MODELS"] = str(Path(folder) / "models")
        viewer = napari.Viewer()
        viewer.window.resize(1280, 800)
        for seed in range(3):
            drawn = spheroids((256, 256), 5, seed=seed)
            viewer.add_image(drawn.image, name=f"plate {seed + 1}")
            viewer.add_labels(drawn.labels, name=f"plate {seed + 1} labels", opacity=0.4)
        _, widget = viewer.window.add_plugin_dock_widget("napari-spheroseg", "Train model")
        widget.form.model_name.value = "my-spheroids"
        widget.form.epochs.value, widget.form.steps_per_epoch.value = 6, 30
        widget.form.more.batch_size.value, widget.form.more.crop.value = 2, 128
        widget.start.native.click()
        wait(lambda: any(len(run.metrics) > 3 for run in list_runs()), 300)
        viewer.reset_view()
        wait(lambda: False, 2)
        viewer.screenshot(str(PICTURES / name), canvas_only=False, flash=False)
        for run in list_runs():
            run.stop()
        wait(lambda: not any(run.is_alive for run in list_runs()), 120)
        viewer.close()


def batch_picture(name: str) -> None:
    """The table of a batch over a folder, with one of its images opened."""
    with tempfile.TemporaryDirectory() as folder:
        plate = Path(folder) / "plate"
        plate.mkdir()
        for seed in range(8):
            drawn = spheroids((256, 256), 5, seed=seed)
            write_image(plate / f"plate_B{seed + 1:02d}.tif", drawn.image)
        viewer = napari.Viewer()
        viewer.window.resize(1280, 800)
        _, widget = viewer.window.add_plugin_dock_widget("napari-spheroseg", "Batch segmentation")
        widget.source.value, widget.folder.value = "Files", str(plate)
        wait(lambda: bool(widget.images.found.paths), 60)
        widget.run.native.click()
        wait(lambda: not widget.batch.running, 300)
        widget.table.opened.emit(widget.table.items.items[2])
        wait(lambda: len(viewer.layers) == 3 and not widget.batch.opener.running, 60)
        wait(lambda: False, 2)
        viewer.screenshot(str(PICTURES / name), canvas_only=False, flash=False)
        viewer.close()


def restore_picture(name: str) -> None:
    """The widget with half of a blurred sample restored, and what that did to its area."""
    viewer = napari.Viewer()
    viewer.window.resize(1280, 800)
    drawn = spheroids((384, 512), 6, seed=3)
    blurred = defocus(drawn.image.astype(np.float32), disc(5)).astype(drawn.image.dtype)
    viewer.add_image(blurred, name="plate", scale=(0.65, 0.65), units=("um", "um"))
    _, widget = viewer.window.add_plugin_dock_widget("napari-spheroseg", "Restore focus")
    for button in (widget.run, widget.compare):
        button.native.click()
        wait(lambda: not (widget.runner.running or widget.comparison.busy), 120)
    widget.swipe.value = 55
    viewer.reset_view()
    wait(lambda: False, 1)
    viewer.screenshot(str(PICTURES / name), canvas_only=False, flash=False)
    viewer.close()


def classify_picture(name: str) -> None:
    """The widget after a few examples of large and small spheroids."""
    viewer = napari.Viewer()
    viewer.window.resize(1280, 800)
    drawn = spheroids((512, 640), 20, seed=7, radius=(0.02, 0.08))
    scale = {"scale": (0.65, 0.65), "units": ("um", "um")}
    viewer.add_image(drawn.image, name="plate", **scale)
    viewer.add_labels(drawn.labels, name="plate labels", opacity=0.4, **scale)
    _, widget = viewer.window.add_plugin_dock_widget("napari-spheroseg", "Classify objects")
    widget.model.value = TEACH
    lesson = widget.session().lesson
    for each in list(lesson.classes):
        lesson.remove(each.name)
    by_size = np.argsort(np.bincount(drawn.labels.ravel())[1:]) + 1
    for kind, examples in {"small": by_size[:4], "large": by_size[-4:]}.items():
        lesson.add(kind)
        widget.show_all()
        for label in examples:
            widget.teach.give(((), int(label)), kind)
    wait(lambda: False, 1)
    wait(lambda: not widget.teach.work.running, 60)
    viewer.reset_view()
    wait(lambda: False, 8)  # cross-validation follows after a pause
    viewer.screenshot(str(PICTURES / name), canvas_only=False, flash=False)
    viewer.close()


def models_picture(name: str) -> None:
    """The Model manager with an installed and a shared model, and what was measured of one."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SPHEROSEG_MODELS"] = str(Path(folder) / "models")
        shared = Path(folder) / "lab"
        models.install("unet", "day3_unet")
        models.install("hrnet", "lab_hrnet")
        shared.mkdir()
        (models.library.user_folder() / "lab_hrnet").rename(shared / "lab_hrnet")
        models.add_shared_folder(shared)
        viewer = napari.Viewer()
        viewer.window.resize(1280, 800)
        _, widget = viewer.window.add_plugin_dock_widget("napari-spheroseg", "Model manager")
        widget.table.selected = "day3_unet"
        wait(lambda: False, 1)
        # folders are of whoever makes the picture: it begins below them
        widget.details.find("Metrics")
        bar = widget.details.verticalScrollBar()
        bar.setValue(bar.value() + widget.details.cursorRect().top())
        cursor = widget.details.textCursor()
        cursor.clearSelection()
        widget.details.setTextCursor(cursor)
        widget.table.scrollToBottom()
        wait(lambda: False, 1)
        viewer.screenshot(str(PICTURES / name), canvas_only=False, flash=False)
        viewer.close()


if __name__ == "__main__":
    picture("segment.png", "brightfield")
    picture("more-settings.png", "fluorescence", theme="light", more=True)
    picture("movie.png", "movie")
    training_picture("train.png")
    batch_picture("batch.png")
    restore_picture("restore.png")
    classify_picture("classify.png")
    models_picture("models.png")
