"""Models that widgets offer."""

from __future__ import annotations

from collections import Counter

from .. import models
from ..errors import UnknownName


def offered_models(task: str) -> list[tuple[str, str]]:
    """Title and name of every model for a task; those without weights say so."""
    known = [each for each in models.known() if each.task == task]
    titles = Counter(each.title for each in known)
    return [
        (
            each.title
            + (f" ({each.name})" if titles[each.title] > 1 else "")
            + ("" if each.has_weights else " (no weights)"),
            each.name,
        )
        for each in known
    ]


def first_model(task: str) -> str | None:
    """Name of the model that a widget begins with; None where there is none with weights."""
    try:
        return models.default(task)
    except UnknownName:
        return None
