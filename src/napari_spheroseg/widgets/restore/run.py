"""Run, which becomes Cancel, and the one thing that is at work at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

from magicgui.widgets import Container, ProgressBar, PushButton
from napari.utils.notifications import show_error
from psygnal import Signal

from ...errors import SpherosegError
from ...steps import Step
from ..parts import text
from ..work import Work

_RUN, _CANCEL = "Run", "Cancel"


class Runner(Container):
    """A button, a bar and a line of text.

    Attributes
    ----------
    run : PushButton
        Becomes Cancel while anything is at work.
    progress : ProgressBar
    summary : Label
    turned : Signal
        Work began or ended.
    """

    turned = Signal()

    def __init__(self) -> None:
        self._work = Work(self._on_step, lambda result: self._finish(result), self._on_end)
        self._finish: Callable[[Any], Iterator[None]]
        self._doing = ""
        self.run = PushButton(name="run", text=_RUN, tooltip="Restore the focus")
        self.progress = ProgressBar(name="progress", value=0, max=1, visible=False)
        self.summary = text("summary")
        super().__init__(widgets=[self.run, self.progress, self.summary], labels=False)
        self.margins = (0, 0, 0, 0)

    @property
    def running(self) -> bool:
        """Whether something is at work."""
        return self._work.running

    def start(
        self,
        doing: str,
        steps: Callable[[], Generator[Any, None, Any]],
        finish: Callable[[Any], Iterator[None]],
    ) -> None:
        """Begin to work.

        Parameters
        ----------
        doing : str
            What to call it, such as "Restoring plate".
        steps : callable
            Gives the generator for the worker's thread.
        finish : callable
            Gets what the generator returns, as in `Work`.
        """
        self._finish, self._doing = finish, doing
        self.run.text = _CANCEL
        self.progress.visible, self.progress.max, self.progress.value = True, 0, 0
        self.say(f"{doing}…")
        self._work.start(steps, title=doing)
        self.turned.emit()

    def say(self, what: str) -> None:
        """Put a text below the button; without one there is no gap."""
        self.summary.value = what
        self.summary.visible = bool(what)

    def cancel(self) -> None:
        """Stop at the next step."""
        self._work.cancel()
        self.run.text, self.run.enabled = "Cancelling…", False

    def abandon(self) -> None:
        """Stop at the next step, and tell nobody."""
        self._work.abandon()

    def _on_step(self, step: Any) -> None:
        if isinstance(step, Step):
            self.progress.max, self.progress.value = step.total, step.done
            self.summary.value = f"{self._doing}: {step.done} of {step.total}"

    def _on_end(self) -> None:
        self.run.text, self.run.enabled = _RUN, True
        self.progress.visible = False
        self.turned.emit()


def told(action: Callable[[], None], _: Any = None) -> None:
    """Do it; what cannot be done becomes a notification."""
    try:
        action()
    except SpherosegError as error:
        show_error(str(error))
