"""Images from files, with axes and pixel size where the file says them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableFile

TIFF = (".tif", ".tiff")
PLAIN = (".png", ".jpg", ".jpeg", ".bmp")
SUFFIXES = TIFF + PLAIN


@dataclass(frozen=True, eq=False)
class ImageFile:
    """What a file holds.

    Attributes
    ----------
    data : ndarray
    axes : str
        One letter an axis, as in `Frames`; ends in YX, or YXS for RGB.
    pixel_size : (float, float) or None
        µm, height and width, where the file says it.
    """

    data: NDArray[Any]
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
