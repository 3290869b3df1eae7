"""Clicks and keys become examples, edits and examples become classes: the flow of teaching."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer

from ...classification.lesson import Place
from ...classification.stock import Stock
from ...classification.teach import most_uncertain
from ...errors import SpherosegError
from ..work import Work
from .canvas import CanvasInput
from .jobs import LookJob, TeachJob
from .pair import Pair
from .session import Outcome, Session

if TYPE_CHECKING:
    from .widget import ClassifyWidget

_LOOK_AFTER = 400  # ms without another stroke of the brush


class TeachControl:
    """Keeps classes up to date with examples and labels.

    Parameters
    ----------
    widget : ClassifyWidget
        Its tables and buttons are listened to.

    Attributes
    ----------
    work : Work
        What looks at labels and learns, in a thread.
    """

    def __init__(self, widget: ClassifyWidget) -> None:
        self._widget = widget
        self._results, self._panel = widget.results, widget.teaching
        self._classes = widget.results.classes
        self._session: Session | None = None  # that is worked on
        self._again: str = ""  # what to do when that is done
        self._visited: set[Place] = set()
        self._pair: Pair | None = None
        self._canvas = CanvasInput(widget._viewer, lambda: self._pair)
        self.work = Work(self._on_step, self._on_result, self._on_end)
        self._timer = QTimer(widget.teaching.native)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_LOOK_AFTER)
        self._timer.timeout.connect(self._look)
        self._connect()

    def _connect(self) -> None:
        panel = self._panel
        self._canvas.clicked.connect(self._on_click)
        self._canvas.pressed.connect(self._on_key)
        self._classes.edited.connect(self._change)
        self._results.looked.connect(self._canvas.aim)
        panel.add.changed.connect(self._add)
        panel.remove.changed.connect(self._remove)
        panel.colour.changed.connect(self._recolour)
        panel.undo.changed.connect(self._take_back)
        panel.uncertain.changed.connect(self._go_to_uncertain)
        panel.learn_again.connect(self.learn)

    def bind(self, pair: Pair | None) -> None:
        """Listen to clicks on these labels, and while teaching to the keys of the classes."""
        self._pair = pair
        session = self._widget.session()
        if pair is None or session is None or not self._widget.choice.is_teaching:
            self._canvas.bind(None)
        else:
            keys = [each.key for each in session.lesson.classes if each.key]
            self._canvas.bind(pair.labels, keys)

    def abandon(self) -> None:
        """Stop, and listen no more."""
        self._canvas.close()
        self.work.abandon()

    # --- classes --------------------------------------------------------------------------------

    def _add(self) -> None:
        if (session := self._widget.session()) is not None:
            added = session.lesson.add()
            self._widget.show_all()
            self._classes.selected = added.name

    def _remove(self) -> None:
        session, name = self._widget.session(), self._classes.selected
        if session is not None and name:
            session.lesson.remove(name)
            self.learn()

    def _recolour(self) -> None:
        session, name = self._widget.session(), self._classes.selected
        if session is not None and name:
            before = session.lesson.named(name).colour
            self._change(name, "colour", self._panel.ask_colour(before))

    def _change(self, name: str, field: str, value: str) -> None:
        """Name, key or colour of a class."""
        session = self._widget.session()
        if session is None or getattr(session.lesson.named(name), field) == value:
            return
        try:
            changed = session.lesson.change(name, **{field: value})
        except SpherosegError as error:
            show_error(str(error))
            self._widget.show_all()  # as it was
            return
        if field == "name":
            session.rename(name, changed.name)
        self._widget.show_all()
        if field == "name":
            self._classes.selected = changed.name
            self.learn()

    # --- examples -------------------------------------------------------------------------------

    def give(self, place: Place, name: str) -> None:
        """Make an object an example of a class.

        Raises
        ------
        BadSetting
            There is no such class.
        """
        if (session := self._widget.session()) is not None:
            session.give(place, name)
            self.learn()

    def _on_click(self, place: Place) -> None:
        self._results.select(place, move=False)
        name = self._classes.selected
        if self._widget.choice.is_teaching and self._panel.clicks.value and name:
            self.give(place, name)

    def _on_key(self, key: str, place: Place) -> None:
        session = self._widget.session()
        names = [] if session is None else [e.name for e in session.lesson.classes if e.key == key]
        if names:
            self._classes.selected = names[0]
            self._results.select(place, move=False)
            self.give(place, names[0])

    def _take_back(self) -> None:
        session = self._widget.session()
        if session is not None and (place := session.lesson.take_back()) is not None:
            self._results.select(place, move=False)
            self.learn()

    def _go_to_uncertain(self) -> None:
        session = self._widget.session()
        if session is None or session.table is None:
            return
        left_out = {**session.present, **dict.fromkeys(self._visited, "")}
        found = most_uncertain(session.table, 1, known=left_out)
        if not found:
            self._visited.clear()
            found = most_uncertain(session.table, 1, known=session.present)
        if found:
            key = found[0]
            place = key if isinstance(key, tuple) else ((), key)
            self._visited.add(place)
            self._results.select(place, move=True)
            self._canvas.aim(place)

    # --- learning, and looking at labels that changed -------------------------------------------

    def learn(self) -> None:
        """Show the examples, and learn from them in a thread."""
        self._widget.show_all()
        session = self._widget.session() if self._widget.choice.is_teaching else None
        if session is not None and (session.lesson.examples or session.stock is not None):
            self._start("learn")

    def learn_anew(self) -> None:
        """Describe all objects again, for their image may be another, and learn."""
        if (session := self._widget.session()) is not None:
            session.stock = None
            self._start("learn")

    def look_soon(self, event: Any = None) -> None:
        """The labels, or their features, may have been changed by somebody."""
        self._timer.start()

    def _look(self) -> None:
        session = self._widget.session()
        if session is not None and session.stock is not None:
            self._start("look")

    def _start(self, what: str) -> None:
        if self.work.running or self._widget._run.running:
            self._again = what if self._again != "learn" else "learn"
            return
        session = self._widget.session()
        try:
            pair = self._widget.choice.pair()
        except SpherosegError as error:
            if what == "learn":
                show_error(str(error))
            return
        if session is None or pair is None:
            return
        self._session = session
        job: TeachJob | LookJob
        if self._widget.choice.is_teaching and (what == "learn" or session.lesson.examples):
            job = TeachJob(
                pair.subject,
                session.stock,
                dict(session.lesson.examples),
                session.boxes,
                tuple(session.lesson.classes),
                self._panel.settings,
                if_changed=what == "look",
            )
        elif session.stock is not None:
            job = LookJob(pair.subject, session.stock)
        else:
            return
        self.work.start(job.steps)

    def _on_step(self, step: Any) -> None:
        if step.total > 1:
            self._widget.summary.value = f"Looking at slice {step.done} of {step.total}"

    def _on_result(self, result: Outcome | Stock) -> Iterator[None]:
        session = self._session
        assert session is not None
        if isinstance(result, Outcome):
            session.take(result)
            self._visited.clear()
        else:
            session.look(result)
            session.unlearn_without_examples()
        yield
        self._widget.publish(session)
        yield

    def _on_end(self) -> None:
        self._session = None
        again, self._again = self._again, ""
        self._widget.show_all()
        if again:
            self._start(again)
