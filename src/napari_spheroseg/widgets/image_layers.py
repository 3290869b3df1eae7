"""Image layers of the viewer that are images: not those that only show something of another."""

from __future__ import annotations

from collections.abc import Iterable

from napari.layers import Image, Layer

_ONLY_SHOWN = "spheroseg_shows"


def images_of(layers: Iterable[Layer]) -> list[Image]:
    """Image layers that can be segmented, restored, or learnt from."""
    return [
        each for each in layers if isinstance(each, Image) and not each.metadata.get(_ONLY_SHOWN)
    ]


def only_shows(layer: Image, what: str) -> None:
    """Mark a layer of ours that is made for looking at: a focus map, for instance.

    The mark is in its metadata, so that copies have it too.
    """
    layer.metadata[_ONLY_SHOWN] = what
