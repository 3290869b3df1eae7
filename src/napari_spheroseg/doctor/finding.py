"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    topic : str
        What was looked at, as "OpenCV".
    verdict : {"ok", "note", "problem"}
        A note is worth knowing; a problem keeps something from working.
    said : str
        What was found, as one sentence without a full stop.
    mend : str
        The command, or the step, that mends it; "" where nothing needs to be.
    """

    topic: str
    verdict: Verdict
    said: str
    mend: str = ""
