"""How far the labels of each backend and precision are from those of PyTorch in float32.

    python benchmarks/backends.py DATA [--models unet hrnet cbam_resunet] [--part test]

DATA holds manifest.csv. Prints the Dice of the foreground, mean and least over images.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np

import napari_spheroseg as ss
from napari_spheroseg.errors import BadSetting, NoDevice

CASES = (("openvino", "float32"), ("openvino", "auto"), ("onnxruntime", "float32"))


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    total = int(found.sum()) + int(truth.sum())
    return 2 * int((found & truth).sum()) / total if total else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", nargs="*", default=["unet", "hrnet", "cbam_resunet"])
    parser.add_argument("--part", default="test")
    options = parser.parse_args()
    rows = list(csv.DictReader((options.data / "manifest.csv").open()))
    images = [
        ss.read_image(options.data / row["file"]) for row in rows if row["part"] == options.part
    ]
    for model in options.models:
        exact = [labels(each, model, "torch", "float32") for each in images]
        for backend, precision in CASES:
            try:
                found = [labels(each, model, backend, precision) for each in images]
            except (NoDevice, BadSetting) as error:
                print(f"{model:14} {backend:12} {precision:9} {error}")
                continue
            scores = [dice(a, b) for a, b in zip(found, exact, strict=True)]
            print(
                f"{model:14} {backend:12} {precision:9} mean {np.mean(scores):.5f} "
                f"least {min(scores):.5f} over {len(scores)} images"
            )


def labels(image: Any, model: str, backend: str, precision: str) -> np.ndarray:
    result = ss.segment(
        image.data, model, axes=image.axes, device="cpu", backend=backend, precision=precision
    )
    return result.labels > 0


if __name__ == "__main__":
    main()
