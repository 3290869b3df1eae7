"""Accuracy of a taught classifier by the number of examples, on real objects.

    python benchmarks/teaching.py DATA [--images 20] [--repeats 10]

DATA is a folder with manifest.csv (columns source, part, file, mask_file). Examples are drawn from
images of the part "train" and tried on all objects of the part "test"; no image is in both. Debris
is what a threshold finds in images of organoids outside of their masks. The figure is the mean over
classes of the share that was told right, for the classes have different sizes.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from napari_spheroseg.classification.examples import TeachSettings
from napari_spheroseg.classification.teach import describe, teach
from napari_spheroseg.inference.frames import as_grey
from napari_spheroseg.readwrite.images import read_image

KINDS = {
    "cells_omnipose": "bacterium",
    "cells_yeast_baby": "yeast",
    "orgaquant_poly": "organoid",
    "fis_organoids": "organoid",
}
DEBRIS = "debris"
CLICKS = (1, 2, 3, 5, 10, 20, 50)
_SMALLEST, _LARGEST = 15, 400  # px, of debris


def debris(grey: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """What stands out from the ground and is no object of the masks."""
    plane = grey.astype(np.float32)
    apart = np.abs(plane - cv2.medianBlur(plane, 5))
    apart = np.maximum(apart, np.abs(cv2.GaussianBlur(plane, (0, 0), 1) - _ground(plane)))
    free = cv2.dilate((masks > 0).astype(np.uint8), np.ones((9, 9))) == 0
    spread = 1.4826 * np.median(apart[free])
    found = ((apart > 5 * spread) & free).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((2, 2)))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA]
    keep = (area >= _SMALLEST) & (area <= _LARGEST)
    keep[0] = False
    return np.where(keep[labels], labels, 0).astype(np.int32)


def _ground(plane: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(plane, (0, 0), 15)


def objects(data: Path, images: int) -> pd.DataFrame:
    """Features of all objects, with the columns kind and part."""
    taken: dict[tuple[str, str], int] = defaultdict(int)
    tables = []
    with (data / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            kind, part = KINDS.get(row["source"]), row["part"]
            if kind is None or part not in ("train", "test"):
                continue
            taken[row["source"], part] += 1
            if taken[row["source"], part] > images:
                continue
            grey = as_grey(read_image(data / row["file"]).data)
            labels = np.asarray(read_image(data / row["mask_file"]).data, np.int32)
            found = [(kind, labels)]
            if row["source"] == "orgaquant_poly":
                found.append((DEBRIS, debris(grey, labels)))
            for name, each in found:
                if each.any():
                    tables.append(describe(each, grey).assign(kind=name, part=part))
    return pd.concat(tables, ignore_index=True)


def score(told: np.ndarray, truth: np.ndarray) -> float:
    """Mean over classes of the share that was told right."""
    return float(np.mean([(told[truth == each] == each).mean() for each in np.unique(truth)]))


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("data", type=Path)
    asked.add_argument("--images", type=int, default=20, help="At most, of each source and part.")
    asked.add_argument("--repeats", type=int, default=10)
    given = asked.parse_args()
    table = objects(given.data, given.images)
    table["label"] = np.arange(1, len(table) + 1)  # unique over all images
    kinds = table.pop("kind").to_numpy()
    parts = table.pop("part").to_numpy()
    print(pd.crosstab(kinds, parts).to_string(), "\n")
    train, test = np.flatnonzero(parts == "train"), np.flatnonzero(parts == "test")
    print("| examples a class | forest | logistic |\n| --- | --- | --- |")
    for clicks in CLICKS:
        cells = []
        for method in ("forest", "logistic"):
            scores = []
            for seed in range(given.repeats):
                rng = np.random.default_rng(seed)
                rows = np.concatenate(
                    [
                        rng.permutation(train[kinds[train] == kind])[:clicks]
                        for kind in np.unique(kinds)
                    ]
                )
                examples = {int(table["label"][row]): str(kinds[row]) for row in rows}
                settings = TeachSettings(method=method, seed=seed)
                taught = teach(table, examples, settings=settings, check=False)
                told = taught.predict(table.iloc[test])["class"].to_numpy()
                scores.append(score(told, kinds[test]))
            cells.append(f"{np.mean(scores):.3f} ± {np.std(scores):.3f}")
        print(f"| {clicks} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
