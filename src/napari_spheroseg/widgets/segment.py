"""The widget ``Segment spheroids``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import napari.viewer
from magicgui.widgets import (
    ComboBox,
    Container,
    FloatSlider,
    Label,
    ProgressBar,
    PushButton,
)
from napari.layers import Image
from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QTimer

from .. import models
from ..errors import SpherosegError
from ..inference.frames import Frames
from ..segmentation.result import Segmentation
from ..segmentation.settings import PUBLISHED
from ..steps import Step
from .actions import ResultActions
from .job import Job, analyse_steps
from .more_settings import SERVICE, MoreSettings
from .news import news
from .offered import offered_models
from .preferences import preferences
from .shown import ShownResult
from .source import current_frame, full_resolution, visible_region
from .where import where_of
from .work import Work

CURRENT, EVERY = "Current slice", "Every slice"
WHOLE, VIEW = "Whole image", "Current view only"
_LEAST_WIDTH = 340  # px; no number is cut off
_MEASURE_AFTER = 400  # ms without another stroke of the brush


class SegmentWidget(Container):
    """Outline the spheroids of an image layer.

    Parameters
    ----------
    viewer : napari.Viewer
        Its image layers are offered, and results are added to it.

    Notes
    -----
    Children that scripts can set: ``image``, ``model``, ``threshold``, ``frames``, ``region``,
    ``more`` (the other settings, by field name), ``run`` (becomes Cancel while it runs),
    ``progress``.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        # napari hands plugins a proxy whose layers are proxies too; ours are compared by identity
        self._viewer = getattr(viewer, "__wrapped__", viewer)
        self._shown: dict[Image, ShownResult] = {}
        self._corrected: set[ShownResult] = set()  # to be measured again
        self._run = Work(self._on_step, self._on_result, self._on_run_end)
        self._update = Work(self._on_preview, self._on_update, self._on_update_end)
        self._update_again = False
        self._filling = False  # fields are being set by us, not by the user
        self._job: Job | None = None
        self._build()
        choices = Container(
            widgets=[self.image, self.model, self.threshold, self.frames, self.region],
            labels=True,
        )
        choices.margins = (0, 0, 0, 0)
        super().__init__(
            widgets=[choices, self.run, self.progress, self.summary, self.actions],
            labels=False,
        )
        layout = self.native.layout()
        layout.insertWidget(1, self.more.collapsible)
        layout.addStretch()
        self.native.setMinimumWidth(_LEAST_WIDTH)
        self._measure_timer = QTimer(self.native)
        self._measure_timer.setSingleShot(True)
        self._measure_timer.setInterval(_MEASURE_AFTER)
        self._measure_timer.timeout.connect(self._measure_corrections)
        self._connect()
        self._refresh_choices()
        active = self._viewer.layers.selection.active
        if isinstance(active, Image):
            self.image.value = active
        self._choose_model()
        self._choose_image()

    def _build(self) -> None:
        wanted = preferences()
        self._threads = wanted.threads
        self.image = ComboBox(name="image", label="Image", choices=self._images)
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
            tooltip="Pixels of a higher probability belong to an object. "
            "After a run it moves at once, without running again.",
        )
        self.frames = ComboBox(
            name="frames", label="Slices", choices=[EVERY, CURRENT], visible=False
        )
        self.region = ComboBox(
            name="region",
            label="Region",
            choices=[WHOLE, VIEW],
            tooltip="Current view only: just the part of the image that is on screen is segmented. "
            "Zoom in to try settings quickly, or to work on a part of a large image.",
        )
        self.more = MoreSettings(wanted)
        self.run = PushButton(name="run", text="Run", tooltip="Outline the spheroids")
        self.progress = ProgressBar(name="progress", value=0, max=1, visible=False)
        self.summary = Label(name="summary")
        self.summary.native.setWordWrap(True)
        self.actions = ResultActions(self._current)

    def _connect(self) -> None:
        self.image.changed.connect(self._choose_image)
        self.model.changed.connect(self._choose_model)
        self.threshold.changed.connect(self._refresh)
        self.more.post_changed.connect(self._refresh)
        self.more.preset.changed.connect(self._choose_preset)
        self.run.changed.connect(self._run_or_cancel)
        layers = self._viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.connect(self._refresh_choices)
        news.models_changed.connect(self.model.reset_choices)
        self.native.destroyed.connect(self._closed)

    # --- what can be chosen -------------------------------------------------------------------

    def _images(self, _: Any = None) -> list[tuple[str, Image]]:
        return [(layer.name, layer) for layer in self._viewer.layers if isinstance(layer, Image)]

    def _refresh_choices(self) -> None:
        for layer in self._viewer.layers:
            if isinstance(layer, Image):
                layer.events.name.disconnect(self._refresh_choices)
                layer.events.name.connect(self._refresh_choices)
        self.image.reset_choices()
        for image, shown in list(self._shown.items()):
            if image not in self._viewer.layers and shown.gone and not self._update.running:
                del self._shown[image]  # and with it probability and pixels

    def _choose_image(self) -> None:
        layer = self.image.value
        self.more.show_image(layer)
        leading = layer.ndim - 2 if layer is not None else 0
        self.frames.visible = leading > 0
        shown = self._current()
        if shown is not None and shown.segmentation is not None:
            self._filling = True
            self.threshold.value = shown.segmentation.settings.threshold
            self.more.show_post_processing(shown.segmentation.settings.post_processing())
            self._filling = False
        self._summarise_current()

    def _choose_preset(self, preset: str) -> None:
        if preset == SERVICE:
            self.threshold.value = PUBLISHED.threshold

    def _choose_model(self) -> None:
        """Fill in what the model recommends; a result that is shown stays as it is."""
        metadata = models.info(self.model.value)
        self.model.tooltip = metadata.description
        self._filling = True
        self.threshold.value = metadata.threshold
        self.more.show_model(metadata)
        self._filling = False
        if metadata.has_weights:
            self._summarise_current()
        else:
            self.summary.value = str(models.no_weights(metadata))

    # --- a run --------------------------------------------------------------------------------

    def _run_or_cancel(self) -> None:
        if self._run.running:
            self._run.cancel()
            self.run.text, self.run.enabled = "Cancelling…", False
            return
        try:
            job = self._new_job()
            title = models.info(job.model).title
        except SpherosegError as error:
            show_error(str(error))
            return
        self._job = job
        self.run.text = "Cancel"
        self.progress.visible, self.progress.max, self.progress.value = True, 0, 0
        self.summary.value = f"Loading {title}…"
        self._run.start(job.steps, title=f"Segmenting {job.image.name}")

    def _new_job(self) -> Job:
        layer = self.image.value
        if layer is None:
            raise SpherosegError(
                "There is no image to segment",
                hint="Open one, or try File ▸ Open Sample ▸ Spheroids.",
            )
        only = visible_region(layer, self._viewer) if self.region.value == VIEW else None
        how = self.more.axes_and_channel()
        frames = Frames.of(full_resolution(layer), **how, region=only)
        indices = None
        if frames.leading_shape and self.frames.value == CURRENT:
            indices = [current_frame(layer, frames, self._viewer)]
        shown = self._shown.get(layer)
        return Job(
            layer,
            frames,
            indices,
            self.model.value,
            where_of(self.more),
            self._threads,
            self.threshold.value,
            {**self.more.run_settings(), "region": frames.region},
            shown.segmentation if indices and shown else None,
        )

    def _on_step(self, step: Any) -> None:
        if not isinstance(step, Step):
            self.summary.value = "Measuring"
            return
        self.progress.max, self.progress.value = step.total, step.done
        self.summary.value = f"Segmenting: {step.done} of {step.total} tiles"

    def _on_result(self, result: Segmentation) -> Iterator[None]:
        assert self._job is not None
        image = self._job.image
        if image not in self._viewer.layers:
            show_info(f"'{image.name}' was removed meanwhile; its result is shown all the same.")
        elif full_resolution(image) is not self._job.frames.data:
            show_warning(f"'{image.name}' changed meanwhile; the result is that of the old image.")
        shown = self._shown.setdefault(image, ShownResult(self._viewer, image, self._on_edit))
        yield from shown.show(result)
        self._summarise(result)
        for warning in result.warnings:
            show_warning(warning)
        if not len(result.table) and not result.warnings:
            show_info(
                "No objects were found: lower the threshold, or look at More settings "
                "(smallest area, working size)."
            )

    def _on_run_end(self) -> None:
        self.run.text, self.run.enabled = "Run", True
        self.progress.visible = False
        self._job = None
        self._summarise_current()
        self._refresh()  # settings may have moved while it ran

    # --- another threshold or post-processing, without inference ----------------------------------

    def _refresh(self) -> None:
        """Bring the result of the chosen image up to date with the settings, in a worker."""
        shown = self._current()
        if shown is None or shown.segmentation is None or self._run.running or self._filling:
            return
        if self._update.running:
            self._update_again = True
            if len(self._updating.segmentation.maps) > 1:
                self._update.cancel()  # a stack's preview was shown; a plane is soon done, and is
            return
        try:
            wanted = shown.segmentation.at(**self._post_processing())
        except SpherosegError as error:
            self.summary.value = str(error)
            return
        same = wanted.settings == shown.segmentation.settings and not shown.previewed
        if same or shown.gone:
            return
        self._updating = shown
        first = current_frame(shown.image, wanted.frames, self._viewer)
        self._update.start(lambda: analyse_steps(wanted, first))

    def _post_processing(self) -> dict[str, Any]:
        return {**self.more.post_processing(), "threshold": self.threshold.value}

    def _on_preview(self, preview: Any) -> None:
        if preview is not None:
            self._updating.preview(*preview)

    def _on_update(self, result: Segmentation) -> Iterator[None]:
        shown = self._updating
        yield from (
            shown.show(result) if result.corrections is None else shown.show_corrected(result)
        )
        if shown is self._current():
            self._summarise(result)

    def _on_update_end(self) -> None:
        if self._update_again:
            self._update_again = False
            self._refresh()
        elif self._corrected:
            self._measure_timer.start()

    # --- corrections by hand ------------------------------------------------------------------

    def _on_edit(self, shown: ShownResult) -> None:
        self._corrected.add(shown)
        self._measure_timer.start()

    def _measure_corrections(self) -> None:
        """Measure one corrected result; others, and later strokes, have their turn after it."""
        if self._update.running or self._run.running:
            self._measure_timer.start()
            return
        while self._corrected:
            shown = self._corrected.pop()
            if shown.edited and not shown.gone:
                self._updating = shown
                self._update.start(partial(analyse_steps, shown.corrected(), None))
                return

    # --- what stands below Run ------------------------------------------------------------------

    def _summarise(self, result: Segmentation | None) -> None:
        self.summary.value = "" if result is None else result.summary
        self.actions.enabled = result is not None

    def _summarise_current(self) -> None:
        shown = self._current()
        self._summarise(shown.measured if shown else None)

    def _current(self) -> ShownResult | None:
        """The result of the chosen image."""
        return None if self.image.value is None else self._shown.get(self.image.value)

    def _closed(self) -> None:
        news.models_changed.disconnect(self.model.reset_choices)
        self._run.abandon()
        self._update.abandon()
