"""Times as file names write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

HOURS, FRAMES, DATES = "h", "frame", "date"

DATE = (
    r"(?:\d{4}y\d{2}m\d{2}d_\d{2}h\d{2}m(?:\d{2}s)?"
    r"|\d{4}-\d{2}-\d{2}[T_ ]\d{2}[-:.h]?\d{2}(?:[-:.m]?\d{2}s?)?"
    r"|\d{8}[T_-]\d{4}(?:\d{2})?)"
)
ELAPSED = r"(?:\d+d\d+h\d+m(?:\d+s)?)"
_AMOUNT = r"\d+(?:\.\d+)?[ _-]?(?:days?|d|hours?|hrs?|h|minutes?|min|m|seconds?|sec|s)"
_NAMED = r"(?:day|d|hour|h)[ _-]?\d+(?:\.\d+)?"
TIME = rf"(?:{DATE}|{ELAPSED}|{_AMOUNT}|{_NAMED}|t?\d+)"
"""Regular expressions of a moment, a duration, and any time."""

_IN_HOURS = {"d": 24.0, "h": 1.0, "m": 1 / 60, "s": 1 / 3600}


def read_time(text: str) -> tuple[float, str] | None:
    """Time and its unit; None for a moment that no calendar has.

    Parameters
    ----------
    text : str
        A moment (``2024y01m31d_12h30m``, ``2024-01-31_12-30``), a duration (``00d04h00m``,
        ``day3``, ``48h``, ``30min``), or a number of a frame (``003``, ``t3``).

    Returns
    -------
    (float, str) or None
        Of a moment hours since 1970 and ``date``, of a duration hours and ``h``, else ``frame``.
    """
    text = text.lower()
    if re.fullmatch(DATE, text, re.IGNORECASE):
        digits = "".join(re.findall(r"\d", text))
        try:
            moment = datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            return None
        return moment.timestamp() / 3600, DATES
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]
    if re.fullmatch(ELAPSED, text):
        return in_hours(*numbers), HOURS
    unit = re.search(r"[dhms]", text)  # the first letter of a unit says which it is
    if len(numbers) != 1:
        return None
    return (numbers[0] * _IN_HOURS[unit[0]], HOURS) if unit else (numbers[0], FRAMES)


def in_hours(day: float = 0, hour: float = 0, minute: float = 0, second: float = 0) -> float:
    """Hours of a duration."""
    return 24 * day + hour + minute / 60 + second / 3600
