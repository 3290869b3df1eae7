"""How well the models that ship, and classical methods, outline the spheroids of a data set.

    python benchmarks/segmentation.py DATA [--part test] [--models unet hrnet cbam_resunet]

DATA holds manifest.csv. Prints a table in Markdown: the mean IoU of the foreground over the
images of each source, and over sources, and the F1 of objects where masks tell them apart. Models
run as they come, and with test-time augmentation. Classical methods get what they need to look
good: each takes the polarity, dark or bright objects, that scores better on the source.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import binary_fill_holes, gaussian_filter
from skimage.filters import sobel, threshold_otsu
from skimage.measure import label
from skimage.morphology import closing, disk, opening, remove_small_objects

import napari_spheroseg as ss
from napari_spheroseg.training.metrics import score
from napari_spheroseg.training.pairs import Pair, find_pairs
from napari_spheroseg.training.settings import Data

SOURCES = ("ewing_microwell", "fis_organoids", "invasion_fluo", "ipsc_aggregates", "orgaquant_poly")
Method = Callable[[np.ndarray, int], np.ndarray]


def grey(image: np.ndarray) -> np.ndarray:
    image = image.astype(np.float32)
    return image[..., :3].mean(-1) if image.ndim == 3 else image


def tidy(mask: np.ndarray) -> np.ndarray:
    mask = opening(binary_fill_holes(mask), disk(2))
    return label(remove_small_objects(mask, max_size=49))


def otsu(image: np.ndarray, sign: int) -> np.ndarray:
    image = gaussian_filter(sign * image, 1)
    return tidy(image > threshold_otsu(image))


def flattened_otsu(image: np.ndarray, sign: int) -> np.ndarray:
    return otsu(image - gaussian_filter(image, max(image.shape) / 6), sign)


def sobel_edges(image: np.ndarray, sign: int) -> np.ndarray:
    edges = sobel(gaussian_filter(image, 1.5))
    return tidy(closing(edges > threshold_otsu(edges), disk(4)))


CLASSICAL: dict[str, Method] = {
    "Otsu": otsu,
    "flattened Otsu": flattened_otsu,
    "Sobel edges": sobel_edges,
}


def classical(method: Method, pairs: list[Pair]) -> dict[str, tuple[float, float]]:
    """IoU and F1 by source, with the better polarity of each."""
    rows = []
    for pair in pairs:
        image, truth = pair.read()
        for sign in (1, -1):
            scores = score(truth, method(grey(image), sign), binary=bool(pair.binary))
            rows.append((pair.source, sign, scores["pixel_iou"], scores["object_f1"]))
    table = pd.DataFrame(rows, columns=["source", "sign", "iou", "f1"])
    means = table.groupby(["source", "sign"])[["iou", "f1"]].mean().reset_index()
    best = means.loc[means.groupby("source")["iou"].idxmax()]
    return {row.source: (row.iou, row.f1) for row in best.itertuples()}


def network(model: str, pairs: list[Pair], augmented: bool) -> dict[str, tuple[float, float]]:
    """IoU and F1 by source."""
    evaluation = ss.evaluate(model, pairs, thresholds=[0.5], test_time_augmentation=augmented)
    table = evaluation.sources.set_index("source")
    return {k: (table.loc[k, "pixel_iou"], table.loc[k, "object_f1"]) for k in table.index}


def line(name: str, scores: dict[str, tuple[float, float]]) -> str:
    """A row of the table."""
    cells = []
    for source in SOURCES:
        iou, f1 = scores[source]
        cells.append(f"{iou:.3f}" if np.isnan(f1) else f"{iou:.3f} / {f1:.3f}")
    mean = np.mean([scores[source][0] for source in SOURCES])
    return f"| {name} | {' | '.join(cells)} | {mean:.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--part", default="test")
    parser.add_argument("--models", nargs="*", default=["unet", "hrnet", "cbam_resunet"])
    options = parser.parse_args()
    found = find_pairs(Data(manifest=options.data / "manifest.csv"))
    pairs = [p for p in found.part(options.part) if p.source in SOURCES]
    print(f"| | {' | '.join(SOURCES)} | mean IoU |")
    print("| --- " * (len(SOURCES) + 2) + "|")
    for name, method in CLASSICAL.items():
        print(line(name, classical(method, pairs)), flush=True)
    for model in options.models:
        print(line(f"`{model}`", network(model, pairs, False)), flush=True)
        print(line(f"`{model}`, augmented", network(model, pairs, True)), flush=True)


if __name__ == "__main__":
    main()
