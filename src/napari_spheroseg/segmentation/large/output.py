"""Where the results of a large image go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...readwrite.geojson import PolygonFile, write_geojson
from ...readwrite.images import TIFF, ZARR, stem_of
from ...readwrite.omezarr import write_label_pyramid
from ...readwrite.tiff import write_large_labels
from ..measure import records

if TYPE_CHECKING:
    from ..recipe import Recipe
    from .describe import Found


@dataclass(frozen=True)
class Output:
    """Names of the results.

    Attributes
    ----------
    folder : Path
        Made if need be.
    stem : str
        What their names begin with.
    as_tiff : bool
        Write labels as tiled TIFF, not as OME-Zarr.
    with_table : bool
        Write ``<stem>_measurements.csv``, too.
    """

    folder: Path
    stem: str = "image"
    as_tiff: bool = False
    with_table: bool = True

    @classmethod
    def beside(cls, image: Path | None, folder: Path) -> Output:
        """As `segment_large` names them."""
        if image is None:
            return cls(folder)
        return cls(folder, stem_of(image), image.suffix.lower() in TIFF)

    @property
    def labels(self) -> Path:
        """Path of the labels."""
        ending = "_labels.tif" if self.as_tiff else f"_labels.ome{ZARR}"
        return self.folder / f"{self.stem}{ending}"

    def write(self, found: Found, axes: str, recipe: Recipe, folder: Path) -> Iterator[None]:
        """Write everything, then put it in its place; yields after every part of it.

        Parameters
        ----------
        found : Found
        axes : str
            One letter a leading axis.
        recipe : Recipe
            How it was made.
        folder : Path
            For what is not complete, and for labels of an earlier run; on the same disk.

        Raises
        ------
        UnreadableFile
            It cannot be written.
        """
        size = recipe.pixel_size
        made = [folder / self.labels.name, folder / f"{self.stem}_polygons.geojson"]
        if self.as_tiff:
            write_large_labels(made[0], found.labels, axes + "YX", size)
        else:
            yield from write_label_pyramid(made[0], found.labels, axes + "YX", size)
        content = PolygonFile(found.polygons, axes, size, recipe.model_dump(mode="json"))
        write_geojson(made[1], content, records(found.table))
        if self.with_table:
            made.append(folder / f"{self.stem}_measurements.csv")
            found.table.to_csv(made[-1], index=False)
        if self.labels.is_dir():  # no folder takes the place of another
            self.labels.rename(folder / "old")
        for path in made:
            path.replace(self.folder / path.name)
