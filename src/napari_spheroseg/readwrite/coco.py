"""Labels as COCO annotations, which training elsewhere and annotation tools read.

Format: https://cocodataset.org/#format-data. Objects are run lengths of pixels in column order,
which hold every pixel and every hole; polygons of COCO have no holes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableFile
from .atomic import replacing, write_text

_PARTS = ("images", "annotations", "categories")


@dataclass(frozen=True, eq=False)
class CocoImage:
    """One image of a dataset.

    Attributes
    ----------
    name : str
        Of its file; each image of a dataset has its own.
    labels : ndarray of int32, (Y, X)
        0 is background.
    shape : (int, int) or None
        Height and width of the image where the labels are only a part of it.
    corner : (int, int)
        Row and column of the image that the labels' first pixel is.
    more : mapping
        Further members of the image's entry, such as its frame in a stack.
    """

    name: str
    labels: NDArray[np.int32]
    shape: tuple[int, int] | None = None
    corner: tuple[int, int] = (0, 0)
    more: Mapping[str, Any] = field(default_factory=dict)


def write_coco(path: Path, images: Iterable[CocoImage], category: str = "spheroid") -> None:
    """Write labels as one COCO file.

    Parameters
    ----------
    path : Path
    images : iterable of CocoImage
        Taken one after the other.
    category : str
        Class of all objects.

    Raises
    ------
    UnreadableFile
        It cannot be written.
    """
    content: dict[str, list[dict[str, Any]]] = {part: [] for part in _PARTS}
    content["categories"].append({"id": 1, "name": category, "supercategory": ""})
    for number, image in enumerate(images, start=1):
        height, width = image.shape or image.labels.shape
        content["images"].append(
            {
                "id": number,
                "file_name": image.name,
                "height": int(height),
                "width": int(width),
                **image.more,
            }
        )
        for each in _objects(image, (int(height), int(width))):
            place = {"id": len(content["annotations"]) + 1, "image_id": number, "category_id": 1}
            content["annotations"].append({**place, **each})
    write_text(path, json.dumps(content))


def merge_coco(files: Sequence[Path], path: Path) -> None:
    """Join COCO files into one dataset; images and annotations are numbered anew.

    One file after the other is held in memory, none for long: each is read twice. Categories of
    one name become one.

    Parameters
    ----------
    files : sequence of Path
    path : Path
        May be one of them.

    Raises
    ------
    UnreadableFile
        One of them is no COCO file, or the result cannot be written.
    """
    categories: dict[str, dict[str, Any]] = {}
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as out:
        _write_part(out, '{"images": ', _images_of(files, categories))
        _write_part(out, ', "annotations": ', _annotations_of(files, categories))
        _write_part(out, ', "categories": ', iter(categories.values()))
        out.write("}")


def _objects(image: CocoImage, shape: tuple[int, int]) -> Iterator[dict[str, Any]]:
    """Annotations but for their numbers, in the order of labels."""
    from skimage.measure import regionprops

    height, width = shape
    for region in regionprops(np.asarray(image.labels, np.int32)):
        top, left = region.bbox[0] + image.corner[0], region.bbox[1] + image.corner[1]
        rows, columns = region.image.shape
        yield {
            "segmentation": {
                "size": [height, width],
                "counts": _run_lengths(region.image, top, left, shape),
            },
            "bbox": [int(left), int(top), int(columns), int(rows)],
            "area": int(region.area),
            "iscrowd": 0,
            "label": int(region.label),
        }


def _run_lengths(mask: NDArray[np.bool_], top: int, left: int, shape: tuple[int, int]) -> list[int]:
    """Lengths of runs, of background first, down the columns of an image that holds the mask."""
    height, width = shape
    rows, columns = mask.shape
    padded = np.zeros((columns, rows + 2), np.int8)
    padded[:, 1:-1] = mask.T
    steps = np.diff(padded, axis=1)
    starts, ends = (
        (column + left) * height + row + top
        for column, row in (np.nonzero(steps == 1), np.nonzero(steps == -1))
    )
    apart = starts[1:] != ends[:-1]  # not so where an object reaches from the bottom to the top
    starts, ends = starts[np.append(True, apart)], ends[np.append(apart, True)]
    borders = np.stack([starts, ends], axis=1).ravel()
    counts: list[int] = np.diff(borders, prepend=0, append=height * width).tolist()
    return counts[:-1] if counts[-1] == 0 else counts


# ---------------------------------------------------------------- merging


def _images_of(
    files: Sequence[Path], categories: dict[str, dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Images with new numbers; fills in the categories on the way."""
    number = 0
    for path in files:
        content = _read(path)
        for each in content["categories"]:
            categories.setdefault(each["name"], {**each, "id": len(categories) + 1})
        for each in content["images"]:
            number += 1
            yield {**each, "id": number}


def _annotations_of(
    files: Sequence[Path], categories: Mapping[str, Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    before, number = 0, 0
    for path in files:
        content = _read(path)
        images = {each["id"]: before + i for i, each in enumerate(content["images"], start=1)}
        kinds = {each["id"]: categories[each["name"]]["id"] for each in content["categories"]}
        for each in content["annotations"]:
            number += 1
            try:
                place = {
                    "image_id": images[each["image_id"]],
                    "category_id": kinds[each["category_id"]],
                }
            except KeyError as error:
                raise _bad(path, f"an annotation's {error} is not there") from error
            yield {**each, "id": number, **place}
        before += len(content["images"])


def _read(path: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = {part: content[part] for part in _PARTS}
        ids = [[each["id"] for each in found[part]] for part in _PARTS]
        names = [each["name"] for each in found["categories"]]
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read", hint="Check the path.") from error
    except (LookupError, TypeError, ValueError) as error:
        raise _bad(path, str(error)) from error
    if any(len(set(them)) < len(them) for them in (*ids, names)):
        raise _bad(path, "a number or name is there twice")
    return found


def _bad(path: Path, why: str) -> UnreadableFile:
    return UnreadableFile(
        f"{path.name} is no COCO file: {why}",
        hint="It needs images, annotations and categories, each with an id.",
    )


def _write_part(out: IO[str], begin: str, entries: Iterator[Mapping[str, Any]]) -> None:
    out.write(f"{begin}[")
    for number, entry in enumerate(entries):
        out.write((",\n" if number else "\n") + json.dumps(entry))
    out.write("]")
