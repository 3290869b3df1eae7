"""Which files a result is written as: the choice is data, for check boxes and options alike."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ..errors import UnreadableFile
from ..inference.frames import Frames, Index
from ..readwrite.atomic import PREFIX, UMASK, replacing
from ..readwrite.geojson import PolygonFile, write_geojson
from ..readwrite.omezarr import require_zarr, write_label_pyramid
from ..readwrite.tiff import _label_metadata, write_labels
from ..registry import unknown_name
from ..segmentation.measure import records
from ..segmentation.result import Segmentation

Writer = Callable[[Segmentation, Path, str, str], Path]


@dataclass(frozen=True)
class OutputKind:
    """One kind of file that a result can be written as.

    Attributes
    ----------
    name : str
        For options and settings.
    title : str
        For a check box.
    endings : tuple of str
        What its files and folders are called after the stem.
    needs : callable
        Raises `MissingPackage` where an extra that it needs is not installed.
    """

    name: str
    title: str
    endings: tuple[str, ...]
    writer: Writer
    needs: Callable[[], None] = lambda: None

    def write(self, result: Segmentation, folder: Path, stem: str, image: str = "") -> Path:
        """Write a result.

        Parameters and errors are those of `write_outputs`.

        Returns
        -------
        Path
            The file, or the folder.
        """
        self.needs()
        return self.writer(result, folder, stem, image)


def write_outputs(
    result: Segmentation, folder: Path, stem: str, names: Iterable[str], image: str = ""
) -> tuple[str, ...]:
    """Write a result in all ways that are named.

    Parameters
    ----------
    result : Segmentation
    folder : Path
        Made if need be.
    stem : str
        What the names begin with.
    names : iterable of str
        Of `OUTPUTS`.
    image : str
        Name of the image's file, where a format refers to it; without it, the stem.

    Returns
    -------
    tuple of str
        Names of the files and folders, relative to `folder`.

    Raises
    ------
    UnknownName
        There is no such output; nothing is written.
    MissingPackage
        One needs an extra that is not installed; nothing is written.
    UnreadableFile
        It cannot be written.
    """
    kinds = check_outputs(names)
    return tuple(kind.write(result, folder, stem, image).name for kind in kinds)


def check_outputs(names: Iterable[str]) -> tuple[OutputKind, ...]:
    """The outputs of these names, each once, before a long run begins.

    Raises
    ------
    UnknownName
        There is none of the name.
    MissingPackage
        It needs an extra that is not installed.
    """
    wanted = dict.fromkeys(names)
    for name in wanted:
        if name not in OUTPUTS:
            raise unknown_name("output", name, list(OUTPUTS))
    kinds = tuple(OUTPUTS[name] for name in wanted)
    for kind in kinds:
        kind.needs()
    return kinds


def written_by(stem: str, names: Iterable[str]) -> tuple[str, ...]:
    """Names of all files and folders that these outputs may write, relative to their folder."""
    return tuple(f"{stem}{ending}" for name in names for ending in OUTPUTS[name].endings)


def discard(folder: Path, files: Iterable[str]) -> None:
    """Delete results; a folder of zarr with all that is in it."""
    for name in files:
        path = folder / name
        with contextlib.suppress(OSError):  # of a name that is too long even for the question
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def write_result(result: Segmentation, out: Path, stem: str, *, with_table: bool = False) -> None:
    """Write one result as ``<stem>_labels.tif`` and ``<stem>_polygons.geojson``.

    Where asked, also its table as ``<stem>_measurements.csv``.

    Raises
    ------
    UnreadableFile
        They cannot be written.
    """
    write_outputs(result, out, stem, DEFAULT)
    if with_table:
        with replacing(out / f"{stem}_measurements.csv") as temporary:
            result.table.to_csv(temporary, index=False)


# ---------------------------------------------------------------- one function a kind


def _labels(result: Segmentation, folder: Path, stem: str, image: str) -> Path:
    path = folder / f"{stem}_labels.tif"
    write_labels(path, result.labels, *_axes_and_size(result))
    return path


def _zarr(result: Segmentation, folder: Path, stem: str, image: str) -> Path:
    path = folder / f"{stem}_labels.ome.zarr"
    with replacing_folder(path) as temporary:
        for _ in write_label_pyramid(temporary, result.labels, *_axes_and_size(result)):
            pass
    return path


def _polygons(result: Segmentation, folder: Path, stem: str, image: str) -> Path:
    path = folder / f"{stem}_polygons.geojson"
    write_geojson(path, _content(result), records(result.table))
    return path


def _rois(result: Segmentation, folder: Path, stem: str, image: str) -> Path:
    from ..readwrite.imagej import write_rois

    path = folder / f"{stem}_rois.zip"
    write_rois(path, _content(result))
    return path


def _coco(result: Segmentation, folder: Path, stem: str, image: str) -> Path:
    from ..readwrite.coco import CocoImage, write_coco

    frames, name, suffix = result.frames, image or stem, PurePath(image).suffix
    base = name.removesuffix(suffix)
    y, x = (int(frames.data.shape[frames.axes.index(axis)]) for axis in "YX")
    images = (
        CocoImage(
            name=f"{base}_{frame_name(frames, index)}{suffix}" if index else name,
            labels=result.labels[index],
            shape=(y, x),
            corner=frames.corner,
            more=_place(name, frames.leading_axes, index),
        )
        for index in result.planes
    )
    path = folder / f"{stem}_coco.json"
    write_coco(path, images)
    return path


def _place(stack: str, axes: str, index: Index) -> dict[str, Any]:
    """What tells a frame of a stack from the others."""
    frame = dict(zip(axes.lower(), index, strict=True))
    return {"stack": stack, "frame": frame} if frame else {}


def _outlines(result: Segmentation, folder: Path, stem: str, image: str) -> Path:
    from .drawings import write_drawings

    return write_drawings(result.frames, result.planes, result.polygons, folder, stem)


def _probability(result: Segmentation, folder: Path, stem: str, image: str) -> Path:
    import tifffile

    path = folder / f"{stem}_probability.tif"
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            np.asarray(result.probability, np.float32),
            ome=True,
            photometric="minisblack",
            compression="zlib",  # without a predictor: few programs undo that of floats
            metadata=_label_metadata(*_axes_and_size(result)),
        )
    return path


def _classes(result: Segmentation, folder: Path, stem: str, image: str) -> Path:
    from .classes import map_of

    path = folder / f"{stem}_classes.tif"
    write_labels(path, map_of(result), *_axes_and_size(result))
    return path


def _axes_and_size(result: Segmentation) -> tuple[str, tuple[float, float] | None]:
    return result.frames.leading_axes + "YX", result.settings.pixel_size


def _content(result: Segmentation) -> PolygonFile:
    axes, size = result.frames.leading_axes, result.settings.pixel_size
    return PolygonFile(result.polygons, axes, size, result.recipe)


def frame_name(frames: Frames, index: Index) -> str:
    """Position of a frame such as t003_z12, as the table counts, that sorts as it should."""
    return "_".join(
        f"{axis.lower()}{at:0{len(str(length - 1))}}"
        for axis, at, length in zip(frames.leading_axes, index, frames.leading_shape, strict=True)
    )


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A path beside `path`, for a folder that takes its place at the end of the block.

    Raises
    ------
    UnreadableFile
        It cannot be written; what was there before stays.
    """
    work: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=PREFIX, dir=path.parent))
        yield work / "new"
        (work / "new").chmod(0o777 & ~UMASK)
        if path.exists():
            path.rename(work / "old")
        try:
            (work / "new").rename(path)
        except OSError:
            if (work / "old").exists():
                (work / "old").rename(path)
            raise
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be written: {error.strerror or error}",
            hint="Check the folder's permissions and the free space.",
        ) from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)


OUTPUTS: Mapping[str, OutputKind] = {
    kind.name: kind
    for kind in (
        OutputKind("labels", "Labels (TIFF)", ("_labels.tif",), _labels),
        OutputKind("zarr", "Labels (OME-Zarr)", ("_labels.ome.zarr",), _zarr, require_zarr),
        OutputKind("polygons", "Polygons (GeoJSON, QuPath)", ("_polygons.geojson",), _polygons),
        OutputKind("rois", "ImageJ ROIs (zip)", ("_rois.zip",), _rois),
        OutputKind("coco", "COCO annotations (JSON)", ("_coco.json",), _coco),
        OutputKind(
            "outlines", "Outlines on the image (PNG)", ("_outlines.png", "_outlines"), _outlines
        ),
        OutputKind("probability", "Probability (TIFF)", ("_probability.tif",), _probability),
        OutputKind("classes", "Classes (TIFF)", ("_classes.tif",), _classes),
    )
}
DEFAULT = ("labels", "polygons")
