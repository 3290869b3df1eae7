"""Training data from layers: every plane that has labels, written as a pair of TIFF files."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..errors import BadImage
from ..inference.frames import Frames
from ..readwrite.atomic import replacing
from ..readwrite.tiff import write_image, write_labels
from .settings import Data

_ENOUGH = 3  # layers from which on whole layers are kept to validate
_MANIFEST = "manifest.csv"


@dataclass(frozen=True)
class Written:
    """Progress, in planes looked at."""

    done: int
    total: int


@dataclass(frozen=True, eq=False)
class LabelledLayer:
    """An image with labels of the same planes.

    Attributes
    ----------
    name : str
        Of the image; part of the files' names.
    frames : Frames
    labels : array of integers
        Shape of `frames`; a plane without any is left out.
    """

    name: str
    frames: Frames
    labels: Any

    @classmethod
    def of(
        cls, name: str, image: Any, labels: Any, axes: str | None = None, channel: int | None = None
    ) -> Self:
        """Check that labels fit an image.

        Parameters
        ----------
        name : str
        image : array
        labels : array of integers
            Shape of the image without channels and samples; axes of length 1 may be left out.
        axes : str, optional
        channel : int, optional
            As in `Frames.of`.

        Raises
        ------
        BadImage
            The shapes do not fit, or the image cannot be learnt from.
        BadSetting
            The axes do not fit, or a channel must be chosen.
        """
        frames = Frames.of(image, axes, channel)
        if not fit(frames, labels.shape):
            raise BadImage(
                f"'{name}' has planes of shape {frames.shape}, and its labels {labels.shape}",
                hint="Choose the labels that were drawn on this image.",
            )
        if tuple(labels.shape) != frames.shape:
            labels = np.asarray(labels).reshape(frames.shape)
        return cls(name, frames, labels)


def fit(frames: Frames, shape: Sequence[int]) -> bool:
    """Whether labels of a shape can belong to frames; axes of length 1 do not count."""
    longer = [[n for n in each if n > 1] for each in (frames.shape, shape)]
    return longer[0] == longer[1]


def write_layers(folder: Path, layers: Sequence[LabelledLayer]) -> Generator[Written, None, Data]:
    """Write the planes that have labels.

    Parameters
    ----------
    folder : Path
        Gets the folders ``images`` and ``masks``, and a manifest; files are named by the layer's
        number, its name and the plane.
    layers : sequence of LabelledLayer

    Yields
    ------
    Written
        After every plane; whoever stops iterating cancels.

    Returns
    -------
    Data
        The manifest. Of three layers and more, planes of one layer stay together, so that what
        validates is another image. Of fewer, the last planes of each validate: neighbours look
        alike, and only one stands on the other side.

    Raises
    ------
    BadImage
        No plane has labels.
    UnreadableFile
        The folder cannot be written.
    """
    planes = [
        (number, layer, index)
        for number, layer in enumerate(layers, start=1)
        for index in layer.frames.indices()
    ]
    used: list[tuple[int, str]] = []
    for done, (number, layer, index) in enumerate(planes, start=1):
        labels = np.asarray(layer.labels[index])
        if (labels > 0).any():
            name = f"{number:03d}_{_safe(layer.name)}{_place(layer.frames, index)}.tif"
            write_image(folder / "images" / name, layer.frames[index])
            write_labels(folder / "masks" / name, labels)
            used.append((number, name))
        yield Written(done, len(planes))
    if not used:
        raise BadImage(
            "There are no labels to learn from",
            hint="Draw some, or run Segment spheroids and correct what it found.",
        )
    divided = _divided([number for number, _ in used])
    path = folder / _MANIFEST
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "mask_file", "group", "part"))
        for (_, name), where in zip(used, divided, strict=True):
            writer.writerow((f"images/{name}", f"masks/{name}", *where))
    return Data(manifest=path)


def _divided(layers: list[int]) -> list[tuple[str, str]]:
    """Group and part of every plane, where they are decided, from the number of its layer."""
    planes = Counter(layers)
    if len(planes) >= _ENOUGH:
        return [(f"{layer:03d}", "") for layer in layers]
    if len(layers) == 1:
        return [("", "")]  # who divides it says that it is too few
    share = Data.model_fields["validation_share"].default
    last = {layer: round(share * count) for layer, count in planes.items()}
    if not any(last.values()):
        last[layers[-1]] = 1
    left, parts = planes.copy(), []
    for layer in layers:
        parts.append(("", "val" if left[layer] <= last[layer] else "train"))
        left[layer] -= 1
    return parts


def _safe(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name)[:40]


def _place(frames: Frames, index: tuple[int, ...]) -> str:
    """Such as ``_t003_z001``; nothing ends in a letter, as names of masks may."""
    axes = frames.leading_axes.lower()
    return "".join(f"_{axis}{at:03d}" for axis, at in zip(axes, index, strict=True)) or "_0"
