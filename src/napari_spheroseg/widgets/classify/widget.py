"""The widget ``Classify objects``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import napari.viewer
from magicgui.widgets import Container, ProgressBar, PushButton
from napari.layers import Labels
from napari.utils.notifications import show_error, show_warning

from ...classification.examples import object_classes
from ...classification.lesson import Lesson
from ...errors import SpherosegError
from ..parts import text
from ..preferences import preferences
from ..work import Work
from .choice import Choice
from .deeds import Deeds
from .jobs import RunJob
from .panes import Panes
from .publish import publish
from .results import Results
from .session import Outcome, Session
from .teach import TeachControl
from .teaching import Teaching

_LEAST_WIDTH = 380  # px
_SLICES = ("current_step", "order", "ndisplay")  # events after which another slice is on screen


class ClassifyWidget(Container):
    """Tell the classes of labelled objects, by a model or by examples.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are offered; results become features and colours of the Labels layer.

    Notes
    -----
    Children that scripts can set: ``image`` (None: shapes alone), ``labels``, ``model`` (a name,
    or ``choice.TEACH``; ``choice.offer`` adds one of a file), ``run`` (becomes Cancel while it
    runs), ``progress``. ``results`` holds the tables (``results.classes.selected``,
    ``results.objects.selected``), ``deeds`` the buttons below them, ``teaching`` what is used to
    teach.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        # napari hands plugins a proxy whose layers are proxies too; ours are compared by identity
        self._viewer = getattr(viewer, "__wrapped__", viewer)
        self._sessions: dict[Labels, Session] = {}
        self._heard: Labels | None = None  # whose events are listened to
        self._running: Session | None = None
        self._run = Work(self._on_step, self._on_result, self._on_end)
        self._is_built = False
        self.choice = Choice(self._viewer)
        self.image, self.model = self.choice.image, self.choice.model
        self.run = PushButton(name="run", text="Run", tooltip="Tell the classes of all objects")
        self.progress = ProgressBar(name="progress", value=0, max=1, visible=False)
        self.summary = text("summary")
        self.results = Results(self._viewer)
        self.deeds = Deeds(self._viewer, self.results)
        self.teaching = Teaching()
        self.teach = TeachControl(self)
        self._update = self.teach.work
        parts = [self.choice, self.run, self.progress, self.summary, self.teaching]
        self._top = top = Container(widgets=parts, labels=False)
        super().__init__(widgets=[self.results, self.deeds], labels=False)
        top.native.layout().insertWidget(4, self.results.classes)
        top.native.layout().addStretch()
        self.native.layout().insertWidget(0, Panes(top.native, self.results.objects))
        self.native.setMinimumWidth(_LEAST_WIDTH)
        self._is_built = True
        self._connect()
        self._choose_labels()

    @property
    def labels(self) -> Any:
        """The box that says which labels; while it is built, magicgui asks for its own `labels`."""
        return self.choice.labels_layer if self._is_built else False

    def _connect(self) -> None:
        self.choice.labels_chosen.connect(self._choose_labels)
        self.choice.image_chosen.connect(self._choose_image)
        self.model.changed.connect(self._choose_model)
        self.teaching.tuning.tuned.connect(self._choose_tuned)
        self.run.changed.connect(self._run_or_cancel)
        self._viewer.layers.events.removed.connect(self._forget_layers)
        for name in _SLICES:
            getattr(self._viewer.dims.events, name).connect(self.results.show_frame)
        self.native.destroyed.connect(self._closed)

    # --- what is chosen -------------------------------------------------------------------------

    def _choose_labels(self) -> None:
        self._listen(self.labels.value)
        self.show_all()

    def _forget_layers(self) -> None:
        """Nothing is kept of layers that were removed, but what is being worked on."""
        for layer in [each for each in self._sessions if each not in self._viewer.layers]:
            if self._sessions[layer] is not self._running:
                del self._sessions[layer]

    def _choose_image(self) -> None:
        self.show_all()
        self.teach.learn()

    def _choose_model(self) -> None:
        session = self.session()
        if self.choice.is_teaching and session is not None and not session.lesson.examples:
            session.begin_with_result()
        self.show_all()

    def _choose_tuned(self, name: str) -> None:
        self.model.value = name

    def _listen(self, labels: Labels | None) -> None:
        """To edits of these labels, and no others."""
        if labels is self._heard:
            return
        for layer, connect in ((self._heard, False), (labels, True)):
            if layer is not None:
                for name in ("paint", "set_data", "data", "features"):
                    event = getattr(layer.events, name)
                    (event.connect if connect else event.disconnect)(self.teach.look_soon)
        self._heard = labels

    def session(self) -> Session | None:
        """What is known of the chosen labels; a new one has the classes of the last."""
        labels = self.labels.value
        if labels is None:
            return None
        if labels not in self._sessions:
            last = next(reversed(self._sessions.values()), None)
            classes = [] if last is None else last.lesson.classes
            self._sessions[labels] = Session(
                Lesson(classes or object_classes(["class 1", "class 2"]))
            )
        return self._sessions[labels]

    def show_all(self) -> None:
        """Show the state of what is chosen."""
        session, pair, problem = self.session(), None, ""
        try:
            pair = self.choice.pair()
        except SpherosegError as error:
            problem = str(error)
        if session is not None and pair is not None:
            session.begin(pair.subject.frames.leading_axes)
        self.results.show_results(pair, session, self.choice.is_teaching)
        self.teaching.visible = self.choice.is_teaching
        self.teaching.show_session(session, None if pair is None else pair.subject)
        self.teach.bind(pair)
        self.deeds.refresh()
        if not self._run.running:
            nothing_to_learn = self.choice.is_teaching and not (session and session.lesson.examples)
            self.run.enabled = not nothing_to_learn
            self.run.text = "Learn again" if self.choice.is_teaching else "Run"
            self.summary.value = problem or self.results.summary

    # --- a run ----------------------------------------------------------------------------------

    def _run_or_cancel(self) -> None:
        if self._run.running:
            self._run.cancel()
            self.run.text, self.run.enabled = "Cancelling…", False
            return
        try:
            pair = self.choice.pair()
            if pair is None:
                raise SpherosegError(
                    "There are no labels", hint="Segment an image first, or open its labels."
                )
            wanted = preferences()
            job = RunJob(
                pair.subject, self.model.value, wanted.device, wanted.threads, self.choice.allow
            )
        except SpherosegError as error:
            show_error(str(error))
            return
        if self.choice.is_teaching:
            self.teach.learn_anew()
            return
        self._running = self.session()
        self.run.text = "Cancel"
        self.progress.visible, self.progress.max, self.progress.value = True, 0, 0
        self.summary.value = "Classifying…"
        self._run.start(job.steps, title=f"Classifying {pair.labels.name}")

    def _on_step(self, step: Any) -> None:
        self.progress.max, self.progress.value = step.total, step.done

    def _on_result(self, outcome: Outcome) -> Iterator[None]:
        session = self._running
        assert session is not None
        session.take(outcome)
        for warning in outcome.warnings:
            show_warning(warning)
        yield
        self.publish(session)
        yield

    def publish(self, session: Session) -> None:
        """Write a session's classes into the features of its layer, if it is still there."""
        for layer, each in self._sessions.items():
            if each is session and layer in self._viewer.layers:
                publish(layer, session.shown(self.choice.is_teaching), session.outcome)

    def _on_end(self) -> None:
        self.progress.visible, self._running = False, None
        self._forget_layers()
        self.show_all()
        self.teach.look_soon()  # somebody may have painted while it ran

    def _closed(self) -> None:
        self._listen(None)
        self._viewer.layers.events.removed.disconnect(self._forget_layers)
        for name in _SLICES:
            getattr(self._viewer.dims.events, name).disconnect(self.results.show_frame)
        for each in (self.choice, self.teach, self.teaching, self.results, self.deeds, self._run):
            each.abandon()
