"""What a model is, and which ones there are."""

from .library import available, info, install, known, load, remove
from .metadata import ModelMetadata, Preparation
from .model import Model, no_weights

__all__ = [
    "Model",
    "ModelMetadata",
    "Preparation",
    "available",
    "info",
    "install",
    "known",
    "load",
    "no_weights",
    "remove",
]
