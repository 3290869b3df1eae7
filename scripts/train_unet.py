"""Train the small U-Net that ships in weights/unet.

    python scripts/train_unet.py DATA --out runs/unet [--steps 1000] [--seed 0]

DATA holds manifest.csv with the columns source, file, mask_file and part; the train part is
learnt, the val part watched. Sources are drawn with the weights below, so that a large one does
not drown a small one, and mixed with synthetic images. Writes last.pt (to resume from) and
model.pt (the averaged weights) every 100 steps.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import torch
from skimage.io import imread
from torch.nn import functional as F

from napari_spheroseg import networks
from napari_spheroseg.synthetic import spheroids

ARGUMENTS = {"in_channels": 1, "features": [16, 32, 64, 128, 256], "keep_unused": False}
CROP, BATCH = 256, 8
LONG_SIDE = (288, 640)  # an image is drawn at a size between these, as the user's may be
DRAW = {
    "orgaquant_poly": 0.3,
    "fis_organoids": 0.17,
    "invasion_fluo": 0.13,
    "ewing_microwell": 0.13,
    "ipsc_aggregates": 0.13,
    "synthetic": 0.14,
}


def to_unit(image: np.ndarray) -> np.ndarray:
    """Grey, from the 0.5th to the 99.5th percentile, clipped to [0, 1]."""
    image = image.astype(np.float32)
    if image.ndim == 3:
        image = image[..., :3].mean(-1)
    low, high = np.percentile(image, (0.5, 99.5))
    return np.clip((image - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)


def read_part(data: Path, part: str) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Images in [0, 1] and instance masks of one part, by source."""
    out = defaultdict(list)
    for row in csv.DictReader((data / "manifest.csv").open()):
        if row["part"] == part and row["source"] in DRAW:
            mask = imread(data / row["mask_file"])
            mask = mask[..., 0] if mask.ndim == 3 else mask
            if row["mask_kind"] == "binary":
                mask = cv2.connectedComponents((mask > 0).astype(np.uint8))[1]
            out[row["source"]].append((to_unit(imread(data / row["file"])), mask.astype(np.int32)))
    return out


def draw_synthetic(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One synthetic image of random kind."""
    largest = rng.uniform(0.06, 0.3)
    drawn = spheroids(
        (384, 384),
        int(rng.integers(0, 14)),
        "brightfield" if rng.random() < 0.6 else "fluorescence",
        seed=int(rng.integers(2**31)),
        radius=(0.4 * largest, largest),
    )
    return to_unit(drawn.image), drawn.labels


def crop(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator):
    """A rotated, scaled, mirrored crop; mirrored beyond the border."""
    height, width = image.shape
    scale = np.exp(rng.uniform(*np.log(LONG_SIDE))) / max(height, width)
    angle = rng.uniform(0, 360)
    cx, cy = (
        rng.uniform(min(n / 2, 0.45 * CROP / scale), max(n / 2, n - 0.45 * CROP / scale))
        for n in (width, height)
    )
    turn = cv2.getRotationMatrix2D((cx, cy), angle, scale)
    turn[:, 2] += CROP / 2 - np.array([cx, cy])
    if scale < 0.7:  # antialias before shrinking
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    image = cv2.warpAffine(
        image, turn, (CROP, CROP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    mask = cv2.warpAffine(
        mask.astype(np.float32),
        turn,
        (CROP, CROP),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    if rng.random() < 0.5:
        image, mask = image[:, ::-1], mask[:, ::-1]
    return np.ascontiguousarray(image), np.ascontiguousarray(mask)


def spoil(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other microscopes: polarity, gamma, contrast, shading, blur, noise."""
    if rng.random() < 0.2:
        image = 1 - image
    image = np.clip(image, 0, 1) ** np.exp(rng.normal(0, 0.35))
    image = (image - 0.5) * rng.uniform(0.7, 1.25) + 0.5 + rng.uniform(-0.12, 0.12)
    if rng.random() < 0.35:
        field = cv2.resize(
            rng.normal(0, 1, (3, 3)).astype(np.float32), (CROP, CROP), interpolation=cv2.INTER_CUBIC
        )
        image = image * np.exp(rng.uniform(0.05, 0.25) * field)
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2))
    if rng.random() < 0.4:
        image = image + rng.normal(0, rng.uniform(0.01, 0.07), image.shape)
    return np.clip(image, 0, 1).astype(np.float32)


def seams(mask: np.ndarray) -> np.ndarray:
    """Pixels where two objects touch."""
    kernel = np.ones((3, 3), np.uint8)
    highest = cv2.dilate(mask, kernel)
    lowest = -cv2.dilate(np.where(mask > 0, -mask, -np.inf).astype(np.float32), kernel)
    return (mask > 0) & (highest != lowest)


def batch(data, rng):
    """Images, targets and pixel weights: (B, 1, CROP, CROP) each."""
    names, weights = zip(*DRAW.items(), strict=True)
    images, targets, heavy = [], [], []
    for source in rng.choice(names, BATCH, p=np.array(weights) / sum(weights)):
        pair = (
            draw_synthetic(rng)
            if source == "synthetic"
            else (data[source][rng.integers(len(data[source]))])
        )
        image, mask = crop(*pair, rng)
        seam = seams(mask)
        images.append(spoil(image, rng))
        targets.append(((mask > 0) & ~seam).astype(np.float32))
        heavy.append(1 + 4 * cv2.dilate(seam.astype(np.float32), np.ones((3, 3))))
    return [torch.from_numpy(np.stack(each)[:, None]) for each in (images, targets, heavy)]


def loss_of(logits, target, weight):
    """Weighted binary cross-entropy plus Dice."""
    entropy = F.binary_cross_entropy_with_logits(logits, target, weight)
    found = torch.sigmoid(logits)
    overlap = (found * target).sum((1, 2, 3))
    total = found.sum((1, 2, 3)) + target.sum((1, 2, 3))
    return entropy + (1 - (2 * overlap + 1) / (total + 1)).mean()


@torch.inference_mode()
def evaluate(network, data, side):
    """Mean IoU of the foreground at 0.5 for each source."""
    network.eval()
    out = {}
    for source, pairs in data.items():
        ious = []
        for image, mask in pairs:
            scale = side / max(image.shape)
            size = [max(32, round(n * scale / 16) * 16) for n in image.shape]
            small = torch.nn.functional.interpolate(
                torch.from_numpy(image)[None, None], size, mode="bilinear", antialias=True
            )
            found = torch.sigmoid(network(small))[0, 0].numpy()
            found = cv2.resize(found, image.shape[::-1]) > 0.5
            truth = mask > 0
            either = (found | truth).sum()
            ious.append((found & truth).sum() / either if either else 1.0)
        out[source] = round(float(np.mean(ious)), 4)
    network.train()
    out["mean"] = round(float(np.mean(list(out.values()))), 4)
    return out


def main() -> None:
    """Train, resuming where an earlier run stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/unet"))
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    train, val = read_part(options.data, "train"), read_part(options.data, "val")
    network = networks.create("unet", **ARGUMENTS)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.985)
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 3e-3, total_steps=options.steps, pct_start=0.1
    )
    parts = {"network": network, "average": average, "optimizer": optimizer, "schedule": schedule}
    start, last = 0, options.out / "last.pt"
    if last.exists():
        saved = torch.load(last, weights_only=True)
        start = saved["step"]
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    began = time.time()
    for step in range(start, options.steps):
        images, targets, weights = batch(train, np.random.default_rng([options.seed, step]))
        loss = loss_of(network(images), targets, weights)
        if not torch.isfinite(loss):
            raise SystemExit(f"the loss became {loss.item()} at step {step}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(network)
        if (step + 1) % 100 == 0 or step + 1 == options.steps:
            torch.save({"step": step + 1} | {k: v.state_dict() for k, v in parts.items()}, last)
            torch.save(average.module.state_dict(), options.out / "model.pt")
            line = {
                "step": step + 1,
                "loss": round(loss.item(), 4),
                "seconds": round(time.time() - began),
            }
            line |= {"val": evaluate(average.module, val, 448)}
            with (options.out / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
