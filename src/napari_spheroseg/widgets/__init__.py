"""Widgets for napari: thin shells around the library, a folder a widget."""
