"""The part of the widget that teaches: classes, examples, how well they are told, saving."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Container, LineEdit, PushButton
from napari.utils.notifications import show_error, show_info
from psygnal import Signal
from qtpy.QtCore import QTimer
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QLabel, QMessageBox, QSizePolicy

from ... import models
from ...classification.check import Check
from ...classification.examples import TeachSettings
from ...classification.stock import Subject
from ...classification.teach import TaughtClassifier
from ...errors import BadSetting
from ..news import news
from ..offered import first_model
from ..parts import SHORT, row, section, text
from ..work import Work
from .jobs import CheckJob, Saved, SaveJob
from .report import as_html, headline
from .session import Outcome, Session
from .tuning import Tuning

_CHECK_AFTER = 700  # ms without another example
_METHODS = [("Random forest", "forest"), ("Logistic regression", "logistic")]


class Teaching(Container):
    """Buttons and fields to teach with.

    Attributes
    ----------
    add, remove, colour : PushButton
        For classes.
    clicks : CheckBox
        Whether a click on an object makes it an example of the chosen class.
    undo, uncertain : PushButton
        Take back the last example; go to the object that is told least surely.
    method, embedding : ComboBox
        How to learn, and whose network's view of the objects to learn from, too.
    accuracy : Label
    report : QLabel
        Confusion matrix and features.
    model_name : LineEdit
    save : PushButton
    tuning : Tuning
        Fine-tunes a network, once there are enough examples.
    learn_again : Signal
        How to learn was changed.
    """

    learn_again = Signal()

    def __init__(self) -> None:
        self._session: Session | None = None
        self._checked: Outcome | None = None
        self._saving: SaveJob | None = None
        self._taken = ""
        self._check = Work(lambda _: None, self._on_check, lambda: None)
        self._save = Work(lambda _: None, self._on_saved, self._on_save_end)
        self.add = PushButton(text="Add class")
        self.remove = PushButton(text="Remove", tooltip="The chosen class and its examples")
        self.colour = PushButton(text="Colour…", tooltip="Of the chosen class")
        self.clicks = CheckBox(
            text="Clicks give examples of the chosen class",
            value=True,
            tooltip="The key of a class gives it the object under the mouse, too",
        )
        self.undo = PushButton(text="Undo example", tooltip="Take back the last example")
        self.uncertain = PushButton(
            text="Next uncertain", tooltip="Go to the object whose class is least sure"
        )
        self.accuracy = text("accuracy")
        self.report = QLabel()
        # wide matrices are cut off rather than all else; wrapped text would hide its last line
        self.report.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.method = ComboBox(name="method", label="Learn by", choices=_METHODS)
        self.embedding = ComboBox(
            name="embedding",
            label="Learn from",
            choices=_embeddings,
            tooltip="Measured features tell what can be described; what a network sees of an "
            "object as well tells more, and is slower.",
        )
        self.embedding.native.setSizeAdjustPolicy(SHORT)
        self.embedding.native.setMinimumContentsLength(8)
        self.model_name = LineEdit(name="model_name", value="my_classes")
        self.save = PushButton(
            text="Save as model", tooltip="To run on other images, here and in a batch"
        )
        self.tuning = Tuning(lambda: self.model_name.value.strip(), self._to_tune, self._replace)
        how = Container(widgets=[self.method, self.embedding], labels=True)
        how.margins = (0, 0, 0, 0)
        super().__init__(
            widgets=[
                self.clicks,
                row(self.add, self.remove, self.colour),
                row(self.undo, self.uncertain),
                self.accuracy,
                self.tuning,
                row(self.model_name, self.save),
            ],
            labels=False,
        )
        self.margins = (0, 0, 0, 0)
        self.details = section("Confusion matrix, features, method")
        self.details.setDuration(0)
        self.details.addWidget(self.report)
        self.details.addWidget(how.native)
        self.native.layout().insertWidget(4, self.details)
        self._timer = QTimer(self.native)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_CHECK_AFTER)
        self._timer.timeout.connect(self._start_check)
        self.method.changed.connect(self.learn_again.emit)
        self.embedding.changed.connect(self.learn_again.emit)
        self.save.changed.connect(self.save_model)
        news.models_changed.connect(self.embedding.reset_choices)

    @property
    def settings(self) -> TeachSettings:
        """How to learn."""
        return TeachSettings(method=self.method.value, embedding=self.embedding.value or None)

    def show_session(self, session: Session | None, subject: Subject | None = None) -> None:
        """Show how far a session is; its classes are cross-validated when nobody clicks."""
        self._session = session
        self.tuning.show_session(subject, session)
        examples = {} if session is None else session.present
        outcome = None if session is None else session.outcome
        taught = None if outcome is None else outcome.taught
        for each in (self.undo, self.uncertain, self.save):
            each.enabled = bool(examples)
        if taught is None:
            self._timer.stop()
            self._say(Check(reason=_what_to_do(session)))
        elif outcome is not self._checked:
            self.accuracy.value = "Measuring how well classes are told…"
            self._timer.start()

    # --- cross-validation -----------------------------------------------------------------------

    def _new_check(self) -> CheckJob:
        session = self._session
        outcome = None if session is None else session.outcome
        if session is None or outcome is None or outcome.taught is None:
            raise BadSetting(
                "Nothing was learnt yet", hint="Give examples of two classes at least."
            )
        classes = tuple(session.lesson.classes)
        return CheckJob(outcome.stock, session.present, classes, self.settings)

    def _start_check(self) -> None:
        if self._check.running:
            self._timer.start()
        elif self._session is not None and self._session.outcome is not None:
            self._checked = self._session.outcome
            self._check.start(self._new_check().steps)

    def _on_check(self, taught: TaughtClassifier) -> Iterator[None]:
        if self._session is not None and self._session.outcome is self._checked:
            self._say(taught.check)
        yield

    def _say(self, check: Check) -> None:
        self.accuracy.value = headline(check)
        self.report.setText(as_html(check))
        self.report.setVisible(bool(self.report.text()))

    # --- saving ---------------------------------------------------------------------------------

    def save_model(self) -> None:
        """Save as a model of the name in ``model_name``; ask before another is overwritten."""
        if self._save.running:
            return
        try:
            self._saving = SaveJob(self._new_check(), self.model_name.value.strip())
        except BadSetting as error:
            show_error(str(error))
        else:
            self._start_save()

    def ask(self, title: str, question: str) -> bool:
        """Whether the user wants that."""
        yes = QMessageBox.StandardButton.Yes
        return QMessageBox.question(self.native, title, question) == yes

    def _replace(self, title: str, question: str) -> bool:
        return self.ask(title, question)  # tests, and scripts, answer otherwise

    def _to_tune(self) -> str | None:
        """The network that is learnt from, or the default one."""
        names = [name for _, name in _embeddings() if name]
        first = first_model("classification")
        return self.embedding.value or (first if first in names else next(iter(names), None))

    def _start_save(self) -> None:
        assert self._saving is not None
        self.save.enabled = False
        self._save.start(self._saving.steps, title="Saving the model")

    def _on_saved(self, saved: Saved) -> Iterator[None]:
        self._taken = saved.taken
        if saved.metadata is not None:
            news.models_changed.emit()
            name = saved.metadata.name
            show_info(f"Saved as model '{name}': choose it as Model, here or in a batch.")
        yield

    def _on_save_end(self) -> None:
        self.save.enabled = True
        question, self._taken = self._taken, ""
        if question and self.ask("Save as model", f"{question}. Replace it?"):
            assert self._saving is not None
            self._saving = self._saving.over()
            self._start_save()

    def ask_colour(self, before: str) -> str:
        """Another colour; the same where the user wants none."""
        colour = QColorDialog.getColor(QColor(before), self.native, "Colour of the class")
        return str(colour.name()) if colour.isValid() else before

    def abandon(self) -> None:
        """Stop, and listen no more."""
        news.models_changed.disconnect(self.embedding.reset_choices)
        self._check.abandon()
        self._save.abandon()
        self.tuning.abandon()


def _embeddings(_: Any = None) -> list[tuple[str, str]]:
    seeing = [
        each
        for each in models.available()
        if each.task == "classification" and each.network == "flexresnet"
    ]
    return [
        ("Measured features", ""),
        *((f"Features + {each.title}", each.name) for each in seeing),
    ]


def _what_to_do(session: Session | None) -> str:
    if session is None:
        return "Choose labels to teach on"
    given = {name for name, count in session.lesson.counts.items() if count}
    if not given:
        return "Choose a class, then click objects that belong to it"
    if len(given) == 1:
        return f"Now click objects that are not '{next(iter(given))}', with another class chosen"
    return "Learning…"
