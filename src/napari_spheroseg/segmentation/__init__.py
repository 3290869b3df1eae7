"""Probability to labels, polygons and measurements."""
