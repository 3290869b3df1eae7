"""The widget ``Restore focus``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import napari.viewer
from magicgui.widgets import Container, PushButton
from napari.layers import Image

from ...inference.frames import Frames, Index
from ...restoration.depth import Depth
from ...restoration.result import Restoration
from ...segmentation.difference import Difference
from ..closing import ClosingGuard
from ..image_layers import images_of
from ..news import news
from ..parts import align, widen
from ..preferences import preferences
from ..scroll import Scroll
from ..source import current_frame, pixel_size
from ..where import where_of
from . import jobs
from .changed import WhatChanged
from .choices import CURRENT, Choices
from .jobs import RestoreJob
from .results import Results
from .run import Runner, told
from .segmenting import WithSegmentation, run_segment_widget
from .shown import ShownRestoration

_LEAST_WIDTH = 340  # px; no number is cut off


class RestoreWidget(Container):
    """Make an image layer that is out of focus sharper, and see what that changed.

    Parameters
    ----------
    viewer : napari.Viewer
        Its image layers are offered, and results are added to it.

    Notes
    -----
    Children that scripts can set: ``image``, ``channel``, ``model``, ``frames``, ``more`` (scaling,
    tiles, axes, device and backend, by field name), ``run`` (becomes Cancel while it runs),
    ``progress``; ``depth``, ``sharpest`` and ``fused`` of a stack; ``focus_map``; ``swipe``,
    ``reference`` and ``table``; ``segmenter``, ``compare`` and ``then_segment``.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        # napari hands plugins a proxy whose layers are proxies too; ours are compared by identity
        self._viewer = getattr(viewer, "__wrapped__", viewer)
        self.results = Results(self._viewer)
        wanted = preferences()
        self._threads = wanted.threads
        self.choices, self.runner = Choices(self._images, wanted), Runner()
        self.segmenting = WithSegmentation(wanted.model)
        self.comparison = WhatChanged(
            self._viewer, self.results.swipe, self._images, self.segmenting.show
        )
        self._name_children()
        parts = [self.choices, self.runner, self.focus_map, self.comparison, self.segmenting]
        super().__init__(widgets=[Container(widgets=parts, labels=False)], labels=False)
        align(*self.choices.forms, self.comparison.form, self.segmenting.form)
        self[0].margins = (0, 0, 0, 0)
        self[0].native.layout().addStretch()
        self.native.layout().insertWidget(0, Scroll(self[0].native))
        widen(self, _LEAST_WIDTH)
        self._guard = ClosingGuard(self.native, self._leave)
        self._connect()
        self._refresh_choices()
        active = self._viewer.layers.selection.active
        if active in self.image.choices:
            self.image.value = active
        self._choose_image()

    def _name_children(self) -> None:
        """What scripts set, wherever on screen it stands."""
        choices, changed = self.choices, self.comparison
        self.image, self.channel, self.model = choices.image, choices.channel, choices.model
        self.frames, self.more = choices.frames, choices.more
        real = choices.real_focus
        self.depth, self.sharpest, self.fused = real.axis, real.sharpest, real.fused
        self.run, self.progress = self.runner.run, self.runner.progress
        self.summary = self.runner.summary
        self.focus_map = PushButton(
            name="focus_map",
            text="Focus map",
            tooltip="Show how well each part of the image is in focus: yellow is sharp",
        )
        self.swipe, self.reference, self.table = changed.swipe, changed.reference, changed.table
        self.segmenter, self.compare = self.segmenting.segmenter, self.segmenting.compare
        self.then_segment = self.segmenting.then_segment

    def _connect(self) -> None:
        self.image.changed.connect(self._choose_image)
        self.model.changed.connect(self._say)
        self.depth.changed.connect(self._compare_shown)
        for button, action in (
            (self.run, self._run_or_cancel),
            (self.sharpest, partial(self._find_plane, jobs.sharpest_steps)),
            (self.fused, partial(self._find_plane, jobs.fused_steps)),
            (self.focus_map, self._map_focus),
            (self.compare, self._compare_segmentation),
            (self.then_segment, self._then_segment),
        ):
            button.changed.connect(partial(told, action))
        self.runner.turned.connect(self._turn)
        self.segmenting.other.connect(self.comparison.write)
        layers = self._viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.connect(self._refresh_choices)
        self._viewer.dims.events.point.connect(self._follow)
        news.models_changed.connect(self._refresh_models)
        self.native.destroyed.connect(self._closed)

    # --- what can be chosen ---------------------------------------------------------------------

    def _images(self) -> list[Image]:
        """Image layers, but for those that only show something of another."""
        return images_of(self._viewer.layers)

    def _refresh_choices(self) -> None:
        for layer in self._viewer.layers:
            if isinstance(layer, Image):
                layer.events.name.disconnect(self._refresh_choices)
                layer.events.name.connect(self._refresh_choices)
        self.image.reset_choices()
        self.reference.reset_choices()
        self.results.forget_gone()
        self._follow()

    def _refresh_models(self) -> None:
        for each in (self.model, self.segmenter):
            each.reset_choices()
        self._say()

    def _choose_image(self) -> None:
        shown = self._current
        self.results.said = "" if shown is None else shown.sentence
        self.choices.show_image()
        self.segmenting.forget()
        self._compare_shown()
        self._say()

    def _compare_shown(self) -> None:
        self.comparison.show(self._current, self.depth.value or "")
        self._allow()

    @property
    def _current(self) -> ShownRestoration | None:
        """The restoration of the chosen image."""
        return self.results.shown.get(self.image.value)

    def _follow(self) -> None:
        """Another slice is on screen, or other layers."""
        self.comparison.follow()
        self._allow()

    def _allow(self) -> None:
        idle = not self.runner.running
        self.choices.real_focus.allow(idle)
        self.focus_map.enabled = self.then_segment.enabled = idle
        self.compare.enabled = idle and self.comparison.index is not None

    def _turn(self) -> None:
        """Work began or ended."""
        self._say()
        self._allow()

    def _say(self) -> None:
        """What stands below Run."""
        if not self.runner.running:
            self.runner.say(self.choices.problem or self.results.said)

    # --- work -----------------------------------------------------------------------------------

    def _run_or_cancel(self) -> None:
        if self.runner.running:
            self.runner.cancel()
            return
        frames, model, layer = self.choices.new_frames(), self.choices.restorer, self.image.value
        indices = self._indices(frames)
        shown = self._current
        settings = {**self.more.run_settings(), "pixel_size": pixel_size(layer)}
        where = (where_of(self.more), self._threads)
        previous = shown.restoration if indices and shown and shown.layer is not None else None
        job = RestoreJob(layer, frames, indices, model, *where, settings, previous)
        self.runner.start(f"Restoring {layer.name}", job.steps, partial(self._show_restored, job))

    def _find_plane(self, steps: Callable[[Image, Depth], Any]) -> None:
        frames, layer = self.choices.new_frames(), self.image.value
        depth = Depth(frames, self.depth.value, current_frame(layer, frames, self._viewer))
        doing, show = f"Looking through {layer.name}", self.results.show_plane
        self.runner.start(doing, partial(steps, layer, depth), show)

    def _map_focus(self) -> None:
        frames, layer = self.choices.new_frames(), self.image.value
        where = (self.more.device.value, self._threads)
        steps = partial(jobs.focus_steps, frames, self._indices(frames), *where)
        self.runner.start(f"Looking at {layer.name}", steps, partial(self.results.show_map, layer))

    def _compare_segmentation(self) -> None:
        index, shown = self.comparison.index, self._current
        where = (self.segmenter.value, self.more.device.value, self._threads)
        steps = partial(jobs.difference_steps, shown.restoration, index, *where)
        show = partial(self._show_difference, shown.restoration, index, self.segmenter.value)
        self.runner.start(f"Segmenting {shown.image.name} before and after", steps, show)

    def _then_segment(self) -> None:
        run_segment_widget(self._viewer, self.choices, self.segmenter.value)

    def _indices(self, frames: Frames) -> list[Index] | None:
        """The slice on screen, or None for all."""
        if not frames.leading_shape or self.frames.value != CURRENT:
            return None
        return [current_frame(self.image.value, frames, self._viewer)]

    def _show_restored(self, job: RestoreJob, result: Restoration) -> Iterator[None]:
        yield from self.results.show_restored(job, result)
        if job.image is self.image.value:
            self.segmenting.forget()
            self._compare_shown()

    def _show_difference(
        self, restoration: Restoration, index: Index, model: str, found: Difference
    ) -> Iterator[None]:
        shown = self._current
        if shown is not None and shown.restoration is restoration:
            self.segmenting.add(index, model, found)
        yield

    def _leave(self, can_stay: bool) -> bool:
        """The dock was closed; when the window is, all of this ends with it."""
        if not can_stay:
            self.swipe.value = 100
            if self.runner.running:
                self.runner.cancel()
        return True

    def _closed(self) -> None:
        news.models_changed.disconnect(self._refresh_models)
        self._viewer.dims.events.point.disconnect(self._follow)
        layers = self._viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.disconnect(self._refresh_choices)
        self.runner.abandon()
        self.comparison.end()
