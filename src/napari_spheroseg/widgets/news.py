"""What one of our widgets tells the others."""

from __future__ import annotations

from psygnal import Signal


class News:
    """Signals that widgets send and listen to.

    Attributes
    ----------
    models_changed : Signal
        A model was installed or removed.
    """

    models_changed = Signal()


news = News()
