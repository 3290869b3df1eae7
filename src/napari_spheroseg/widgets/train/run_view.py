"""One run, live: how far it is, its curves, and what it finds in a validation image."""

from __future__ import annotations

from magicgui.widgets import Container, ProgressBar

from ...errors import SpherosegError
from ...training.runs import Run, Status
from ..durations import about
from ..parts import text
from ..picture import Picture
from .curves import TrainingCurves

# the colours that training/watch.py draws with; importing it would import torch
_TRUTH, _FOUND = "rgb(60, 200, 255)", "rgb(255, 120, 80)"


class RunView(Container):
    """What is shown of the selected run.

    Attributes
    ----------
    curves : TrainingCurves
    picture : Picture
    """

    def __init__(self) -> None:
        self.text = text("text")
        self.progress = ProgressBar(name="progress", value=0, max=1)
        self.legend = text("legend")
        super().__init__(widgets=[self.text, self.progress, self.legend], labels=False)
        self.margins = (0, 0, 0, 0)
        self.curves, self.picture = TrainingCurves(), Picture()
        layout = self.native.layout()
        layout.insertWidget(2, self.curves)
        layout.insertWidget(3, self.picture)

    def show_run(self, run: Run | None, status: Status | None) -> None:
        """Show a run as its folder has it now; None for none."""
        self.visible = run is not None
        if run is None or status is None:
            return
        try:
            settings = run.settings
        except SpherosegError as error:
            self.text.value = str(error)
            return
        self.text.value = say(status, settings.epochs)
        done = status.steps if status.state == "finished" else status.step  # it may end early
        self.progress.max, self.progress.value = max(status.steps, 1), done
        self.curves.show_metrics(run.metrics, settings.epochs)
        pictures = run.pictures
        self.picture.show_file(pictures[-1] if pictures else None)
        self.legend.visible = bool(pictures)
        if pictures:
            epoch = int(pictures[-1].stem.rpartition("_")[2])
            self.legend.value = (
                f"After epoch {epoch}: <span style='color: {_TRUTH}'>■</span> truth, "
                f"<span style='color: {_FOUND}'>■</span> found"
            )


def say(status: Status, epochs: int) -> str:
    """How far a run is, in words."""
    if status.state == "running" and status.step:
        text = (
            f"Epoch {min(status.epoch, epochs)} of {epochs}, step {status.step} of {status.steps}"
        )
        left = status.seconds_left
        return text if left is None else f"{text}; {about(left)} left"
    if status.state == "running":
        return f"{status.message}…"
    if status.state == "waiting":
        return f"{status.message}…" if status.message else "Not started"
    at = f" at step {status.step} of {status.steps}" if status.state != "finished" else ""
    return f"{status.state.capitalize()}{at}. {status.message}"
