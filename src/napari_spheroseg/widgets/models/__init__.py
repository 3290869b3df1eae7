"""The widget ``Model manager``."""
