"""Polygons as regions of interest (ROI) of ImageJ and Fiji, and back.

Coordinates are pixels with the origin at the corner of the first pixel, x before y, as ImageJ has
them for areas; ours (`Polygon`) count from the centre of the first pixel. An object of one ring is
a polygon; one with holes or in several parts is a composite (ImageJ's ShapeRoi), whose segments
are a number for what to do, then the point: ``0 x y`` begins a ring, ``1 x y`` draws a line, ``4``
closes the ring (ij/gui/ShapeRoi.java).
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableFile
from ..polygon import Polygon, Ring
from .atomic import replacing
from .geojson import PolygonFile

_HALF = 0.5  # from the centre of a pixel to its corner
_MOVE, _LINE, _CLOSE = 0, 1, 4
_AREAS = ("POLYGON", "RECT", "OVAL", "FREEHAND", "TRACED")
_LARGEST = 2**28  # bytes of one ROI


def write_rois(path: Path, content: PolygonFile) -> None:
    """Write polygons as a zip for ImageJ's ROI Manager, one ROI an object.

    Parameters
    ----------
    path : Path
        Ends in .zip.
    content : PolygonFile
        Of its axes T, Z and C become the ROI's position, counted from 1; others take the letters
        of those that are free, as in a label TIFF.

    Raises
    ------
    UnreadableFile
        It cannot be written.
    """
    ordered = sorted(content.polygons, key=_object)  # stable: the parts keep their order
    objects = [list(parts) for _, parts in groupby(ordered, key=_object)]
    times = Counter(parts[0].id for parts in objects)
    letters = _letters(content.axes)
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for parts in objects:
            position = dict(zip(letters, parts[0].frame, strict=False))
            name = str(parts[0].id)
            if times[parts[0].id] > 1:  # an object that is followed through a stack
                name += "".join(f"_{axis}{at + 1}" for axis, at in position.items())
            archive.writestr(f"{name}.roi", _roi(parts, position).tobytes())


def read_rois(path: Path) -> PolygonFile:
    """Read the areas of a ROI zip, or of one .roi; lines, points and texts are passed over.

    Parameters
    ----------
    path : Path
        Written by us, or by ImageJ.

    Returns
    -------
    PolygonFile
        Ids are those that the ROIs have as names; others are counted on.

    Raises
    ------
    UnreadableFile
        It is missing, or no ROI.
    """
    from roifile import ImagejRoi

    try:
        rois = [(roi, name) for name, roi in _entries(path, ImagejRoi.frombytes)]
        rois = [(roi, name) for roi, name in rois if roi.roitype.name in _AREAS]
        ids = [_number(roi.name) or _number(name) for roi, name in rois]
        following = max((each for each in ids if each is not None), default=0)
        axes = _axes([roi for roi, _ in rois])
        polygons = []
        for (roi, _), known in zip(rois, ids, strict=True):
            following += known is None
            polygons += _polygons(roi, following if known is None else known, axes)
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read", hint="Check the path.") from error
    except (
        ArithmeticError,
        LookupError,
        NotImplementedError,
        RuntimeError,
        TypeError,
        ValueError,
        zipfile.BadZipFile,
    ) as error:
        raise UnreadableFile(
            f"{path.name} holds no ROIs that can be read: {error}",
            hint="Save them with ImageJ's ROI Manager, curves as polygons.",
        ) from error
    return PolygonFile(polygons, axes)


# ---------------------------------------------------------------- out


def _object(polygon: Polygon) -> tuple[tuple[int, ...], int]:
    return polygon.frame, polygon.id


def _letters(axes: str) -> str:
    spare = iter(letter for letter in "TZC" if letter not in axes)
    return "".join(axis if axis in "TZC" else next(spare, axis) for axis in axes).lower()


def _roi(parts: Sequence[Polygon], position: dict[str, int]) -> Any:
    from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi

    first = parts[0]
    rings = [
        # ImageJ may fill by winding number: holes must turn the other way
        _turning(ring, clockwise=number == 0)[:, ::-1] + np.float32(_HALF)
        for part in parts
        for number, ring in enumerate(part.rings)
    ]
    index: dict[str, Any] = {axis: at for axis, at in position.items() if axis in "tzc"}
    roi = ImagejRoi.frompoints(np.concatenate(rings), name=str(first.id), **index)
    roi.options = ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    roi.roitype = ROI_TYPE.POLYGON
    if len(rings) > 1:
        roi.roitype = ROI_TYPE.RECT  # this and a size of the shape make it a composite
        roi.options = ROI_OPTIONS.NONE
        roi.subpixel_coordinates = roi.integer_coordinates = None
        roi.n_coordinates = 0
        roi.multi_coordinates = np.concatenate([_segments(ring) for ring in rings])
        roi.shape_roi_size = len(roi.multi_coordinates)
    properties: dict[str, Any] = {"class": first.name, "parent": first.parent}
    if np.isfinite(first.mean_probability):
        properties["mean_probability"] = first.mean_probability
    roi.properties = {key: value for key, value in properties.items() if value is not None}
    return roi


def _segments(ring: NDArray[Any]) -> NDArray[np.float32]:
    steps = np.full((len(ring), 3), _LINE, np.float32)
    steps[0, 0] = _MOVE
    steps[:, 1:] = ring
    return np.append(steps.ravel(), np.float32(_CLOSE))


def _turning(ring: Ring, *, clockwise: bool) -> Ring:
    return ring if (_signed_area(ring) > 0) == clockwise else ring[::-1]


def _signed_area(ring: Ring) -> float:
    return float(cv2.contourArea(ring.astype(np.float32), oriented=True))


# ---------------------------------------------------------------- in


def _entries(path: Path, decode: Any) -> Iterable[tuple[str, Any]]:
    if path.suffix.lower() != ".zip":
        return [(path.stem, decode(path.read_bytes()))]
    with zipfile.ZipFile(path) as archive:
        names = [
            name
            for name in archive.namelist()
            if name.lower().endswith(".roi") and not name.startswith("__MACOSX")
        ]
        if archive.namelist() and not names:
            raise ValueError("no entry ends in .roi")
        rois = []
        for name in names:
            with archive.open(name) as entry:
                rois.append((Path(name).stem, decode(entry.read(_LARGEST))))
        return rois


def _number(name: str) -> int | None:
    start = name.split("_")[0]
    return int(start) if start.isascii() and start.isdigit() and int(start) else None


def _axes(rois: Sequence[Any]) -> str:
    """Axes along which the ROIs have a position; a plain stack's is time."""
    axes = [axis for axis in "TZC" if any(_at(roi, axis) for roi in rois)]
    return "".join(axes) or ("T" if any(roi.position for roi in rois) else "")


def _at(roi: Any, axis: str) -> int:
    return int(getattr(roi, f"{axis.lower()}_position"))


def _polygons(roi: Any, number: int, axes: str) -> list[Polygon]:
    frame = tuple(max((_at(roi, axis) or roi.position) - 1, 0) for axis in axes)
    said = roi.properties
    parent = said.get("parent")
    rings = [_ring(points) for points in roi.coordinates(multi=True)]
    return [
        Polygon(
            number,
            outer,
            holes,
            name=str(said.get("class", "spheroid")),
            parent=parent if isinstance(parent, int) else None,
            mean_probability=float(said.get("mean_probability", "nan")),
            frame=frame,
        )
        for outer, holes in _nested([ring for ring in rings if len(ring) >= 3])
    ]


def _ring(points: NDArray[Any]) -> Ring:
    ring = np.asarray(points, np.float64)[:, ::-1] - _HALF
    closed = len(ring) > 1 and (ring[0] == ring[-1]).all()
    return np.asarray(ring[:-1] if closed else ring, np.float32)


def _nested(rings: list[Ring]) -> list[tuple[Ring, tuple[Ring, ...]]]:
    """Outer rings with their holes: a ring within an odd number of others is a hole."""
    if len(rings) == 1:
        return [(rings[0], ())]
    rings = sorted(rings, key=lambda ring: abs(_signed_area(ring)), reverse=True)
    around = [
        [i for i in range(number) if _holds(rings[i], _inner_point(ring))]
        for number, ring in enumerate(rings)
    ]
    holes: dict[int, list[Ring]] = {i: [] for i, them in enumerate(around) if len(them) % 2 == 0}
    for ring, them in zip(rings, around, strict=True):
        if len(them) % 2:
            holes[them[-1]].append(ring)  # the smallest around it
    return [(rings[i], tuple(within)) for i, within in holes.items()]


def _holds(ring: Ring, point: tuple[float, float]) -> bool:
    return bool(cv2.pointPolygonTest(ring, point, False) > 0)


def _inner_point(ring: Ring) -> tuple[float, float]:
    """A point just inside: rings may touch at corners, so no corner will do."""
    steps = np.roll(ring, -1, axis=0) - ring
    longest = int(np.hypot(*steps.T).argmax())
    along = steps[longest] / np.hypot(*steps[longest])
    inwards = np.array([-along[1], along[0]]) * np.sign(_signed_area(ring))
    y, x = ring[longest] + steps[longest] / 2 + 0.01 * inwards
    return float(y), float(x)
