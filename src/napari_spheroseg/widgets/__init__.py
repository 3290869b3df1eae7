"""Widgets for napari: thin shells around the library, a file a widget."""
