"""Images with masks: where they are, what they belong to, and which part they stand in."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage, BadSetting, UnreadableFile
from ..inference.frames import Frames
from ..readwrite.images import SUFFIXES, read_image
from .settings import Data

Part = Literal["train", "val", "test"]
_MASK_ENDINGS = ("_labels", "_mask", "_masks", "_seg", "-labels", "-mask")


@dataclass(frozen=True)
class Pair:
    """An image file and its mask file.

    Attributes
    ----------
    image, mask : Path
    source : str
        Data set it comes from.
    group : str
        Pairs of one group never stand on both sides of a split.
    part : str
        "train", "val", "test", or "" while it is not decided.
    binary : bool or None
        Whether the mask tells no objects apart; None: its values say.
    """

    image: Path
    mask: Path
    source: str = "images"
    group: str = ""
    part: str = ""
    binary: bool | None = None

    @property
    def name(self) -> str:
        """What the pair is called in messages."""
        return self.image.name

    def read(self) -> tuple[NDArray[Any], NDArray[np.int32]]:
        """The image (Y, X) or (Y, X, 3), and its objects as int32 (Y, X), 1 to n.

        Raises
        ------
        UnreadableFile
            One of the files is missing or damaged.
        BadImage
            Sizes differ, or there is more than one plane.
        """
        image, mask = self._plane(self.image), self._plane(self.mask)
        if mask.ndim == 3:  # a colour an object, or grey saved as RGB; 16 bits a channel
            mask = mask.astype(np.int64) @ np.array([1, 1 << 16, 1 << 32])
        if mask.shape != image.shape[:2]:
            raise BadImage(
                f"{self.name} is {_size(image)} pixels and its mask {self.mask.name} {_size(mask)}",
                hint="Image and mask must have the same size.",
            )
        return image, objects(mask, self.binary)

    @staticmethod
    def _plane(path: Path) -> NDArray[Any]:
        file = read_image(path)
        frames = Frames.of(file.data, file.axes)
        if frames.leading_shape and np.prod(frames.leading_shape) > 1:
            raise BadImage(
                f"{path.name} is a stack of shape {file.data.shape}",
                hint="Save the planes to learn from as single images.",
            )
        return np.asarray(frames[(0,) * len(frames.leading_shape)])


def _size(image: NDArray[Any]) -> str:
    return f"{image.shape[1]} × {image.shape[0]}"


def objects(mask: NDArray[Any], binary: bool | None = None) -> NDArray[np.int32]:
    """Objects of a mask, numbered 1 to n; connected components where it tells none apart.

    Parameters
    ----------
    mask : ndarray, (Y, X)
        0 is background.
    binary : bool, optional
        Whether every value above 0 is just foreground; by default where there is only one.
    """
    values = np.unique(mask)
    values = values[values > 0]
    if binary or (binary is None and len(values) <= 1):
        labels = cv2.connectedComponents((mask > 0).astype(np.uint8), connectivity=8)[1]
        return np.asarray(labels, np.int32)
    return np.where(mask > 0, np.searchsorted(values, mask) + 1, 0).astype(np.int32)


@dataclass(frozen=True)
class Dataset:
    """All pairs of a training run, with what was left out.

    Attributes
    ----------
    pairs : tuple of Pair
    left_out : tuple of str
        Files without a partner, as sentences.
    """

    pairs: tuple[Pair, ...]
    left_out: tuple[str, ...] = ()

    def part(self, name: Part) -> list[Pair]:
        """Pairs of one part."""
        return [pair for pair in self.pairs if pair.part == name]

    @cached_property
    def by_source(self) -> dict[str, list[Pair]]:
        """Pairs of the train part, by source."""
        out = defaultdict(list)
        for pair in self.part("train"):
            out[pair.source].append(pair)
        return dict(out)


def find_pairs(data: Data, seed: int = 0) -> Dataset:
    """Pairs that the settings name, divided into parts.

    Parameters
    ----------
    data : Data
    seed : int
        Decides which groups validate, where the data do not say it.

    Returns
    -------
    Dataset

    Raises
    ------
    UnreadableFile
        A folder or the manifest is missing, or holds nothing that can be used.
    BadSetting
        A source or group pattern does not fit.
    """
    if data.manifest is not None:
        found = pairs_in_manifest(data.manifest)
    else:
        assert data.images is not None
        assert data.masks is not None
        found = pairs_in_folders(data.images, data.masks)
    pairs = list(found.pairs)
    if data.sources:
        known = {pair.source for pair in pairs}
        if unknown := set(data.sources) - known:
            raise BadSetting(
                f"No image is of source '{min(unknown)}'", hint=f"There are: {sorted(known)}."
            )
        pairs = [pair for pair in pairs if pair.source in data.sources]
    if data.group is not None:
        pairs = [replace(pair, group=_group(data.group, pair.image.stem)) for pair in pairs]
    return replace(found, pairs=tuple(split(pairs, data.validation_share, seed)))


def _group(pattern: str, stem: str) -> str:
    try:
        match = re.search(pattern, stem)
    except re.error as error:
        raise BadSetting(f"'{pattern}' is no regular expression: {error}") from error
    if match is None:
        return stem
    return "|".join(match.groups() or [match.group()])


def split(pairs: list[Pair], validation_share: float, seed: int) -> list[Pair]:
    """Give a part to the pairs that have none; a group stays together.

    Raises
    ------
    BadSetting
        There are too few groups to divide.
    """
    free = [pair for pair in pairs if not pair.part]
    if not free:
        return pairs
    parts = {_together(pair): pair.part for pair in pairs if pair.part}
    groups = sorted({_together(pair) for pair in free} - set(parts))
    if len(groups) < 2 and not any(pair.part == "val" for pair in pairs):
        what = "image" if len(free) == 1 else "group of images"
        raise BadSetting(
            f"There is only one {what}", hint="At least two are needed: to learn and to validate."
        )
    count = min(max(1, round(validation_share * len(groups))), len(groups) - 1)
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    parts |= {groups[i]: "val" if n < count else "train" for n, i in enumerate(shuffled)}
    return [pair if pair.part else replace(pair, part=parts[_together(pair)]) for pair in pairs]


def _together(pair: Pair) -> str:
    return pair.group or pair.image.stem


def _images_in(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Image files of a folder by stem, the first of each; and the others, as sentences."""
    if not folder.is_dir():
        raise UnreadableFile(f"There is no folder {folder}", hint="Check the path.")
    paths = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in SUFFIXES]
    paths = [p for p in paths if not p.name.startswith(".")]
    if not paths:
        raise UnreadableFile(
            f"The folder {folder} holds no image", hint=f"Images end in {', '.join(SUFFIXES)}."
        )
    first: dict[str, Path] = {}
    for path in paths:
        first.setdefault(path.stem, path)
    others = [path for path in paths if first[path.stem] != path]
    return first, [f"{p.name} has the stem of {first[p.stem].name}" for p in others]


def _mask_stem(stem: str) -> str:
    return next((stem.removesuffix(e) for e in _MASK_ENDINGS if stem.endswith(e)), stem)


def pairs_in_folders(images: Path, masks: Path) -> Dataset:
    """Images and masks of the same stem, endings like ``_mask`` or ``_labels`` aside."""
    found_masks, left = _images_in(masks)
    found_images, twice = _images_in(images)
    left = sorted({*left, *twice})
    if images.resolve() == masks.resolve():  # masks stand beside images: told by their ending
        found_masks = {s: p for s, p in found_masks.items() if _mask_stem(s) != s}
        found_images = {s: p for s, p in found_images.items() if _mask_stem(s) == s}
    by_stem = {_mask_stem(stem): path for stem, path in found_masks.items()} | {
        stem: path for stem, path in found_masks.items() if stem in found_images
    }
    both = [stem for stem in found_images if stem in by_stem]
    if not both:
        raise UnreadableFile(
            f"No image of {images} has a mask in {masks}",
            hint="A mask has the name of its image, or that and _mask or _labels.",
        )
    used = {by_stem[stem] for stem in both}
    left += [f"{p.name} has no mask" for s, p in found_images.items() if s not in by_stem]
    left += [f"{p.name} has no image" for p in found_masks.values() if p not in used]
    return Dataset(tuple(Pair(found_images[s], by_stem[s]) for s in both), tuple(left))


def pairs_in_manifest(path: Path) -> Dataset:
    """Pairs of a CSV; its paths are relative to it."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(f"{path} cannot be read", hint="It must be a CSV file.") from error
    if not rows or not {"file", "mask_file"} <= set(rows[0]):
        raise UnreadableFile(
            f"{path.name} does not say which mask is whose",
            hint="It needs the columns file and mask_file.",
        )
    pairs, left = [], []
    for row in rows:
        if not row["file"] or not row["mask_file"]:
            left.append(f"{row['file'] or row['mask_file']} has no partner")
            continue
        part = (row.get("part") or "").strip().lower()
        if part not in ("", "train", "val", "test"):
            raise BadSetting(
                f"{row['file']} is of part '{part}'", hint="Parts are train, val and test."
            )
        pairs.append(
            Pair(
                path.parent / row["file"],
                path.parent / row["mask_file"],
                row.get("source") or "images",
                row.get("group") or "",
                part,
                {"binary": True, "instance": False}.get(row.get("mask_kind") or ""),
            )
        )
    return Dataset(tuple(pairs), tuple(left))
