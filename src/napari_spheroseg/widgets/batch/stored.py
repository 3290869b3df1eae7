"""Results of an earlier run, read from their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from ...errors import SpherosegError
from ...inference.frames import Frames, Index
from ...polygon import Polygon

LAZY_ABOVE = 2**30  # bytes of labels
_LABELS = ("_labels.tif", "_labels.ome.zarr")


@dataclass(frozen=True, eq=False)
class Stored:
    """What was written of an image.

    Attributes
    ----------
    labels : array of int32 or None
        None where neither labels nor polygons were written.
    polygons : list of Polygon
    pixel_size : (float, float) or None
        µm.
    recipe : dict or None
    """

    labels: Any = None
    polygons: list[Polygon] = field(default_factory=list)
    pixel_size: tuple[float, float] | None = None
    recipe: dict[str, Any] | None = None


def read_stored(folder: Path, stem: str, plane: tuple[int, int] | None = None) -> Stored:
    """Labels and polygons of an image, as far as they are there and can be read.

    Parameters
    ----------
    folder : Path
    stem : str
        What their names begin with.
    plane : (int, int), optional
        Height and width of a single plane: its labels are painted from polygons where only these
        were written.
    """
    from ...readwrite.geojson import read_geojson
    from ...segmentation.polygons import rasterise

    labels, size = _read_labels(folder, stem)
    stored = Stored(labels, pixel_size=size)
    path = folder / f"{stem}_polygons.geojson"
    if path.is_file():
        try:
            file = read_geojson(path)
        except SpherosegError:  # damaged: what else there is can be shown
            return stored
        recipe = None if file.recipe is None else dict(file.recipe)
        stored = Stored(labels, file.polygons, size or file.pixel_size, recipe)
        if labels is None and plane is not None:
            painted = rasterise(file.polygons, plane)
            return Stored(painted, file.polygons, file.pixel_size, recipe)
    return stored


def lazy_labels(frames: Frames, folder: Path, stems: Mapping[Index, str]) -> Any:
    """Labels of a stack as a dask array, each frame read from its files when it is shown.

    A new array for what is there now: napari keeps planes of dask arrays that it has seen.

    Parameters
    ----------
    frames : Frames
    folder : Path
    stems : mapping
        Of the frames that are done, what the names of their results begin with.

    Returns
    -------
    dask.array.Array of int32
        Of ``frames.shape``; 0 where nothing is there yet.
    """
    import dask.array

    known, height_width = dict(stems), frames.plane_shape

    def block(block_id: Index) -> NDArray[np.int32]:
        index = block_id[:-2]
        labels = np.zeros(height_width, np.int32)
        if index in known:
            found = read_stored(folder, known[index], height_width).labels
            labels = labels if found is None else np.asarray(found, np.int32)
        return labels.reshape((1,) * len(index) + height_width)

    chunks = (*((1,) * n for n in frames.leading_shape), *((n,) for n in height_width))
    name = f"spheroseg-labels-{uuid4().hex}"
    return dask.array.map_blocks(block, chunks=chunks, dtype=np.int32, name=name, meta=_META)


_META = np.zeros((0, 0), np.int32)


def _read_labels(folder: Path, stem: str) -> tuple[Any, tuple[float, float] | None]:
    from ...readwrite.images import open_image

    for ending in _LABELS:
        path = folder / f"{stem}{ending}"
        if path.exists():
            try:
                file = open_image(path)
            except SpherosegError:
                continue
            data = file.data
            return (np.asarray(data[...]) if ending == _LABELS[0] else data), file.pixel_size
    return None, None
