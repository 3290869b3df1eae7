"""The widget ``Train model``."""
