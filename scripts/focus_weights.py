"""Train the focus detector that ships and write weights/focus_detector, for make_weights.py.

The folder of data holds manifest.csv and manifest_unlabelled.csv. The network learns from sharp
tiles of the train part and of synthetic images against the same ones defocused by computation, and
from tiles of real stacks. Three times, it is trained without a third of the fields and measured on
these; the one that ships learnt from all of them. What is trained already is only measured and
written again; what was interrupted goes on. The weights that ship were made by an earlier loop, of
as many steps, with another schedule and other batches: made again they are alike, not the same.
"""

from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from napari_spheroseg import networks
from napari_spheroseg.models import ModelMetadata
from napari_spheroseg.models.library import CARD, WEIGHTS, write_metadata
from napari_spheroseg.models.metadata import TrainingData
from napari_spheroseg.models.model import sha256_of
from napari_spheroseg.training.focus.fit import ARGUMENTS, LEARNING, NETWORK, fit
from napari_spheroseg.training.focus.measure import (
    DETECTOR,
    best_threshold,
    flatness,
    judge,
    pooled,
    report,
)
from napari_spheroseg.training.focus.stacks import PREPARATION, Stack, deal, read_stacks
from napari_spheroseg.training.focus.tiles import (
    DRAWN,
    SOURCES,
    Tiles,
    defocused,
    join,
    sharp_images,
    tiles_of,
)

TARGET = Path(__file__).parents[1] / "weights" / DETECTOR
FOLDS, PAIRS = 3, 6000
ABOUT = (
    "Small residual network that says how likely a tile of 64 px is in focus, in brightfield, "
    "phase contrast and fluorescence."
)
FAILS = [
    "Where objects lie at different depths, no plane is in focus as a whole: the score is about "
    "the part that is.",
    "Transparent cells in brightfield have least contrast in focus; a little off, their outlines "
    "are bolder, and may score as high.",
    "Detail of a magnified image spans many pixels, which looks like blur: score such an image "
    "with `scale=0.5`.",
    "Fluorescence and phase contrast were only seen defocused by computation.",
]


def ship(name: str, data: Path, runs: Path) -> None:
    """Train, measure and write."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    stacks = read_stacks(data)
    runs, fold_of = runs / DETECTOR, deal(stacks, FOLDS)
    learner = Learner(stacks, data, runs)
    judged = []
    for fold in range(FOLDS):
        held_out = [each for each in stacks if fold_of[each.group] == fold]
        model = runs / f"without_{fold}"
        write_model(model, learner.learn(f"without_{fold}", held_out))
        judged += [judge(each, model) for each in held_out]
        logging.info("%s", report(judged)["auc_held_out"][DETECTOR])
    network = learner.learn("all", [])
    known: dict[str, Any] = {
        "threshold": best_threshold(*pooled(judged, DETECTOR)),
        "training_data": training_data(data),
    }
    write_model(TARGET, network, **known)
    change = {"largest_change_by_brightness": round(flatness(stacks, TARGET), 6)}
    metadata = write_model(TARGET, network, **known, metrics=report(judged) | change)
    parameters = sum(each.numel() for each in network.parameters())
    (TARGET / CARD).write_text(card(metadata, parameters), encoding="utf-8")
    print(metadata.metrics)


class Learner:
    """Trains networks on stacks; what is in the folder already is opened."""

    def __init__(self, stacks: list[Stack], data: Path, folder: Path) -> None:
        self.stacks, self.data, self.folder = stacks, data, folder
        self._tiles: tuple[Tiles, dict[str, Tiles]] | None = None

    def learn(self, name: str, left_out: list[Stack]) -> nn.Module:
        """The network that learnt from all stacks but some."""
        path = self.folder / f"{name}.pt"
        if not path.exists():
            logging.info("%s begins", name)
            pools = self._pools({each.field for each in left_out})
            network = fit(pools, self.folder / f"{name}.learning")
            torch.save(network.state_dict(), path)
        network = networks.create(NETWORK, **ARGUMENTS)
        network.load_state_dict(torch.load(path, weights_only=True))
        return network.eval()

    def _pools(self, left_out: set[str]) -> list[tuple[Tiles, float]]:
        """Half of a batch is defocused by computation, half of stacks, all sources alike."""
        if self._tiles is None:
            rng = np.random.default_rng(LEARNING.seed)
            blurred = defocused(sharp_images(self.data), PAIRS, rng)
            self._tiles = blurred, {each.field: tiles_of(each, rng) for each in self.stacks}
        blurred, own = self._tiles
        by_source: dict[str, list[Tiles]] = {}
        for each in self.stacks:
            if each.field not in left_out:
                by_source.setdefault(each.source, []).append(own[each.field])
        share = 0.5 / len(by_source)
        return [(blurred, 0.5), *((join(each), share) for each in by_source.values())]


def write_model(folder: Path, network: nn.Module, **known: Any) -> ModelMetadata:
    """A model's folder, with weights of 16 bit."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {key: value.half().contiguous() for key, value in network.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)
    metadata = ModelMetadata(
        name=DETECTOR,
        title="Focus detector",
        task="focus",
        network=NETWORK,
        arguments=ARGUMENTS,
        outputs=("in_focus",),
        preparation=PREPARATION,
        sha256=sha256_of(folder / WEIGHTS),
        licence="MIT",
        description=ABOUT,
        source="scripts/focus_weights.py",
        **known,
    )
    write_metadata(folder, metadata)
    return metadata


def training_data(data: Path) -> tuple[TrainingData, ...]:
    """Sources, with licence and number of images."""
    notes = {
        "manifest.csv": "defocused by computation",
        "manifest_unlabelled.csv": "planes of focus stacks",
    }
    out = []
    for manifest, note in notes.items():
        found: dict[str, list[dict[str, str]]] = {}
        for row in csv.DictReader((data / manifest).open(encoding="utf-8")):
            if row.get("z") or (row.get("part") == "train" and row["source"] in SOURCES):
                found.setdefault(row["source"], []).append(row)
        for source, rows in sorted(found.items()):
            url = f"https://github.com/{rows[0]['repo']}"
            facts = {"licence": rows[0]["licence"], "url": url, "images": len(rows), "note": note}
            out.append(TrainingData(name=source, **facts))
    drawn = TrainingData(name="synthetic", licence="MIT", images=DRAWN, note=notes["manifest.csv"])
    return (*out, drawn)


def table(metrics: dict[str, Any]) -> list[str]:
    """Areas under the curve, a row a source."""
    areas = metrics["auc_held_out"]
    lines = [f"| stacks | fields | {' | '.join(areas)} |", "| --- " * (len(areas) + 2) + "|"]
    for name, count in metrics["stacks"].items():
        values = " | ".join(f"{own[name]:.3f}" for own in areas.values())
        lines.append(f"| {name} | {count} | {values} |")
    return lines


def card(metadata: ModelMetadata, parameters: int) -> str:
    """The model's README."""
    metrics = metadata.metrics
    names = {each: f"[{each.name}]({each.url})" for each in metadata.training_data if each.url}
    lines = [
        f"# {metadata.title}",
        "",
        f"{metadata.description} {parameters:,} parameters.",
        "",
        "The score of an image is the mean over its tiles by what they hold; empty ground does not "
        f"count. From {metadata.threshold:g} on, an image or object counts as in focus.",
        "",
        "| source | licence | images | used |",
        "| --- | --- | --- | --- |",
        *(
            f"| {names.get(each, each.name)} | {each.licence} | {each.images} | {each.note} |"
            for each in metadata.training_data
        ),
        "",
        "## How good it is",
        "",
        "Area under the receiver operating characteristic: the sharpest plane of a stack against "
        "planes two or more away, over all stacks of a source, by networks that had not seen the "
        "field; beside the measures without a network. The sharpest plane is where the variance "
        "of the Laplacian, smoothed by 0.6 px and divided by the variance, is largest: measures "
        "of that kind are favoured.",
        "",
        *table(metrics),
        "",
        "The best score is at the sharpest plane or next to it in "
        f"{metrics['best_plane_within_one']} of {metrics['stacks']['all']} stacks. When images get "
        "0.5 to 2 times as bright, or an offset, no score changes by more than "
        f"{max(metrics['largest_change_by_brightness'], 1e-6):g}.",
        "",
        "## How it was made",
        "",
        f"`make weights DATA=... MODELS={DETECTOR}` makes it again: {LEARNING.steps} steps of "
        f"{LEARNING.batch_size} tiles, seed {LEARNING.seed}, on one processor core. The network "
        "that ships learnt from all fields.",
        "",
        "## Where it fails",
        "",
        *(f"- {line}" for line in FAILS),
        "",
        "Licence of the weights: MIT. Where a source states no licence, its images were used for "
        "training only and are not part of this package.",
        "",
    ]
    return "\n".join(lines)
