"""Classifiers of objects: examples to learn from, and how a network learns from them."""
