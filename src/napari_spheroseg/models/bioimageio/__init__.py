"""Packages of the BioImage Model Zoo, opened; `export` writes them."""

from .description import UnfitPackage
from .opening import install_package, is_package, open_package

__all__ = ["UnfitPackage", "install_package", "is_package", "open_package"]
