"""Batch segmentation: many images, from the viewer."""
