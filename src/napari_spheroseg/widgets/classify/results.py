"""What was found, in the viewer: colours, counts, tables."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, Container
from napari.components import ViewerModel
from napari.layers import Labels
from psygnal import Signal

from ...classification.colours import class_colours
from ...classification.examples import ObjectClass, place_columns
from ...classification.lesson import Place
from .class_table import ClassTable
from .colours import LayerColours
from .looking import draw_box, look_at
from .object_table import ObjectTable
from .pair import Pair
from .session import Session

if TYPE_CHECKING:
    import pandas as pd


class Results(Container):
    """Tables of classes and objects, and how the labels are coloured.

    Parameters
    ----------
    viewer : ViewerModel

    Attributes
    ----------
    classes : ClassTable
    objects : ObjectTable
    only, colours : CheckBox
    looked : Signal(object)
        The user chose an object in the table; its place.
    """

    looked = Signal(object)

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._pair: Pair | None = None
        self._session: Session | None = None
        self._teaching = False
        self._table: pd.DataFrame | None = None
        self._coloured: dict[Labels, LayerColours] = {}
        self.classes, self.objects = ClassTable(), ObjectTable()
        self.only = CheckBox(
            text="Only the chosen class", tooltip="Hide objects of other classes; none is lost"
        )
        self.colours = CheckBox(
            text="Colours by class",
            value=True,
            tooltip="The surer the class, the more opaque; off: the colours of the labels",
        )
        super().__init__(widgets=[self.colours, self.only], layout="horizontal", labels=False)
        self.margins = (0, 0, 0, 0)
        self.colours.changed.connect(self.show_frame)
        self.only.changed.connect(self._filter)
        self.classes.chosen.connect(self._on_class)
        self.objects.chosen.connect(self._on_object)

    # --- showing --------------------------------------------------------------------------------

    def show_results(self, pair: Pair | None, session: Session | None, teaching: bool) -> None:
        """Show what is known of a pair of layers."""
        if self._pair is not None and (pair is None or pair.labels is not self._pair.labels):
            draw_box(self._pair.labels, None)
            self.objects.selected = None
        self._pair, self._session, self._teaching = pair, session, teaching
        self._table = None if session is None else session.shown(teaching)
        if self._table is not None and "class" not in self._table:
            self._table = None
        self.only.enabled = self._table is not None
        for layer in [each for each in self._coloured if each not in self._viewer.layers]:
            del self._coloured[layer]
        self.show_frame()
        self._filter(recolour=False)

    def show_frame(self) -> None:
        """Colours and counts of the slice on screen."""
        pair, table, session = self._pair, self._table, self._session
        classes, examples = self.known, None
        if self._teaching and session is not None:
            examples = session.lesson.counts
        here = objects = None
        if pair is not None and table is not None:
            objects = _counted(table)
            frame = self._of_frame(table)
            here = _counted(frame) if pair.leading else None
            self._colour(pair, frame, classes)
        elif pair is not None and pair.labels in self._coloured:
            self._coloured[pair.labels].restore()
        self.classes.show_classes(classes, examples, here, objects)
        self._draw_box()

    def select(self, place: Place | None, *, move: bool) -> None:
        """Select an object in table and layer; bring it into view if asked for."""
        self.objects.selected = place
        pair, session = self._pair, self._session
        if place is None or pair is None or session is None or session.stock is None:
            return
        box = session.stock.box(place)
        if box is None:  # it is gone since
            return
        if pair.labels.mode in ("pan_zoom", "pick"):
            pair.labels.selected_label = place[1]
        if move:
            look_at(pair, place, box, self._viewer)
        self._draw_box()

    @property
    def summary(self) -> str:
        """Objects by class, of all slices."""
        if self._table is None:
            return ""
        counts = _counted(self._table)
        told = [f"{counts[e.name]} {e.name}" for e in self.known if counts[e.name]]
        told = [*told[:6], "…"] if len(told) > 7 else told
        unknown = len(self._table) - counts.total()
        if unknown:
            told.append(f"{unknown} without a class")
        many = "1 object" if len(self._table) == 1 else f"{len(self._table)} objects"
        return f"{many}: {', '.join(told)}" if told else many

    @property
    def pair(self) -> Pair | None:
        """The layers that are shown."""
        return self._pair

    @property
    def table(self) -> pd.DataFrame | None:
        """Objects and their classes, as they are shown."""
        return self._table

    @property
    def known(self) -> tuple[ObjectClass, ...]:
        """Classes, in the order of the table."""
        if self._session is None:
            return ()
        if self._teaching:
            return tuple(self._session.lesson.classes)
        return () if self._session.outcome is None else self._session.outcome.classes

    def _of_frame(self, table: pd.DataFrame) -> pd.DataFrame:
        assert self._pair is not None
        for name, at in zip(place_columns(table), self._pair.frame(self._viewer), strict=True):
            table = table[table[name] == at]
        return table

    def _colour(self, pair: Pair, frame: pd.DataFrame, classes: tuple[ObjectClass, ...]) -> None:
        if pair.labels not in self._viewer.layers:
            return
        colours = self._coloured.setdefault(pair.labels, LayerColours(pair.labels))
        if not self.colours.value:
            colours.restore()
            return
        sure = set()
        if self._teaching and self._session is not None:
            at = pair.frame(self._viewer)
            sure = {label for index, label in self._session.lesson.examples if index == at}
        colours.show(class_colours(frame, classes, sure=sure, only=self._only()))

    def _only(self) -> str | None:
        return (self.classes.selected or None) if self.only.value else None

    def _draw_box(self) -> None:
        pair, session, place = self._pair, self._session, self.objects.selected
        if pair is None or pair.labels not in self._viewer.layers:
            return
        box = None
        stock = None if session is None else session.stock
        flat = set(self._viewer.dims.displayed) == {self._viewer.dims.ndim - 2 + i for i in (0, 1)}
        if stock is not None and place is not None and flat:
            box = stock.box(place) if place[0] == pair.frame(self._viewer) else None
        draw_box(pair.labels, box)

    def _filter(self, *_: Any, recolour: bool = True) -> None:
        table = self._table
        if table is not None and (only := self._only()):
            table = table[table["class"] == only]
        examples = self._session.lesson.examples if self._teaching and self._session else {}
        self.objects.objects.show_objects(table, self.known, examples)
        if recolour:
            self.show_frame()

    # --- choosing -------------------------------------------------------------------------------

    def _on_class(self) -> None:
        if self.only.value:
            self._filter()

    def _on_object(self, place: Place) -> None:
        self.select(place, move=True)
        self.looked.emit(place)

    def abandon(self) -> None:
        """Leave the layers as they were."""
        for layer, colours in self._coloured.items():
            if layer in self._viewer.layers:
                draw_box(layer, None)
                colours.restore()


def _counted(table: pd.DataFrame) -> Counter[str]:
    return Counter(table["class"].dropna())
