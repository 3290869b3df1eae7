"""What a model is, and which ones there are."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .library import available, info, known, load
from .metadata import ModelMetadata, Preparation
from .model import Model, no_weights

if TYPE_CHECKING:
    from .collections.collection import Collection
    from .collections.converting import convert
    from .collections.hitmictools import load_described
    from .collections.packing import bundle, pack
    from .collections.reading import open_collection
    from .collections.unpack import install_collection
    from .installing import install, install_steps, rename
    from .places import add_shared_folder, drop_shared_folder, shared_folders
    from .preferred import default, set_default
    from .trash import empty_trash, remove, restore, trashed
    from .verification import verify

__all__ = [
    "Collection",
    "Model",
    "ModelMetadata",
    "Preparation",
    "add_shared_folder",
    "available",
    "bundle",
    "convert",
    "default",
    "drop_shared_folder",
    "empty_trash",
    "info",
    "install",
    "install_collection",
    "install_steps",
    "known",
    "load",
    "load_described",
    "no_weights",
    "open_collection",
    "pack",
    "remove",
    "rename",
    "restore",
    "set_default",
    "shared_folders",
    "trashed",
    "verify",
]

_HOMES = {
    "Collection": "collections.collection",
    "add_shared_folder": "places",
    "bundle": "collections.packing",
    "convert": "collections.converting",
    "default": "preferred",
    "drop_shared_folder": "places",
    "empty_trash": "trash",
    "install": "installing",
    "install_collection": "collections.unpack",
    "install_steps": "installing",
    "load_described": "collections.hitmictools",
    "open_collection": "collections.reading",
    "pack": "collections.packing",
    "remove": "trash",
    "rename": "installing",
    "restore": "trash",
    "set_default": "preferred",
    "shared_folders": "places",
    "trashed": "trash",
    "verify": "verification",
}


def __getattr__(name: str) -> Any:
    """What few need, imported on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
