"""The widget ``Segment spheroids``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import napari.viewer
from magicgui.widgets import (
    ComboBox,
    Container,
    FloatSlider,
    ProgressBar,
    PushButton,
)
from napari.layers import Image
from napari.utils.notifications import show_error, show_info, show_warning

from ... import models
from ...errors import SpherosegError
from ...inference.frames import Frames
from ...segmentation.large.result import LargeSegmentation
from ...segmentation.result import Segmentation
from ...segmentation.settings import PUBLISHED
from ...steps import Step
from ..closing import ClosingGuard
from ..image_layers import images_of
from ..news import news
from ..offered import offered_models
from ..parts import align, text, widen
from ..preferences import preferences
from ..source import current_frame, full_resolution, visible_region
from ..where import where_of
from ..work import Work
from .actions import ResultActions
from .focus_box import focus_box
from .job import Job, is_large
from .more_settings import SERVICE, MoreSettings
from .shown import ShownResult
from .shown_large import ShownLarge
from .shown_results import ShownResults, sentence
from .updates import Listener, Updates

CURRENT, EVERY = "Current slice", "Every slice"
CANCELLING = "Cancelling…"
WHOLE, VIEW = "Whole image", "Current view only"
_LEAST_WIDTH = 440  # px; no number is cut off
_THRESHOLD = (
    "Pixels of a higher probability belong to an object. "
    "After a run it moves at once, without running again{but}."
)
_BUT = ": but this image is large, and there it takes effect with the next run"


class SegmentWidget(Container):
    """Outline the spheroids of an image layer.

    Parameters
    ----------
    viewer : napari.Viewer
        Its image layers are offered, and results are added to it.

    Notes
    -----
    Children that scripts can set: ``image``, ``model``, ``threshold``, ``frames``, ``region``,
    ``more`` (the other settings, by field name), ``focus``, ``run`` (becomes Cancel while it runs),
    ``progress``.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        # napari hands plugins a proxy whose layers are proxies too; ours are compared by identity
        self._viewer = getattr(viewer, "__wrapped__", viewer)
        self._shown = ShownResults(self._viewer, self._on_edit)
        self._run = Work(self._on_step, self._on_result, self._on_run_end)
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
        align(choices, self.more)
        widen(self, _LEAST_WIDTH)
        self._guard = ClosingGuard(self.native, self._leave)
        self._update = Updates(
            self._viewer,
            self.native,
            Listener(
                self._post_processing, lambda: self._run.running, self._refresh, self._on_update
            ),
        )
        self._connect()
        self._refresh_choices()
        active = self._viewer.layers.selection.active
        if active in self.image.choices:
            self.image.value = active
        self._choose_model()
        self._choose_image()

    def _build(self) -> None:
        wanted = preferences()
        self._threads = wanted.threads
        self.image = ComboBox(
            name="image", label="Image", choices=self._images, tooltip="The layer to segment"
        )
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
            tooltip=_THRESHOLD.format(but=""),
        )
        self.frames = ComboBox(
            name="frames",
            label="Slices",
            choices=[EVERY, CURRENT],
            visible=False,
            tooltip="Current slice: that on screen. Slices that are run one by one are collected "
            "in the same layers.",
        )
        self.region = ComboBox(
            name="region",
            label="Region",
            choices=[WHOLE, VIEW],
            tooltip="Current view only: just the part of the image that is on screen is segmented. "
            "Zoom in to try settings quickly, or to work on a part of a large image.",
        )
        self.more = MoreSettings(wanted)
        self.focus = focus_box()
        self.more.insert(self.more.index(self.more.restore) + 1, self.focus)
        self.run = PushButton(name="run", text="Run", tooltip="Outline the spheroids")
        self.progress = ProgressBar(name="progress", value=0, max=1, visible=False)
        self.summary = text("summary")
        self.actions = ResultActions(self._current)

    def _connect(self) -> None:
        self.image.changed.connect(self._choose_image)
        self.model.changed.connect(self._choose_model)
        self.threshold.changed.connect(self._refresh)
        self.more.post_changed.connect(self._refresh)
        self.more.preset.changed.connect(self._choose_preset)
        self.focus.changed.connect(self._choose_focus)
        self.run.changed.connect(self._run_or_cancel)
        layers = self._viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.connect(self._refresh_choices)
        news.models_changed.connect(self.model.reset_choices)
        self.native.destroyed.connect(self._closed)

    # --- what can be chosen -------------------------------------------------------------------

    def _images(self, _: Any = None) -> list[tuple[str, Image]]:
        return [(layer.name, layer) for layer in images_of(self._viewer.layers)]

    def _refresh_choices(self) -> None:
        for layer in self._viewer.layers:
            if isinstance(layer, Image):
                layer.events.name.disconnect(self._refresh_choices)
                layer.events.name.connect(self._refresh_choices)
        self.image.reset_choices()
        self._forget_gone()

    def _forget_gone(self) -> None:
        busy = self._run.running or self._update.running  # layers may be on their way
        if not busy and self._shown.forget_gone():
            self._summarise_current()

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
        self._say_threshold()
        self._summarise_current()

    def _say_threshold(self) -> None:
        """Of a large image, the probability is not kept."""
        large = isinstance(self._current(), ShownLarge)
        self.threshold.tooltip = _THRESHOLD.format(but=_BUT if large else "")

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
            self.run.text, self.run.enabled = CANCELLING, False
            return
        try:
            job = self._new_job()
            title = models.info(job.model).title
        except SpherosegError as error:
            show_error(str(error))
            return
        self._update.pause_judging()
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
                hint="Open one, or try File ▸ Open Sample ▸ SpheroSeg.",
            )
        self._post_processing()  # what cannot be is said before a model is loaded
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
            shown.judged if indices and isinstance(shown, ShownResult) else None,
        )

    def _on_step(self, step: Any) -> None:
        if not isinstance(step, Step):
            self.summary.value = "Measuring"
            return
        self.progress.max, self.progress.value = step.total, step.done
        about = "about " if is_large(self._job.frames) else ""
        self.summary.value = f"Segmenting: {step.done} of {about}{step.total} tiles"

    def _on_result(self, result: Segmentation | LargeSegmentation) -> Iterator[None]:
        assert self._job is not None
        image = self._job.image
        if image not in self._viewer.layers:
            show_info(f"'{image.name}' was removed meanwhile; its result is shown all the same.")
        elif full_resolution(image) is not self._job.frames.data:
            show_warning(f"'{image.name}' changed meanwhile; the result is that of the old image.")
        if isinstance(result, LargeSegmentation):
            yield from self._shown.place(image, ShownLarge).show(result)
        else:
            shown = self._shown.place(image, ShownResult)
            shown.forget_focus(self._job.indices)
            yield from shown.show(result)
            if self.focus.value:
                self._update.judge(shown, self._job.where)
        self._summarise_current()
        for warning in result.warnings:
            show_warning(warning)
        if not len(result.table) and not result.warnings:
            show_info(
                "No objects were found: lower the threshold, or look at More settings "
                "(smallest area, working size)."
            )

    def _on_run_end(self) -> None:
        said = "Cancelled. " if self.run.text == CANCELLING else ""
        self.run.text, self.run.enabled = "Run", True
        self.progress.visible = False
        self._job = None
        self._forget_gone()
        self._say_threshold()
        self._summarise_current()
        self._refresh()  # settings may have moved while it ran
        self.summary.value = (said + self.summary.value).rstrip()
        self._update.resume_judging()

    # --- another threshold or post-processing, without inference ----------------------------------

    def _refresh(self) -> None:
        """Bring the result of the chosen image up to date with the settings."""
        shown = self._current()
        if shown is None or shown.segmentation is None or self._run.running or self._filling:
            return
        try:
            if isinstance(shown, ShownResult):
                self._update.refresh(shown)
        except SpherosegError as error:
            self.summary.value = str(error)
        else:
            self._summarise_current()

    def _post_processing(self) -> dict[str, Any]:
        return dict(self.more.post_processing(self.threshold.value))

    def _on_update(self, shown: ShownResult) -> None:
        if shown is self._current():
            self._summarise_current()

    def _on_edit(self, shown: ShownResult) -> None:
        self._update.measure(shown)

    def _choose_focus(self, wanted: bool) -> None:
        """Say at once how well what is shown is in focus, or no longer."""
        for shown in self._shown.in_memory():
            if wanted:
                self._update.judge(shown, where_of(self.more))
            else:
                self._update.forget_focus(shown)

    # --- what stands below Run ------------------------------------------------------------------

    def _summarise_current(self) -> None:
        shown = self._current()
        try:
            self.summary.value = sentence(shown, self.more.post_processing(self.threshold.value))
        except SpherosegError as error:
            self.summary.value = str(error)
        self.actions.enabled = shown is not None and shown.measured is not None

    def _current(self) -> ShownResult | ShownLarge | None:
        """The result of the chosen image."""
        return self._shown.get(self.image.value)

    def _leave(self, can_stay: bool) -> bool:
        """The dock was closed: nobody sees how far a run is, or can cancel it."""
        if not can_stay:
            self._run.cancel()
        return True

    def _closed(self) -> None:
        news.models_changed.disconnect(self.model.reset_choices)
        self._run.abandon()
        self._update.abandon()
        self.actions.saving.abandon()
