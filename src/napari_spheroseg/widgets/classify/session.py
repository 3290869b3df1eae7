"""What is known of one Labels layer: its objects, their classes, and the examples given."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...classification.examples import ObjectClass, rows_of
from ...classification.lesson import Lesson, Place
from ...classification.matching import kept, still_there
from ...classification.stock import SIDES, Box, Stock
from ...classification.teach import TaughtClassifier

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Outcome:
    """Classes of objects, and the objects that they were given to.

    Attributes
    ----------
    table : DataFrame
        As `Classification.table` has it.
    classes : tuple of ObjectClass
    stock : Stock
        Objects as they were classified.
    recipe : dict
        How it was made.
    warnings : tuple of str
    taught : TaughtClassifier or None
        What told them, where it was taught here.
    """

    table: pd.DataFrame
    classes: tuple[ObjectClass, ...]
    stock: Stock
    recipe: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    taught: TaughtClassifier | None = None


class Session:
    """State of one Labels layer.

    Attributes
    ----------
    lesson : Lesson
    stock : Stock or None
        Objects as they are now, as far as was looked.
    outcome : Outcome or None
        The last result.
    table : DataFrame or None
        That result for the objects that are there now.
    """

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self.stock: Stock | None = None
        self.outcome: Outcome | None = None
        self.table: pd.DataFrame | None = None
        self._boxes: dict[Place, Box | None] = {}
        self._axes: str | None = None

    def take(self, outcome: Outcome) -> None:
        """A new result."""
        self.outcome, self.stock = outcome, outcome.stock
        self._match()

    def look(self, stock: Stock) -> bool:
        """The labels as they are now; whether they are others than before."""
        changed = stock is not self.stock
        self.stock = stock
        if changed:
            self._match()
        return changed

    def rename(self, old: str, new: str) -> None:
        """Call a class of the result otherwise, until it is made again."""
        if self.outcome is None:
            return
        table = self.outcome.table.rename(columns={f"probability_{old}": f"probability_{new}"})
        table["class"] = table["class"].replace({old: new})
        self.outcome = replace(self.outcome, table=table)
        self._match()

    @property
    def boxes(self) -> dict[Place, Box | None]:
        """Objects that are examples, and where they were when they became one."""
        return {place: self._boxes.get(place) for place in self.lesson.examples}

    @property
    def present(self) -> dict[Place, str]:
        """Examples whose object is there now."""
        examples = self.lesson.examples
        if self.stock is None:
            return dict(examples)
        there = still_there(self.boxes, self.stock)
        return {place: name for place, name in examples.items() if place in there}

    def shown(self, teaching: bool) -> pd.DataFrame | None:
        """What the user sees: while teaching, an example has the class that it was given."""
        if not teaching or self.stock is None:
            return self.table
        table = self.table
        if table is None:
            table = self.stock.objects.drop(columns=list(SIDES)).assign(**{"class": None})
        names = [each.name for each in self.lesson.classes]
        known = table["class"].isin(names)  # others were a model's, or are removed
        table = table.assign(**{"class": table["class"].astype(object).where(known, None)})
        present = self.present
        at = list(table.columns).index("class")
        table.iloc[rows_of(table, present), at] = list(present.values())
        return table

    def begin(self, axes: str) -> None:
        """Forget what was found where frames were counted along other axes."""
        if axes != self._axes:
            self._axes = axes
            self.forget()

    def forget(self) -> None:
        """No result, and nothing known of the objects."""
        self.stock = self.outcome = self.table = None

    def begin_with_result(self) -> None:
        """Teach the classes that a model told, to correct it."""
        if self.outcome is not None and self.outcome.taught is None:
            self.lesson.classes = list(self.outcome.classes)

    def unlearn_without_examples(self) -> None:
        """No result of examples that were taken back until one class, or none, was left."""
        taught = self.outcome is not None and self.outcome.taught is not None
        if taught and len(set(self.present.values())) < 2:
            self.outcome = self.table = None

    def give(self, place: Place, name: str) -> None:
        """An object as an example; see `Lesson.give`."""
        self.lesson.give(place, name)
        if self.stock is not None:
            self._boxes[place] = self.stock.box(place)

    def _match(self) -> None:
        if self.stock is not None:
            for place, box in self.boxes.items():
                self._boxes[place] = self.stock.box(place) if box is None else box
        if self.outcome is None or self.stock is None:
            self.table = None
        else:
            was, now = self.outcome.stock.objects, self.stock.objects
            self.table = kept(self.outcome.table, was, now)
