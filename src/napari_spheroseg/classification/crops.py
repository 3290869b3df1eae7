"""Objects cut out of their image, as classifiers want to see them.

With the defaults of `Crop` a crop is what HiTMicTools feeds its cell classifier: the bounding box,
0 outside of the object, shrunk where it is too large but never enlarged, zeros around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage, BadSetting
from ..inference.prepare import grey_range, stretch
from ..models.metadata import Crop, Preparation
from ..segmentation.geometry import Box, number_objects

Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of one plane of labels.

    Attributes
    ----------
    names : ndarray of int, (N,)
        Their labels, ascending.
    numbered : ndarray of int32, (Y, X)
        The plane with the numbers 1 to N in their place.
    boxes : list of (slice, slice)
        Rows and columns of each.
    """

    names: NDArray[np.int64]
    numbered: NDArray[np.int32]
    boxes: list[Box] = field(repr=False)

    def __len__(self) -> int:
        return len(self.boxes)


def objects_of(labels: NDArray[np.integer]) -> Objects:
    """Find the objects of a plane; 0 is background, and other numbers need not be consecutive.

    Raises
    ------
    BadImage
        Labels are no plane of whole numbers, or above 2**63.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iub" or labels.ndim != 2:
        raise BadImage(
            f"Labels of type {labels.dtype} and shape {labels.shape} are no objects of a plane",
            hint="Give whole numbers of two axes; 0 is background.",
        )
    if labels.dtype == np.uint64 and labels.max(initial=0) > np.iinfo(np.int64).max:
        raise BadImage(
            f"Labels go up to {labels.max()}: that is more than can be told apart",
            hint="Number the objects anew, for instance with skimage.measure.label.",
        )
    names, numbered, boxes = number_objects(labels)
    return Objects(np.asarray(names, np.int64), numbered, boxes)


def crops(
    image: Float, objects: Objects, crop: Crop, preparation: Preparation | None = None
) -> Iterator[Float]:
    """Crops of all objects, some at a time: memory is bounded by a batch.

    Parameters
    ----------
    image : ndarray of float32, (C, Y, X)
        As the network wants it: see `inference.prepare.stretch`. With crops that are normalised
        each by itself: grey values as they are.
    objects : Objects
    crop : Crop
    preparation : Preparation, optional
        Where 0 and 1 of a crop lie; for crops that are normalised each by itself.

    Yields
    ------
    ndarray of float32, (B, C, size, size)
        In the order of the objects; each batch a new array. With a mask channel, C + 1.

    Raises
    ------
    BadImage
        Image and labels have different shapes.
    BadSetting
        Crops have no size, and boxes differ.
    """
    if image.shape[1:] != objects.numbered.shape:
        raise BadImage(
            f"The image has shape {image.shape[1:]}, the labels {objects.numbered.shape}",
            hint="Give the labels of this image.",
        )
    shape = crop_shape(objects, crop)
    each = preparation or Preparation()
    for first in range(0, len(objects), crop.batch):
        numbers = range(first, min(first + crop.batch, len(objects)))
        batch = np.zeros((len(numbers), image.shape[0] + crop.mask_channel, *shape), np.float32)
        for place, number in zip(batch, numbers, strict=True):
            box = _with_margin(objects.boxes[number], crop.margin, image.shape[1:])
            seen = image[:, box[0], box[1]]
            inside = objects.numbered[box] == number + 1
            if crop.normalise == "object":
                is_alone = crop.mask_outside or crop.mask_channel
                seen = _by_itself(seen, inside if is_alone else None, each)
            if crop.mask_channel:
                seen = np.concatenate([seen, inside[None].astype(np.float32)])
            elif crop.mask_outside:
                seen = seen * inside
            _put(seen, place)
        yield batch


def crop_shape(objects: Objects, crop: Crop) -> tuple[int, int]:
    """Height and width of the crops.

    Raises
    ------
    BadSetting
        Crops have no size, and boxes differ.
    """
    if crop.size is not None:
        return crop.size, crop.size
    sizes = {(y.stop - y.start, x.stop - x.start) for y, x in objects.boxes}
    if len(sizes) > 1:
        (h0, w0), (h1, w1) = sorted(sizes)[0], sorted(sizes)[-1]
        raise BadSetting(
            f"The model has no size for crops, and the objects differ: {h0} × {w0} px, "
            f"{h1} × {w1} px",
            hint="Give one, for instance size=64.",
        )
    height, width = sizes.pop() if sizes else (1, 1)
    return height + 2 * crop.margin, width + 2 * crop.margin


def shrunk_shape(shape: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of an object that has to fit: never enlarged, the aspect kept.

    Sides are truncated, as published: one that should be 64 may be 63.
    """
    scale = min(size[0] / shape[0], size[1] / shape[1])
    if scale >= 1:
        return shape
    return max(1, int(shape[0] * scale)), max(1, int(shape[1] * scale))


def shrink(seen: Float, shape: tuple[int, int]) -> Float:
    """Bilinear resize of (C, y, x) without antialias, as torch's ``interpolate`` does it."""
    (above, below, down), (left, right, across) = (
        _neighbours(before, after) for before, after in zip(seen.shape[1:], shape, strict=True)
    )
    rows = seen[:, above] * (1 - down)[:, None] + seen[:, below] * down[:, None]
    return np.asarray(rows[..., left] * (1 - across) + rows[..., right] * across, np.float32)


def _neighbours(before: int, after: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Float]:
    """The two pixels that each new one lies between, and how near it is to the second."""
    # torch rounds the scale to single precision, and the place once: both matter in large crops
    scale = np.float64(np.float32(before) / np.float32(after))
    place = np.maximum(scale * (np.arange(after) + 0.5) - 0.5, 0).astype(np.float32)
    first = np.minimum(place.astype(np.intp), before - 1)
    second = np.minimum(first + 1, before - 1)
    return first, second, (place - first).astype(np.float32)


def _put(seen: Float, place: Float) -> None:
    """Into the middle of zeros; an odd pixel is left at the bottom and right."""
    shape = shrunk_shape((seen.shape[1], seen.shape[2]), (place.shape[1], place.shape[2]))
    if shape != seen.shape[1:]:
        seen = shrink(seen, shape)
    top, left = (place.shape[1] - shape[0]) // 2, (place.shape[2] - shape[1]) // 2
    place[:, top : top + shape[0], left : left + shape[1]] = seen


def _with_margin(box: Box, margin: int, shape: tuple[int, ...]) -> Box:
    """A box with so many pixels around, as far as there are any."""
    if not margin:
        return box
    rows, columns = (
        slice(max(0, side.start - margin), min(length, side.stop + margin))
        for side, length in zip(box, shape, strict=True)
    )
    return rows, columns


def _by_itself(seen: Float, mask: NDArray[np.bool_] | None, preparation: Preparation) -> Float:
    """A crop whose own grey values say where 0 and 1 lie."""
    sample = seen.mean(axis=0) if len(seen) > 1 else seen[0]
    low, high = grey_range(sample if mask is None else sample[mask], preparation)
    return stretch(seen[0] if len(seen) == 1 else np.moveaxis(seen, 0, -1), low, high, preparation)
