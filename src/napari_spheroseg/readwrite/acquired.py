"""Where on a plate, and when, an image was taken, as its own file says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import tifffile

from .images import TIFF

_HOURS = {"ms": 1 / 3.6e6, "s": 1 / 3600, "min": 1 / 60, "h": 1.0, "d": 24.0}


@dataclass(frozen=True)
class Acquired:
    """What a file says; None what it does not.

    Attributes
    ----------
    row, column : int or None
        Of the well, from 1.
    field : str or None
        Place within the well, where the file tells of several.
    moment : float or None
        Hours since 1970.
    """

    row: int | None = None
    column: int | None = None
    field: str | None = None
    moment: float | None = None


def read_acquired(path: Path) -> Acquired:
    """What an OME-TIFF says of its first image, or an OME-Zarr plate of an image in it.

    Files that cannot be read say nothing: whoever reads the image tells what is wrong.
    """
    try:
        if path.is_dir():
            return _in_plate(path)
        if path.suffix.lower() not in TIFF:
            return Acquired()
        with tifffile.TiffFile(path) as file:
            return _in_ome(file.ome_metadata) if file.ome_metadata else Acquired()
    except Exception:  # tifffile, XML and JSON stumble over damage in many ways
        return Acquired()


def _in_ome(text: str) -> Acquired:
    """OME-XML: ``Plate/Well/WellSample/ImageRef``, ``AcquisitionDate``, ``DeltaT``."""
    root = ElementTree.fromstring(text)
    image = root.find("{*}Image")
    if image is None:
        return Acquired()
    row, column, field = _well_of(root, image.get("ID", ""))
    return Acquired(row, column, field, _moment(image))


def _well_of(root: Any, image: str) -> tuple[int | None, int | None, str | None]:
    for well in root.iterfind("{*}Plate/{*}Well"):
        samples = well.findall("{*}WellSample")
        shown = [[ref.get("ID") for ref in sample.iterfind("{*}ImageRef")] for sample in samples]
        for number, images in enumerate(shown, start=1):
            if image in images:
                field = str(number) if len(samples) > 1 else None
                return int(well.get("Row")) + 1, int(well.get("Column")) + 1, field
    return None, None, None


def _moment(image: Any) -> float | None:
    """Of the first plane: many programs write the beginning of all as the image's date."""
    date = image.findtext("{*}AcquisitionDate")
    if not date:
        return None
    begun = datetime.fromisoformat(date.strip())
    begun = begun if begun.tzinfo else begun.replace(tzinfo=UTC)
    plane = image.find("{*}Pixels/{*}Plane")
    late = 0.0
    if plane is not None and plane.get("DeltaT"):
        late = float(plane.get("DeltaT")) * _HOURS[plane.get("DeltaTUnit", "s")]
    return begun.timestamp() / 3600 + late


def _in_plate(path: Path) -> Acquired:
    """OME-Zarr: an image is ``plate.zarr/<row>/<column>/<field>``, and the plate lists wells."""
    field, column, row = (each.name for each in (path, *path.absolute().parents[:2]))
    wells = _attributes(path.absolute().parents[2]).get("plate", {}).get("wells", [])
    (well,) = (each for each in wells if each["path"].strip("/") == f"{row}/{column}")
    several = len(_attributes(path.parent).get("well", {}).get("images", [])) > 1
    place = well["rowIndex"] + 1, well["columnIndex"] + 1
    return Acquired(*place, field if several else None)


def _attributes(folder: Path) -> Mapping[str, Any]:
    """What a group of zarr 2 or 3 says of itself, without zarr."""
    if (folder / ".zattrs").is_file():
        said = json.loads((folder / ".zattrs").read_text("utf-8"))
    else:
        said = json.loads((folder / "zarr.json").read_text("utf-8")).get("attributes", {})
    found: Mapping[str, Any] = said.get("ome", said)
    return found
