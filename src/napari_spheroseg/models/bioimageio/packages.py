"""The zoo's own packages, which come with the extra "bioimageio"."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ...extras import require

CONFIG = "spheroseg"
"""Key of rdf.yaml's ``config`` that a package of ours is told by."""


def quiet_spec() -> Any:
    """``bioimageio.spec``, without the chatter of the zoo's packages.

    Raises
    ------
    MissingPackage
        They are not installed.
    """
    for package in ("bioimageio.core", "bioimageio.spec"):
        require(package, "bioimageio", "A package of the BioImage Model Zoo")
    import_module("loguru").logger.disable("bioimageio")
    return import_module("bioimageio.spec")
