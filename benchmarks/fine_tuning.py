"""What fine-tuning on five images of a source does for the rest of it.

    python benchmarks/fine_tuning.py DATA [--source cells_yeast_baby] [--start unet]

DATA holds manifest.csv. Four images are learnt from and one validates, the first five of the
source by name; all others are scored before and after. Settings are those that the widget offers.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from dataclasses import replace
from pathlib import Path

import napari_spheroseg as ss
from napari_spheroseg.training.pairs import pairs_in_manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--source", default="cells_yeast_baby")
    parser.add_argument("--start", default="unet")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--steps", type=int, default=25)
    options = parser.parse_args()
    found = pairs_in_manifest(options.data / "manifest.csv").pairs
    own = sorted((p for p in found if p.source == options.source), key=lambda p: p.name)
    learnt, rest = own[:5], [replace(pair, part="") for pair in own[5:]]
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.csv"
        with manifest.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "mask_file", "part"])
            for number, pair in enumerate(learnt):
                part = "val" if number == 0 else "train"
                writer.writerow([pair.image.resolve(), pair.mask.resolve(), part])
        settings = {
            "name": "tuned",
            "start": options.start,
            "data": {"manifest": manifest},
            "epochs": options.epochs,
            "steps_per_epoch": options.steps,
            "learning_rate": 3e-4,
        }
        run = ss.train(settings, Path(folder) / "run")
        print(f"{len(rest)} images of {options.source} | IoU | F1@0.5")
        for name, model in (("before", options.start), ("after", str(run.model))):
            scores = ss.evaluate(model, rest, thresholds=[0.5]).overall
            print(f"{name} | {scores['pixel_iou']:.3f} | {scores['object_f1']:.3f}")


if __name__ == "__main__":
    main()
