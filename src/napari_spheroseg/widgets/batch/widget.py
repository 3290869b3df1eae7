"""The widget ``Batch segmentation``."""

from __future__ import annotations

from pathlib import Path

import napari.viewer
from magicgui.widgets import ComboBox, Container, FileEdit, FloatSlider, PushButton
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QTabWidget

from ... import models
from ...errors import BadSetting
from ...segmentation.settings import PUBLISHED
from ..closing import ClosingGuard
from ..news import news
from ..offered import offered_models
from ..parts import align, widen
from ..preferences import preferences
from ..scroll import Scroll
from ..segment.more_settings import SERVICE
from ..where import where_of
from .from_segment import copy_more, open_segment_widget
from .images import ImageChoice
from .job import BatchJob
from .outputs import OutputChoice
from .pattern import PatternChoice
from .results import is_large
from .run import BatchRun, Stacks
from .settings import BatchMore

_LEAST_WIDTH = 400  # px; no number is cut off
_FOLDER = "spheroseg"


class BatchWidget(Container):
    """Segment many images into a folder: opened stacks, or files.

    Parameters
    ----------
    viewer : napari.Viewer
        Its image layers are offered, and results of these are added to it.

    Notes
    -----
    Scripts can set ``source``, ``layers`` and ``ranges``, or ``folder`` (see `ImageChoice`),
    ``out``, ``model``, ``threshold``, ``more`` (`BatchMore`), ``outputs`` (`OutputChoice`),
    ``names`` (`PatternChoice`); press ``from_segment``, ``run`` (becomes Cancel while it runs),
    ``pause`` and ``retry``; and look at ``progress``, ``summary`` and ``table``.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        # napari hands plugins a proxy whose layers are proxies too; ours are compared by identity
        self._viewer = getattr(viewer, "__wrapped__", viewer)
        self._offered_out: Path | None = None
        self._threads = preferences().threads
        self.images = ImageChoice(self._viewer)
        self.source, self.layers = self.images.source, self.images.layers
        self.ranges, self.folder = self.images.ranges, self.images.folder
        self._build()
        self.batch = BatchRun(self._viewer, self._new_job)
        self.run, self.pause, self.retry = self.batch.run, self.batch.pause, self.batch.retry
        self.progress, self.summary = self.batch.progress, self.batch.summary
        self.table = self.batch.table
        super().__init__(widgets=[self._new_page(), self.batch], labels=False)
        self.tabs = QTabWidget()
        self.tabs.addTab(Scroll(self[0].native), "Images and settings")
        self.tabs.addTab(self.table, "Progress")
        self.native.layout().insertWidget(0, self.tabs)
        widen(self, _LEAST_WIDTH)
        self._guard = ClosingGuard(self.native, self.batch.stop)
        self._connect()
        self._choose_model()
        self._choose_images()

    def _build(self) -> None:
        wanted = preferences()
        self.out = FileEdit(
            name="out",
            label="Results",
            mode="d",
            nullable=True,
            tooltip="Folder for labels, polygons and tables. What is done there already is not "
            "done again.",
        )
        self.out.choose_btn.text = "Choose…"
        self.model = ComboBox(
            name="model", label="Model", choices=lambda _: offered_models("segmentation")
        )
        if wanted.model in self.model.choices:
            self.model.value = wanted.model
        self.threshold = FloatSlider(
            name="threshold",
            label="Threshold",
            value=0.5,
            min=0.01,
            max=0.99,
            step=0.01,
            tooltip="Pixels of a higher probability belong to an object.",
        )
        self.more, self.outputs, self.names = BatchMore(wanted), OutputChoice(), PatternChoice()
        self.from_segment = PushButton(
            text="Take settings from Segment",
            tooltip="Model, threshold and all that was tried out in the widget Segment spheroids",
        )

    def _new_page(self) -> Container:
        choices = Container(widgets=[self.out, self.model, self.threshold], labels=True)
        choices.margins = (0, 0, 0, 0)
        page = Container(widgets=[self.images, choices, self.from_segment], labels=False)
        align(self.images, choices, self.more, self.outputs, self.names)
        layout = page.native.layout()
        for part in (self.more, self.outputs, self.names):
            part.collapsible.layout().setContentsMargins(0, 0, 0, 0)
            layout.addWidget(part.collapsible)
        layout.addStretch()
        return page

    def _connect(self) -> None:
        self.images.chosen.connect(self._choose_images)
        self.more.axes.changed.connect(self.images.show_axes)
        self.model.changed.connect(self._choose_model)
        self.more.preset.changed.connect(self._choose_preset)
        self.from_segment.changed.connect(self.take_from_segment)
        news.models_changed.connect(self.model.reset_choices)
        self.native.destroyed.connect(self._closed)

    # --- what is chosen -----------------------------------------------------------------------

    def _choose_images(self) -> None:
        self.names.collapsible.setVisible(not self.images.of_layers)
        if self.images.of_layers:
            self.more.show_image(self.images.first)
            self.images.show_axes(self.more.axes.value)
        else:
            self.more.show_files(self.images.found)
            self.names.show_paths(self.images.found.paths)
            self._offer_out()

    def _offer_out(self) -> None:
        """A folder beside the images, unless the user chose one."""
        paths = self.images.found.paths
        if paths and self.out.value in (None, Path(), self._offered_out):
            self._offered_out = paths[0].absolute().parent / _FOLDER
            self.out.value = self._offered_out

    def _choose_preset(self, preset: str) -> None:
        if preset == SERVICE:
            self.threshold.value = PUBLISHED.threshold

    def _choose_model(self) -> None:
        metadata = models.info(self.model.value)
        self.model.tooltip = metadata.description
        self.threshold.value = metadata.threshold
        self.more.show_model(metadata)

    def take_from_segment(self) -> None:
        """Copy the settings of the open segment widget."""
        segment = open_segment_widget(self._viewer)
        if segment is None:
            hint = "Open Plugins ▸ SpheroSeg ▸ Segment spheroids, and try settings there."
            show_error(str(BadSetting("The widget Segment spheroids is not open", hint=hint)))
            return
        self.model.value = segment.model.value
        self.threshold.value = segment.threshold.value
        same_image = self.images.first is not None and segment.image.value is self.images.first
        if copy_more(segment.more, self.more, same_image=same_image):
            show_info("Model, threshold and settings are those of Segment spheroids.")
        else:
            show_info("Taken, but for the object diameter: it is in another unit there.")
        self.threshold.value = segment.threshold.value  # a preset may have moved it

    # --- a run --------------------------------------------------------------------------------

    def _new_job(self) -> tuple[BatchJob, Stacks]:
        self.more.post_processing(self.threshold.value)  # what cannot be is said at once
        metadata = models.info(self.model.value)
        if not metadata.has_weights:
            raise models.no_weights(metadata)
        inputs, frames, stacks = (), (), {}
        if self.images.of_layers:
            how = self.more.axes_and_channel()
            chosen = self.images.stacks(how, self.more.own_size, self.more.in_micrometres)
            frames, stacks = chosen.frames, chosen.layers
            settings = self.more.for_frames(len(stacks))
        else:
            inputs, settings = self.images.inputs(), self.more.for_files()
        if self.out.value in (None, Path()):
            raise BadSetting("There is no folder for the results", hint="Choose one.")
        written = {**self.outputs.values(), "pattern": self.names.value}
        job = BatchJob(
            inputs,
            frames,
            Path(self.out.value).expanduser(),
            self.model.value,
            where_of(self.more),
            self._threads,
            self.threshold.value,
            {**settings, **written},
            lazy=any(is_large(each) for _, each in stacks.values()),
        )
        self.tabs.setCurrentIndex(1)
        return job, stacks

    def _closed(self) -> None:
        news.models_changed.disconnect(self.model.reset_choices)
        self.images.abandon()
        self.batch.abandon()
