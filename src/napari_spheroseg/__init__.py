"""Outline spheroids and organoids in microscope images.

>>> import napari_spheroseg as ss
>>> result = ss.segment(image, model="unet", threshold=0.5, pixel_size=0.65)  # doctest: +SKIP
>>> result.table.to_csv("measurements.csv")  # doctest: +SKIP

Everything is imported on first use: importing the package and listing its models does not
import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import models, networks, synthetic
    from .batch.classify import classify_files
    from .batch.restore import restore_files
    from .batch.run import segment_files
    from .classification.features import features
    from .classification.run import classify
    from .errors import SpherosegError
    from .inference.reservation import reserve
    from .readwrite.images import read_image
    from .restoration.detector import focus_score
    from .restoration.run import restore_focus
    from .segmentation.large.result import LargeSegmentation
    from .segmentation.large.run import segment_large
    from .segmentation.measure import measure
    from .segmentation.result import Segmentation
    from .segmentation.run import segment
    from .training.evaluate import evaluate
    from .training.start import train

__version__ = "0.1.0"
__all__ = [
    "LargeSegmentation",
    "Segmentation",
    "SpherosegError",
    "__version__",
    "classify",
    "classify_files",
    "evaluate",
    "features",
    "focus_score",
    "measure",
    "models",
    "networks",
    "read_image",
    "reserve",
    "restore_files",
    "restore_focus",
    "segment",
    "segment_files",
    "segment_large",
    "synthetic",
    "train",
]

_HOMES = {
    "LargeSegmentation": "segmentation.large.result",
    "Segmentation": "segmentation.result",
    "SpherosegError": "errors",
    "classify": "classification.run",
    "classify_files": "batch.classify",
    "evaluate": "training.evaluate",
    "features": "classification.features",
    "focus_score": "restoration.detector",
    "measure": "segmentation.measure",
    "read_image": "readwrite.images",
    "reserve": "inference.reservation",
    "restore_files": "batch.restore",
    "restore_focus": "restoration.run",
    "segment": "segmentation.run",
    "segment_files": "batch.run",
    "segment_large": "segmentation.large.run",
    "train": "training.start",
}
_MODULES = ("models", "networks", "synthetic")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
