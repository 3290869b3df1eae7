"""Where on a plate, and when, an image was taken, as its own file says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import tifffile

from .images import TIFF

_MOST = 1_000_000
"""Positions along T: of a file that tells of more, times are not worked out."""
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
    times : sequence of float or None
        Of a stack: hours of every position along T since the first.
    """

    row: int | None = None
    column: int | None = None
    field: str | None = None
    moment: float | None = None
    times: Sequence[float] | None = None


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
    return Acquired(row, column, field, _moment(image), _times(image))


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
    late = None if plane is None else _hours(plane, "DeltaT")
    return begun.timestamp() / 3600 + (late or 0.0)


def _times(image: Any) -> tuple[float, ...] | None:
    """Of the first plane at each position along T, or else by the increment; None where unsaid."""
    pixels = image.find("{*}Pixels")
    count = 1 if pixels is None else int(pixels.get("SizeT", "1"))
    if not 1 < count <= _MOST:
        return None
    first: dict[int, float] = {}
    for plane in pixels.iterfind("{*}Plane"):
        at, late = int(plane.get("TheT", "0")), _hours(plane, "DeltaT")
        if late is not None:
            first[at] = min(late, first.get(at, late))
    step = _hours(pixels, "TimeIncrement")
    if first.keys() >= set(range(count)) and first[count - 1] > first[0]:
        moments = [first[at] - first[0] for at in range(count)]
    elif step:
        moments = [at * step for at in range(count)]
    else:
        return None
    # seconds are as exact as files are: 1e-6 h drops what floats add
    return tuple(round(moment, 6) for moment in moments)


def _hours(element: Any, name: str) -> float | None:
    value, hour = element.get(name), _HOURS.get(element.get(f"{name}Unit", "s"))
    return float(value) * hour if value and hour else None


def plate_images(folder: Path) -> list[Path]:
    """Images of an OME-Zarr plate, well by well and field by field; none of another folder.

    Wells of which the plate's metadata tell but that are not there have none.
    """
    try:
        plate = _attributes(folder).get("plate")
        wells = [] if plate is None else [folder / each["path"] for each in plate["wells"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []
    return [field for well in wells for field in _fields(well)]


def _fields(well: Path) -> list[Path]:
    try:
        return [well / each["path"] for each in _attributes(well)["well"]["images"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []


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
