"""What a model is, and which ones there are."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .library import available, info, install, known, load, remove, rename
from .metadata import ModelMetadata, Preparation
from .model import Model, no_weights

if TYPE_CHECKING:
    from .collections import Collection, open_collection
    from .hitmictools import load_described
    from .packing import bundle, pack
    from .unpack import install_collection
    from .verification import verify

__all__ = [
    "Collection",
    "Model",
    "ModelMetadata",
    "Preparation",
    "available",
    "bundle",
    "info",
    "install",
    "install_collection",
    "known",
    "load",
    "load_described",
    "no_weights",
    "open_collection",
    "pack",
    "remove",
    "rename",
    "verify",
]

_HOMES = {
    "Collection": "collections",
    "bundle": "packing",
    "install_collection": "unpack",
    "load_described": "hitmictools",
    "open_collection": "collections",
    "pack": "packing",
    "verify": "verification",
}


def __getattr__(name: str) -> Any:
    """What few need, imported on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
