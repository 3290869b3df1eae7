"""The check box that asks for focus scores."""

from __future__ import annotations

from magicgui.widgets import CheckBox

from ... import models
from ...errors import UnknownName
from ...restoration.spare import DETECTOR


def focus_box() -> CheckBox:
    """Ticked where there is a model for it, greyed where there is none."""
    box = CheckBox(name="focus", text="Focus scores", value=True)
    box.tooltip = (
        "After a run, look how well objects are in focus: focus_score in the table, and a line "
        "here if some are too blurred to measure."
    )
    if not _has_detector():
        box.value = box.enabled = False
        box.tooltip += f" It needs the model {DETECTOR}, which is not installed."
    return box


def _has_detector() -> bool:
    try:
        return models.info(DETECTOR).has_weights
    except UnknownName:
        return False
