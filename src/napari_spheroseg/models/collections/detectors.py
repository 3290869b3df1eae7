"""Detectors of collections, run by the package that they were trained with: RF-DETR."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...errors import MissingPackage, WrongWeights
from ...extras import require
from ...settings import Settings
from .hitmictools import UnfitModel

PACKAGE = "rfdetr"
"""On the Python Package Index; Apache-2.0."""
_CLASS, _TYPE = "RFDETRBase", "rfdetrbase"
_HEAD = "class_embed.bias"  # a number for each class, and one more


class DetectorSettings(Settings):
    """How a detector goes over an image."""

    tile: int = Field(560, ge=32, title="Tile", description="Side of the tiles in pixels.")
    overlap: float = Field(
        0.25, ge=0, lt=1, title="Overlap", description="Part of a tile that the next shares."
    )
    threshold: float = Field(
        0.5, ge=0, le=1, title="Score", description="Boxes count above this score."
    )
    most_overlap: float = Field(
        0.5,
        ge=0,
        le=1,
        title="Same place",
        description="Of two boxes of a class that share more of their union, the better counts.",
    )


class Boxes(NamedTuple):
    """What was found in an image.

    Attributes
    ----------
    sides : ndarray of float64, (N, 4)
        First column, first row, last column, last row, in pixels.
    classes : ndarray of int64, (N,)
    scores : ndarray of float64, (N,)
    """

    sides: NDArray[np.float64]
    classes: NDArray[np.int64]
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, sides: Any, classes: Any, scores: Any) -> Boxes:
        """From whatever numpy takes."""
        return cls(
            np.asarray(sides, np.float64).reshape(-1, 4),
            np.asarray(classes, np.int64).reshape(-1),
            np.asarray(scores, np.float64).reshape(-1),
        )


@dataclass(frozen=True, eq=False)
class Detector:
    """A detector of places, such as those that are out of focus.

    Attributes
    ----------
    reference : str
        What it is found by.
    settings : DetectorSettings
    classes : tuple of str
        In the order of their numbers.
    state : mapping
        Its weights.
    sha256 : str
        Of their file.
    """

    reference: str
    settings: DetectorSettings
    classes: tuple[str, ...]
    state: Mapping[str, Any]
    sha256: str

    def find(self, tiles: Sequence[NDArray[np.float32]], device: str = "cpu") -> list[Boxes]:
        """What is in tiles.

        Parameters
        ----------
        tiles : sequence of ndarray of float32, (y, x, 3)
            Values in [0, 1].
        device : str
            As torch names it; the first that is given counts.

        Returns
        -------
        list of Boxes
            One a tile.

        Raises
        ------
        MissingPackage, WrongWeights
            The package is of another kind, or cannot load the weights.
        """
        if "network" not in self._opened:
            self._opened["network"] = self._open(device)
        found = self._opened["network"].predict(list(tiles), threshold=self.settings.threshold)
        found = found if isinstance(found, list) else [found]  # some versions, of one image
        return [Boxes.of(each.xyxy, each.class_id, each.confidence) for each in found]

    def name_of(self, number: int) -> str:
        """Of a class."""
        known = 0 <= number < len(self.classes)
        return self.classes[number] if known else f"Unknown_Class_{number}"

    @cached_property
    def _opened(self) -> dict[str, Any]:
        """The network, once it was asked for."""
        return {}

    def _open(self, device: str) -> Any:
        """The package's network, from a file that holds its weights and nothing else.

        It may open whatever pickle it is given, and download another where a file has a name that
        it knows and does not open: it never sees the collection's.
        """
        import torch

        build = getattr(import_module(PACKAGE), _CLASS, None)
        if build is None:
            raise MissingPackage(
                f"This {PACKAGE} has no {_CLASS}, which '{self.reference}' needs",
                hint=f'Install an earlier one with: pip install "{PACKAGE}<2".',
            )
        with tempfile.TemporaryDirectory(prefix="spheroseg-") as folder:
            path = Path(folder) / "detector.pth"
            torch.save({"model": dict(self.state)}, path)
            try:
                count = len(self.state[_HEAD]) - 1
                return build(pretrain_weights=str(path), num_classes=count, device=device)
            except Exception as error:  # whatever the package makes of weights that do not fit
                raise WrongWeights(
                    f"{PACKAGE} cannot load '{self.reference}': {str(error)[:200]}",
                    hint="Use the version that it was trained with, or HiTMicTools.",
                ) from error


def open_detector(
    reference: str,
    weights: Path,
    described: Mapping[str, Any],
    inferer: Mapping[str, Any],
    classes: tuple[str, ...],
) -> Detector:
    """A detector from its files and settings; its network is built when it is first used.

    Parameters
    ----------
    reference : str
        What it is found by.
    weights : Path
        A torch file with the weights under ``model``.
    described : mapping
        Its metadata JSON: ``model_type``.
    inferer : mapping
        ``patch_size``, ``overlap_ratio``, ``score_threshold``, ``nms_iou``.
    classes : tuple of str
        Their names.

    Raises
    ------
    MissingPackage
        RF-DETR is not installed.
    UnfitModel
        It is another kind of RF-DETR.
    UnreadableFile, UnsafeFile, WrongWeights, BadSetting
        It cannot be opened.
    """
    from ..formats.checkpoints import read_state
    from ..model import sha256_of

    require(PACKAGE, purpose=f"'{reference.rpartition('#')[2]}'")
    kind = str(described.get("model_type") or _TYPE)
    if kind.lower() != _TYPE:
        raise UnfitModel(
            f"'{reference}' is a '{kind}', and only '{_TYPE}' is run here",
            hint="Use HiTMicTools for it.",
        )
    state = read_state(weights)
    if _HEAD not in state:
        raise WrongWeights(f"{weights.name} does not hold the weights of an RF-DETR")
    names = {
        "tile": "patch_size",
        "overlap": "overlap_ratio",
        "threshold": "score_threshold",
        "most_overlap": "nms_iou",
    }
    given = {ours: inferer[theirs] for ours, theirs in names.items() if theirs in inferer}
    return Detector(reference, DetectorSettings(**given), classes, state, sha256_of(weights))
