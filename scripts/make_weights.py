"""Train the models that ship and write weights/<name>: weights, model.json and card.

    python scripts/make_weights.py DATA [unet hrnet nafnet cell_classifier ...] [--runs runs]

DATA holds manifest.csv and manifest_unlabelled.csv. What was interrupted goes on; what is trained
already is only measured and written again. How each is made is told in the script of its kind.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

SCRIPTS = {
    "unet": "segmentation_weights",
    "hrnet": "segmentation_weights",
    "cbam_resunet": "segmentation_weights",
    "nafnet": "restoration_weights",
    "focus_detector": "focus_weights",
    "cell_classifier": "classifier_weights",
    "spheroid_classifier": "classifier_weights",
}


def main() -> None:
    """Train and ship."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("names", nargs="*", default=SCRIPTS, metavar="name")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args()
    for name in options.names:
        import_module(SCRIPTS[name]).ship(name, options.data, options.runs)


if __name__ == "__main__":
    main()
