"""Images from files, with axes and pixel size where the file says them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnreadableFile

TIFF = (".tif", ".tiff")
PLAIN = (".png", ".jpg", ".jpeg", ".bmp")
SUFFIXES = TIFF + PLAIN
ZARR = ".zarr"
LARGE = 64_000_000
"""Pixels of a plane beyond which it is better not held in memory as a whole."""


@dataclass(frozen=True, eq=False)
class ImageFile:
    """What a file holds.

    Attributes
    ----------
    data : array
        Of `read_image` an ndarray; of `open_image` perhaps one that is read when it is sliced.
    axes : str
        One letter an axis, as in `Frames`; ends in YX, or YXS for RGB.
    pixel_size : (float, float) or None
        µm, height and width, where the file says it.
    """

    data: Any
    axes: str
    pixel_size: tuple[float, float] | None = None


def read_image(path: str | Path) -> ImageFile:
    """Read TIFF, PNG, JPEG or BMP.

    Raises
    ------
    UnreadableFile
        It is missing, damaged, or of another format.
    """
    path = Path(path)
    if not path.is_file():
        raise UnreadableFile(f"There is no file {path}", hint="Check the path.")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UnreadableFile(
            f"{path.name} is of no format that can be read", hint=f"Use {', '.join(SUFFIXES)}."
        )
    if suffix in TIFF:
        from .tiff import read_tiff

        return ImageFile(*read_tiff(path))
    return _read_plain(path)


def open_image(path: str | Path, above: float = LARGE) -> ImageFile:
    """Open OME-Zarr or zarr, or a file as `read_image` does; what is large stays where it is.

    Parameters
    ----------
    path : str or Path
        A file; or the folder of a zarr.
    above : float
        Pixels of a plane beyond which a TIFF is only read when it is sliced.

    Raises
    ------
    UnreadableFile
        It is missing, damaged, or of another format.
    MissingPackage
        It needs zarr, which is not installed.
    """
    path = Path(path)
    if path.is_dir():
        from .lazy import usual_order
        from .omezarr import open_zarr

        data, axes, size = open_zarr(path)
        return ImageFile(*usual_order(data, axes), size)
    if path.is_file() and path.suffix.lower() in TIFF:
        from .tiff import open_tiff

        return ImageFile(*open_tiff(path, above))
    return read_image(path)


def is_zarr(path: Path) -> bool:
    """Whether a folder is one of zarr: by its name, or by what lies in it."""
    marks = ("zarr.json", ".zarray", ".zgroup")
    return path.is_dir() and (
        path.suffix.lower() == ZARR or any((path / mark).is_file() for mark in marks)
    )


def name_of(path: Path) -> str:
    """Name of a file or folder; of an image within a zarr from that on: ``plate.zarr/B/3/0``."""
    within = next((each for each in path.parents if each.suffix.lower() == ZARR), None)
    return path.name if within is None else path.relative_to(within.parent).as_posix()


def stem_of(path: Path) -> str:
    """Name of a file or folder without its ending, or both endings of OME-Zarr.

    Of an image within a zarr that of the whole, and its place: ``plate_B_3_0``.
    """
    if path.suffix.lower() not in (ZARR, *SUFFIXES) and "/" in (name := name_of(path)):
        whole, *place = name.split("/")
        return "_".join([stem_of(Path(whole)), *place])
    stem = path.stem
    return stem[:-4] if path.suffix.lower() == ZARR and stem.lower().endswith(".ome") else stem


def _read_plain(path: Path) -> ImageFile:
    import cv2

    content = np.fromfile(path, np.uint8)  # cv2.imread fails on some paths on Windows
    try:
        image = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    except cv2.error:  # a size that no memory holds, for instance
        image = None
    if image is None:
        raise UnreadableFile(
            f"{path.name} is no image, or damaged", hint="Open it elsewhere and save it again."
        )
    if image.ndim == 2:
        return ImageFile(image, "YX")
    order = [2, 1, 0, 3][: image.shape[2]] if image.shape[2] >= 3 else [0]
    image = np.ascontiguousarray(image[..., order])
    return ImageFile(image, "YXS") if image.shape[2] >= 3 else ImageFile(image[..., 0], "YX")
