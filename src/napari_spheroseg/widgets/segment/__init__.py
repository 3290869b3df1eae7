"""The widget ``Segment spheroids``."""
