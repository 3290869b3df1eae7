"""What a model finds in drawn images of any look: a figure and a picture for its card."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import napari_spheroseg as ss
from napari_spheroseg.synthetic import Modality
from napari_spheroseg.training.evaluation import Case
from napari_spheroseg.training.metrics import score
from napari_spheroseg.training.report import draw_case

MODALITIES: tuple[Modality, ...] = ("brightfield", "fluorescence", "any")
PICTURE = "examples.jpg"
COUNT = 40
_FIRST = 900_000  # training draws its seeds from all numbers: one of these is not likely to be met
_SIDE = 300  # px, of one image in the picture


def measure_drawn(folder: Path) -> dict[str, float]:
    """IoU on images of each modality; writes the best, middle and worst of any look as a picture.

    Parameters
    ----------
    folder : Path
        Of the model; gets ``examples.jpg``.

    Returns
    -------
    dict
        Mean IoU by modality.
    """
    cases = {
        modality: sorted((segment(folder, modality, seed) for seed in range(COUNT)), key=_iou)
        for modality in MODALITIES
    }
    shown = [cases["brightfield"][COUNT // 2], cases["fluorescence"][COUNT // 2]]
    shown += [cases["any"][place] for place in (-1, COUNT // 2, 0)]
    picture = np.hstack([_small(case) for case in shown])
    cv2.imwrite(str(folder / PICTURE), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return {
        modality: round(float(np.mean([_iou(case) for case in own])), 3)
        for modality, own in cases.items()
    }


def segment(folder: Path, modality: Modality, seed: int) -> Case:
    """A drawn image with what the model finds."""
    rng = np.random.default_rng(_FIRST + seed)
    largest = rng.uniform(0.06, 0.3)
    drawn = ss.synthetic.spheroids(
        (512, 512),
        int(rng.integers(1, 20)),
        modality,
        seed=_FIRST + seed,
        radius=(0.4 * largest, largest),
    )
    found = np.asarray(ss.segment(drawn.image, str(folder)).labels)
    scores = score(drawn.labels, found)
    return Case(f"{modality} {seed}", modality, drawn.image, drawn.labels, found, scores)


def _iou(case: Case) -> float:
    return case.scores["pixel_iou"]


def _small(case: Case) -> NDArray[np.uint8]:
    picture = draw_case(case)
    height = round(picture.shape[0] * _SIDE / picture.shape[1])
    return np.asarray(cv2.resize(picture, (_SIDE, height), interpolation=cv2.INTER_AREA), np.uint8)
