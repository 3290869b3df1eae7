"""What was found in a large image: labels stay in their file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...inference.frames import Frames
from ...polygon import Polygon
from ...readwrite.images import ZARR, open_image
from ...readwrite.omezarr import open_levels
from ..layers import label_arguments, label_placement, layer_axes
from ..recipe import Recipe
from ..summary import summary

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class LargeSegmentation:
    """Objects found in a large image; ids are equal in labels, polygons and table.

    Attributes
    ----------
    frames : Frames
        The image.
    settings : Recipe
        How it was made.
    path : Path
        The labels: a folder of OME-Zarr, or a tiled TIFF.
    polygons : list of Polygon
        Outlines in pixels, each in its own frame.
    table : DataFrame
        One row an object.
    warnings : tuple of str
        What the user should know.
    """

    frames: Frames
    settings: Recipe
    path: Path
    polygons: list[Polygon]
    table: pd.DataFrame
    warnings: tuple[str, ...] = ()

    @property
    def recipe(self) -> dict[str, Any]:
        """How the result was made: ``segment_large(image, out, **recipe)`` makes it again."""
        recipe: dict[str, Any] = self.settings.model_dump(mode="json")
        return recipe

    @property
    def summary(self) -> str:
        """How many objects there are and how large, as one sentence."""
        return summary(self.frames, self.settings.pixel_size, self.table)

    @cached_property
    def levels(self) -> list[Any]:
        """Labels and their coarser copies, zarr arrays of int32; a TIFF has no copies."""
        if self.path.suffix == ZARR:
            return open_levels(self.path)
        return [open_image(self.path, above=0).data]

    @property
    def labels(self) -> Any:
        """Array of int32, leading axes then (Y, X), read when it is sliced; 0 is background."""
        return self.levels[0]

    def to_layers(self, name: str = "image", like: Any = None) -> list[tuple[Any, ...]]:
        """Labels as a napari layer tuple ``(data, arguments, type)``; they are read as shown.

        Parameters
        ----------
        name : str
            Of the image; the layer is called ``<name> labels``.
        like : napari layer, optional
            Image whose scale, translate, units and axis labels it takes.

        Returns
        -------
        list of tuple
            For ``viewer.add_layer(napari.layers.Layer.create(*each))``.
        """
        data = [self._with_channel(level) for level in self.levels]
        several = len(data) > 1
        arguments = {
            **label_placement(self.frames, self.settings.pixel_size, like),
            "metadata": {"spheroseg": self.recipe},
            "name": f"{name} labels",
            "opacity": 0.4,
            "multiscale": several,
            "features": label_arguments(self.frames, data[0], self.table)["features"],
        }
        return [(data if several else data[0], arguments, "labels")]

    def _with_channel(self, level: Any) -> Any:
        """With an axis for the channel, where the layer of the image has one in its midst."""
        axes = layer_axes(self.frames)
        if "C" not in axes:
            return level
        import dask.array

        at = axes.index("C")
        return dask.array.from_array(level)[(slice(None),) * at + (None,)]
