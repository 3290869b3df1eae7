"""What restoring did to the slice on screen: swipe, and measures before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from magicgui.widgets import Container, Slider
from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QTimer

from ...errors import SpherosegError
from ...inference.frames import Index
from ...restoration.result import Restoration
from ...segmentation.difference import Difference
from ..parts import text
from ..source import current_frame
from ..work import Work
from .jobs import Measures, measure_steps
from .reference import ReferenceChoice
from .shown import ShownRestoration
from .swipe import Swipe
from .table import MeasureTable

_MEASURE_AFTER = 250  # ms without another slice


class WhatChanged(Container):
    """Compares a restored image with what it was.

    Parameters
    ----------
    viewer : ViewerModel
    left : Swipe
        Shows the left part of a restored image.
    images : callable
        Gives the image layers that can be a reference.
    difference : callable
        Gives what segmenting a slice before and after gave, or None.

    Attributes
    ----------
    swipe : Slider
        Per cent of the width that shows the restored image; the rest shows the original.
    reference : ReferenceChoice
    table : MeasureTable
    note : Label
        Why something cannot be said.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        left: Swipe,
        images: Callable[[], list[Image]],
        difference: Callable[[Index | None], Difference | None],
    ) -> None:
        self._viewer, self._left, self._difference = viewer, left, difference
        self._shown: ShownRestoration | None = None
        self._axis = ""
        self._key: tuple[Restoration, Index] | None = None  # what is measured
        self._measures = Measures()
        self._work = Work(lambda _: None, self._on_measured, self._on_end)
        self._again = False
        self.swipe = Slider(
            name="swipe",
            label="After | before",
            value=100,
            min=0,
            max=100,
            tooltip="Restored image left of the line, the original right of it. Move it to the "
            "left to see what changed.",
        )
        self.reference = ReferenceChoice(viewer, images)
        self.table, self.note = MeasureTable(), text("note")
        self.form = Container(widgets=[self.swipe, self.reference], labels=True)
        super().__init__(widgets=[self.form, self.note], labels=False)
        for each in (self, self.form):
            each.margins = (0, 0, 0, 0)
        self.native.layout().insertWidget(1, self.table)
        self._timer = QTimer(self.native)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_MEASURE_AFTER)
        self._timer.timeout.connect(self._measure)
        self.swipe.changed.connect(self._draw_line)
        self.reference.changed.connect(self._measure)

    @property
    def index(self) -> Index | None:
        """The slice on screen, where it was restored."""
        shown = self._shown
        if shown is None or shown.restoration is None or shown.layer is None:
            return None
        index = current_frame(shown.image, shown.restoration.frames, self._viewer)
        return index if index in shown.restoration.planes else None

    @property
    def busy(self) -> bool:
        """Whether measures are about to come."""
        return self._work.running or self._timer.isActive()

    def show(self, shown: ShownRestoration | None, axis: str) -> None:
        """Compare an image with its restoration.

        Parameters
        ----------
        shown : ShownRestoration or None
        axis : str
            Letter of the axis that goes through depth; empty where there is none.
        """
        if shown is not self._shown:
            self._left.end()
            self.swipe.value = 100
        self._shown, self._axis, self._key = shown, axis, None
        self.reference.offer(has_depth=bool(axis))
        self.follow()

    def follow(self) -> None:
        """Another slice is on screen, or layers came or went."""
        index = self.index
        self.enabled = index is not None
        if self._left.gone:  # the user removed it
            self.swipe.value = 100
        key = None if index is None else (self._shown.restoration, index)
        if key != self._key or key is None:
            self._key = key
            self._draw_line()
            self._measures = Measures()
            self.write()
            self._timer.start()

    def write(self) -> None:
        """Bring the table up to date with what is known."""
        difference = self._difference(self.index)
        self.table.show_rows(self._measures.rows, difference)
        self.table.setVisible(self.table.rowCount() > 0)
        self.note.value = self._measures.note
        self.note.visible = bool(self._measures.note)

    def end(self) -> None:
        """The widget is closed: layers become what they were without the swipe."""
        self._work.abandon()
        self._left.end()

    def _draw_line(self) -> None:
        self._left.show(self._shown, self.swipe.value, here=self.index is not None)

    # --- measures -------------------------------------------------------------------------------

    def _measure(self) -> None:
        """In a worker; a slice that comes on screen meanwhile has its turn after it."""
        index = self.index
        if index is None:
            return
        if self._work.running:
            self._again = True
            return
        restoration = self._shown.restoration
        try:
            reference = self.reference.reader(restoration.frames, index, self._axis)
        except SpherosegError as error:
            self._measures = Measures(note=str(error))
            self.write()
            return
        self._work.start(lambda: measure_steps(restoration, index, reference))

    def _on_measured(self, measures: Measures) -> Iterator[None]:
        if not self._again:
            self._measures = measures
            self.write()
        yield

    def _on_end(self) -> None:
        if self._again:
            self._again = False
            self._measure()
