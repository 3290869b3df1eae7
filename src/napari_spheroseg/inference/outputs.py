"""From what a network gives to maps of the size of what it was given."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import WrongWeights
from ..models import ModelMetadata

Float = NDArray[np.float32]


def as_maps(metadata: ModelMetadata, output: Float, tiles: Float) -> Float:
    """One map an output, of the size of the tiles.

    Parameters
    ----------
    metadata : ModelMetadata
        Of the model whose network it was.
    output : ndarray of float32, (B, C, y', x')
        Raw: logits where the model segments.
    tiles : ndarray of float32, (B, C', y, x)
        What the network was given.

    Returns
    -------
    ndarray of float32, (B, K, y, x)
        In [0, 1] where the model segments.

    Raises
    ------
    WrongWeights
        There are not as many as the metadata names.
    """
    if metadata.task == "segmentation":
        output = _named(metadata, _sigmoid(output))
    shape = (tiles.shape[2], tiles.shape[3])
    if output.shape[2:] == shape:
        return output
    return np.stack([resize_maps(maps, shape) for maps in output])


def resize_maps(maps: Float, shape: tuple[int, int]) -> Float:
    """Bilinear resize of (K, y, x), as the published service does before its threshold."""
    if maps.shape[1:] == tuple(shape):
        return maps
    resized = np.empty((len(maps), *shape), maps.dtype)
    for each, wide in zip(maps, resized, strict=True):
        cv2.resize(each, shape[::-1], dst=wide, interpolation=cv2.INTER_LINEAR)
    return resized


def _named(metadata: ModelMetadata, maps: Float) -> Float:
    """One map an output: of several that are one, the largest counts, as in HiTMicTools."""
    if len(metadata.outputs) == 1 and maps.shape[1] > 1:
        return np.asarray(maps.max(axis=1, keepdims=True))
    if maps.shape[1] != len(metadata.outputs):
        raise WrongWeights(
            f"The network of '{metadata.name}' gives {maps.shape[1]} maps, and its model.json "
            f"names {len(metadata.outputs)} outputs",
            hint="Install the model again, from where it came.",
        )
    return maps


def _sigmoid(logits: Float) -> Float:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), np.float32)
