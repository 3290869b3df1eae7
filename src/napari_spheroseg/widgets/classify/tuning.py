"""Fine-tune a network on the examples, once there are enough of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from magicgui.widgets import Container, ProgressBar, PushButton
from napari.utils.notifications import show_info
from psygnal import Signal

from ... import models
from ...classification.examples import FEWEST
from ...classification.lesson import Place
from ...classification.stock import Subject
from ...errors import NameTaken
from ..news import news
from ..work import Work
from .jobs import Saved
from .session import Session

_START, _CANCEL = "Fine-tune network", "Cancel fine-tuning"


@dataclass(frozen=True, eq=False)
class TuneJob:
    """A network that goes on learning, and is installed.

    Attributes
    ----------
    subject : Subject
    base : str
        Name of the model that it begins from.
    examples : mapping
        Of objects that are there.
    name : str
        What the new model is called.
    overwrite : bool
    """

    subject: Subject
    base: str
    examples: Mapping[Place, str]
    name: str
    overwrite: bool = False

    def steps(self) -> Generator[Any, None, Saved]:
        """See that it can be installed, learn, install."""
        from ...classification.store import check_name
        from ...training.classification.fine_tune import fine_tune_steps, keep

        model = models.load(self.base)
        model.metadata.replace(name=self.name)  # what is no name is refused now, not minutes later
        try:
            check_name(self.name, replace=self.overwrite)
            subject = self.subject
            tuned = yield from fine_tune_steps(model, subject.frames, subject.labels, self.examples)
            return Saved(keep(tuned, self.name, title=self.name, replace=self.overwrite))
        except NameTaken as error:
            return Saved(taken=error.message)


class Tuning(Container):
    """A button, which is there once there are enough examples, and a bar of progress.

    Parameters
    ----------
    name : callable
        Gives the name of the model to make.
    base : callable
        Gives the name of the model to begin from; None where there is none.
    ask : callable
        Asks the user a question, given a title and the question.

    Attributes
    ----------
    button : PushButton
        Becomes Cancel while a network learns.
    progress : ProgressBar
    tuned : Signal(str)
        A model of this name was made.
    """

    tuned = Signal(str)

    def __init__(
        self,
        name: Callable[[], str],
        base: Callable[[], str | None],
        ask: Callable[[str, str], bool],
    ) -> None:
        self._name, self._base, self._ask = name, base, ask
        self._subject: Subject | None = None
        self._examples: dict[Place, str] = {}
        self._job: TuneJob | None = None
        self._taken = ""
        self._work = Work(self._on_step, self._on_result, self._on_end)
        self.button = PushButton(text=_START)
        self.progress = ProgressBar(value=0, max=1, visible=False)
        super().__init__(widgets=[self.button, self.progress], labels=False)
        self.margins = (0, 0, 0, 0)
        self.button.changed.connect(self._start_or_cancel)

    @property
    def running(self) -> bool:
        """Whether a network learns."""
        return self._work.running

    def show_session(self, subject: Subject | None, session: Session | None) -> None:
        """Offer it where there are enough examples, and an image."""
        has_image = subject is not None and subject.has_image
        self._subject = subject if has_image else None
        self._examples = session.present if session is not None and has_image else {}
        counts = Counter(self._examples.values())
        is_enough = len(counts) > 1 and min(counts.values()) >= FEWEST
        base = self._base() if is_enough else None
        self.visible = base is not None or self.running
        if base is not None:
            self.button.tooltip = (
                f"Teach a copy of '{base}' your classes, by {counts.total()} examples; a quarter "
                "of them is kept to measure. It becomes a model, of the name below."
            )

    def abandon(self) -> None:
        """Stop."""
        self._work.abandon()

    def _start_or_cancel(self) -> None:
        if self.running:
            self._work.cancel()
            self.button.text, self.button.enabled = "Cancelling…", False
            return
        base = self._base()
        if self._subject is not None and base is not None:
            self._job = TuneJob(self._subject, base, dict(self._examples), self._name())
            self._start()

    def _start(self) -> None:
        assert self._job is not None
        self.button.text = _CANCEL
        self.progress.visible, self.progress.max, self.progress.value = True, 0, 0
        self._work.start(self._job.steps, title="Fine-tuning")

    def _on_step(self, step: Any) -> None:
        self.progress.max, self.progress.value = step.total, step.done

    def _on_result(self, saved: Saved) -> Iterator[None]:
        self._taken = saved.taken
        if saved.metadata is not None:
            news.models_changed.emit()
            yield
            name, said = saved.metadata.name, saved.metadata.metrics["examples"]
            show_info(
                f"Fine-tuned on {said['learnt_from']} objects; of {said['measured_on']} others "
                f"{said['accuracy']:.0%} were told right. It is the model '{name}'."
            )
            self.tuned.emit(name)
        yield

    def _on_end(self) -> None:
        self.button.text, self.button.enabled, self.progress.visible = _START, True, False
        question, self._taken = self._taken, ""
        if question and self._ask("Fine-tune network", f"{question}. Replace it?"):
            assert self._job is not None
            self._job = replace(self._job, overwrite=True)
            self._start()
