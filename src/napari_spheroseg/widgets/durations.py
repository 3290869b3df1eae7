"""How long something takes, in words."""

from __future__ import annotations


def about(seconds: float) -> str:
    """Such as "about 5 min"."""
    if seconds < 60:
        return f"about {max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"
