"""An image layer as something to segment: pixels, axes, pixel size, the slice on screen."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels

from ..errors import BadSetting
from ..inference.frames import Frames, Index, Region
from ..readwrite.images import TIFF

ALL_CHANNELS = ("all", -1)
_LETTERS = "TZPABDEFGHIJKLMNOQRUVW"


def full_resolution(layer: Image) -> Any:
    """The layer's array; of a multiscale layer the finest level."""
    return layer.data[0] if layer.multiscale else layer.data


def guess_axes(layer: Image | Labels) -> str:
    """Axes of a layer: its own labels where they are single letters, else as its file has them.

    Where neither says them, T, Z, ... in front.
    """
    letters = [label.upper() for label in layer.axis_labels[:-2]]
    usable = all(len(a) == 1 and a.isalpha() and a not in "YXS" for a in letters)
    if not usable or len(set(letters)) < len(letters):
        said = in_file(layer)
        if said is not None and said[0].endswith("YXS" if getattr(layer, "rgb", False) else "YX"):
            return said[0]
        letters = list("T" if len(letters) == 1 else _LETTERS[: len(letters)])
    return "".join(letters) + ("YXS" if getattr(layer, "rgb", False) else "YX")


def in_file(
    layer: Image | Labels,
) -> tuple[str, tuple[int, ...], tuple[float, float] | None] | None:
    """Axes, shape and pixel size in the TIFF that a layer was opened from; napari drops them.

    None where there is none, or the layer is not all that its file holds.
    """
    path = layer.source.path
    if path is None or Path(path).suffix.lower() not in TIFF or not Path(path).is_file():
        return None
    said = _look_into(path, Path(path).stat().st_mtime_ns)
    return said if said is not None and said[1] == full_resolution(layer).shape else None


@lru_cache(maxsize=64)
def _look_into(path: str, _: int) -> Any:
    from ..readwrite.tiff import look_into_tiff

    return look_into_tiff(Path(path))


def channel_choices(axes: str, shape: tuple[int, ...]) -> list[tuple[str, int]]:
    """Channels to choose from: positions along the axis C, else all samples (-1) or one of RGB."""
    axes = axes.upper()
    letter = "C" if "C" in axes else "S"
    count = shape[axes.index(letter)] if letter in axes[: len(shape)] else 0
    numbers = [(str(i), i) for i in range(count)]
    return numbers if letter == "C" and count else [ALL_CHANNELS, *numbers]


def pixel_size(layer: Image | Labels) -> tuple[float, float] | None:
    """µm, height and width, where the layer's units are lengths, or its file says it."""
    sizes = []
    for scale, unit in zip(layer.scale[-2:], layer.units[-2:], strict=True):
        if not unit.is_compatible_with("um"):
            said = in_file(layer)
            return None if said is None else said[2]
        sizes.append(abs(float((scale * unit).to("um").magnitude)))
    return sizes[0], sizes[1]


def current_frame(layer: Image, frames: Frames, viewer: ViewerModel) -> Index:
    """The frame that the viewer's sliders stand on, clipped to the layer."""
    world = viewer.dims.point[-layer.ndim :]
    position = layer.world_to_data(world)
    axes = frames.axes.replace("S", "")
    return tuple(
        min(max(round(float(position[axes.index(axis)])), 0), length - 1)
        for axis, length in zip(frames.leading_axes, frames.leading_shape, strict=True)
    )


def visible_region(layer: Image, viewer: ViewerModel) -> Region:
    """The part of a layer that is on screen: the box around it where the layer is turned.

    Raises
    ------
    BadSetting
        Nothing of it is on screen, or the view is not that of its rows and columns.
    """
    dims, camera = viewer.dims, viewer.scene.camera
    shown = dims.displayed
    if dims.ndisplay != 2 or set(shown) != {dims.ndim - 2, dims.ndim - 1}:
        raise BadSetting(
            "The current view is not that of the image's rows and columns",
            hint="Switch to 2-D and undo rolled axes, or choose the whole image as Region.",
        )
    half = np.array(viewer.canvas.viewbox_size(viewer.layers)) / (2 * camera.zoom)
    centre = np.array(camera.center[-2:])
    corners = []
    for signs in product((-1, 1), repeat=2):
        world = np.array(dims.point, float)
        world[list(shown)] = centre + half * signs
        corners.append(np.asarray(layer.world_to_data(world))[-2:])
    shape = full_resolution(layer).shape[layer.ndim - 2 : layer.ndim]
    # a pixel reaches half its width to either side of its centre
    first = np.clip(np.floor(np.min(corners, axis=0) + 0.5), 0, shape).astype(int)
    last = np.clip(np.ceil(np.max(corners, axis=0) + 0.5), 0, shape).astype(int)
    if (last <= first).any():
        raise BadSetting(
            f"Nothing of '{layer.name}' is on screen",
            hint="Move it into view (the house below the layers), or choose the whole image as "
            "Region.",
        )
    return int(first[0]), int(last[0]), int(first[1]), int(last[1])
