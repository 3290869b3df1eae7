"""Make weights/unet from a finished run of train_unet.py, with its card.

    python scripts/ship_unet.py DATA --run runs/unet

Weights become float16 safetensors. The val and test parts of DATA are measured with the package's
own pipeline, as a user would run it, and the figures go into model.json and the card.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from skimage.io import imread

import napari_spheroseg as ss
from napari_spheroseg.models import ModelMetadata, Preparation
from napari_spheroseg.models.library import WEIGHTS, write_metadata
from napari_spheroseg.models.model import sha256_of
from train_unet import ARGUMENTS, DRAW

NOTES = {
    "orgaquant_poly": "outlined by hand",
    "fis_organoids": "masks of a CellProfiler pipeline",
    "invasion_fluo": "threshold, corrected by the authors",
    "ewing_microwell": "masks made by an algorithm and looked at; no expert outlined them",
    "ipsc_aggregates": "masks made by an algorithm and looked at; no expert outlined them",
}


def scores(data: Path, part: str, model: ss.models.Model) -> dict[str, float]:
    """Mean IoU of the foreground by source, and over sources."""
    found = defaultdict(list)
    for row in csv.DictReader((data / "manifest.csv").open()):
        if row["part"] == part and row["source"] in DRAW:
            truth = imread(data / row["mask_file"])
            truth = (truth[..., 0] if truth.ndim == 3 else truth) > 0
            labels = ss.segment(ss.read_image(data / row["file"]).data, model).labels > 0
            either = (truth | labels).sum()
            found[row["source"]].append((truth & labels).sum() / either if either else 1.0)
    means = {source: round(float(np.mean(ious)), 3) for source, ious in sorted(found.items())}
    return means | {"mean": round(float(np.mean(list(means.values()))), 3)}


def training_data(data: Path) -> list[dict]:
    """Sources, with licence and number of images."""
    rows = [
        row
        for row in csv.DictReader((data / "manifest.csv").open())
        if row["part"] == "train" and row["source"] in DRAW
    ]
    counts = Counter(row["source"] for row in rows)
    first = {row["source"]: row for row in reversed(rows)}
    return [
        {
            "name": source,
            "licence": first[source]["licence"],
            "url": f"https://github.com/{first[source]['repo']}",
            "images": counts[source],
            "note": NOTES[source],
        }
        for source in sorted(counts)
    ] + [{"name": "synthetic", "licence": "MIT", "note": "napari_spheroseg.synthetic, endless"}]


def card(metadata: ModelMetadata, steps: int) -> str:
    """The model's README."""
    tested, watched = metadata.metrics["test_iou"], metadata.metrics["val_iou"]
    lines = [
        f"# {metadata.title}\n",
        metadata.description + "\n",
        "| source | licence | training images | masks | IoU, val | IoU, test |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for each in metadata.training_data:
        name = f"[{each.name}]({each.url})" if each.url else each.name
        lines.append(
            f"| {name} | {each.licence} | {each.images or 'drawn on the fly'} | {each.note} "
            f"| {watched.get(each.name, '')} | {tested.get(each.name, '')} |"
        )
    lines += [
        f"| mean over sources | | | | {watched['mean']} | {tested['mean']} |\n",
        "IoU is that of the foreground at threshold 0.5, averaged over images, then over sources. "
        "Nothing was chosen by the test part; it was looked at once during training, at step 700 "
        "(mean 0.913), and measured at the end.\n",
        f"Recipe: `scripts/train_unet.py`, {steps} steps of 8 crops of 256 px, seed 0, on two "
        "processor cores; binary cross-entropy (pixels where objects touch weigh five times) plus "
        "Dice; rotation, mirroring, scale, polarity, gamma, contrast, shading, blur, noise; "
        "exponential average of the weights.\n",
        "Where it fails, as seen on the val part: organoids out of focus are found that annotators "
        "leave out; a large cyst with a clear inside may be missed; of crowded aggregates some "
        "come out as one (try *Split touching*). Objects only a few pixels wide once the image is "
        "resized to 448 px need a larger *Working size*.\n",
        "Licence of the weights: MIT. Where a source states no licence, its images were used for "
        "training only and are not part of this package.\n",
    ]
    return "\n".join(lines)


def main() -> None:
    """Write weights/unet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--run", type=Path, default=Path("runs/unet"))
    parser.add_argument("--out", type=Path, default=Path("weights/unet"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    log = [json.loads(line) for line in (options.run / "log.jsonl").read_text().splitlines()]
    state = torch.load(options.run / "model.pt", weights_only=True)
    save_file({key: value.half() for key, value in state.items()}, options.out / WEIGHTS)
    metadata = ModelMetadata(
        name="unet",
        title="UNet",
        network="unet",
        arguments=ARGUMENTS,
        preparation=Preparation(long_side=448),
        post_processing={"min_area": 50},
        training_data=training_data(options.data),
        sha256=sha256_of(options.out / WEIGHTS),
        licence="MIT",
        description="Small U-Net (1.9 million parameters) for spheroids and organoids, dark or "
        "bright, in brightfield and fluorescence. Fast on any computer.",
        source="scripts/train_unet.py",
    )
    write_metadata(options.out, metadata)
    model = ss.models.load(options.out)
    measured = {f"{part}_iou": scores(options.data, part, model) for part in ("val", "test")}
    metadata = metadata.replace(metrics=measured)
    write_metadata(options.out, metadata)
    (options.out / "README.md").write_text(card(metadata, log[-1]["step"]), encoding="utf-8")
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
