"""Train the focus restoration that ships and write weights/nafnet, for make_weights.py.

It is trained as training.yaml says, then on as refining.yaml and polishing.yaml say, in
runs/nafnet. A run that was interrupted goes on; one that is finished is only measured and written
again. How good it is on images and real stacks is what benchmarks/restoration.py tells.
"""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file

import napari_spheroseg as ss
from napari_spheroseg.models import ModelMetadata
from napari_spheroseg.models.library import CARD, WEIGHTS, write_metadata
from napari_spheroseg.models.metadata import TrainingData
from napari_spheroseg.models.model import sha256_of
from napari_spheroseg.restoration.defocus import camera, defocus, disc
from napari_spheroseg.training.restoration.fit import fit
from napari_spheroseg.training.restoration.measure import gains
from napari_spheroseg.training.restoration.settings import RestorationTraining
from napari_spheroseg.training.settings import read_yaml

PICTURE = "examples.jpg"
TARGET = Path(__file__).parents[1] / "weights" / "nafnet"
RECIPES = ("training", "refining", "polishing")  # each starts from what the one before made
ABOUT = (
    "Small NAFNet that makes planes out of focus sharper, in brightfield and fluorescence. It was "
    "trained on images that were defocused by computation."
)


def ship(name: str, data: Path, runs: Path) -> None:
    """Train, and write weights/<name>."""
    state, recipes = None, [read(recipe) for recipe in RECIPES]
    for recipe, settings in zip(RECIPES, recipes, strict=True):
        state = fit(settings, data, runs / name / recipe, state)
    assert state is not None
    write(recipes, state, data)


def read(name: str) -> RestorationTraining:
    """The settings of a recipe."""
    return RestorationTraining(**read_yaml(TARGET / f"{name}.yaml"))


def write(recipes: list[RestorationTraining], state: dict[str, torch.Tensor], data: Path) -> None:
    """Write weights/nafnet."""
    settings = recipes[0]
    save_file({key: value.half().contiguous() for key, value in state.items()}, TARGET / WEIGHTS)
    (TARGET / WEIGHTS).chmod(0o644)
    metadata = ModelMetadata(
        name=settings.name,
        title=settings.title,
        task="restoration",
        network=settings.network,
        arguments=settings.arguments,
        outputs=("restored",),
        preparation=settings.preparation,
        post_processing={"spare_sharp": True, "keep_range": True},
        training_data=training_data(data, settings),
        sha256=sha256_of(TARGET / WEIGHTS),
        licence="MIT",
        description=ABOUT,
        source="weights/nafnet/training.yaml",
    )
    write_metadata(TARGET, metadata)
    metadata = metadata.replace(
        metrics={part: gains(TARGET, settings, data, part) for part in ("val", "test")}
    )
    write_metadata(TARGET, metadata)
    draw_example(TARGET)
    (TARGET / CARD).write_text(card(metadata, recipes), encoding="utf-8")
    print(metadata.metrics)


def draw_example(target: Path) -> None:
    """Write ``examples.jpg``: drawn images out of focus, restored, and as they were drawn."""
    rows, rng = [], np.random.default_rng(0)
    for modality in ("brightfield", "fluorescence"):
        sharp = ss.synthetic.spheroids((300, 300), 5, modality, seed=11).image.astype(np.float32)
        sharp /= sharp.max()
        seen = camera(defocus(sharp, disc(4.0)), 3000, 3, rng)
        restored = np.asarray(ss.restore_focus(seen, str(target), spare_sharp=False))
        rows.append(np.hstack([seen, restored, sharp]))
    picture = (np.clip(np.vstack(rows), 0, 1) * 255).astype(np.uint8)
    cv2.imwrite(str(target / PICTURE), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])


def training_data(data: Path, settings: RestorationTraining) -> tuple[TrainingData, ...]:
    """Sources, with licence and number of images."""
    rows: dict[str, list[dict[str, str]]] = {source: [] for source in sorted(settings.sources)}
    for name in ("manifest.csv", "manifest_unlabelled.csv"):
        with (data / name).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["source"] in rows and row.get("part", "train") == "train":
                    rows[row["source"]].append(row)
    found = [
        TrainingData(
            name=source,
            licence=own[0]["licence"],
            url=f"https://github.com/{own[0]['repo']}",
            images=len(own),
        )
        for source, own in rows.items()
    ]
    drawn = TrainingData(name="synthetic", licence="MIT", note="drawn from a seed while training")
    return (*found, drawn)


def card(metadata: ModelMetadata, recipes: list[RestorationTraining]) -> str:
    """The model's README."""
    settings, last = recipes[0].degradation, recipes[-1].degradation
    test = metadata.metrics["test"]
    lines = [
        f"# {metadata.title}",
        "",
        metadata.description,
        "",
        "| source | licence | images | test: PSNR (dB) | SSIM |",
        "| --- | --- | --- | --- | --- |",
    ]
    for each in metadata.training_data:
        name = f"[{each.name}]({each.url})" if each.url else each.name
        scores = "| "
        if each.name in test:
            got = test[each.name]
            scores = (
                f"{got['psnr_before']:.2f} → {got['psnr_after']:.2f} | "
                f"{got['ssim_before']:.3f} → {got['ssim_after']:.3f}"
            )
        lines.append(f"| {name} | {each.licence} | {each.images or 'any number'} | {scores} |")
    smallest, largest = settings.radius[0], last.radius[1]
    steps = ", then ".join(
        f"[{name}.yaml]({name}.yaml), {each.steps} steps of {each.batch_size} samples of "
        f"{each.crop} px, seed {each.seed}"
        for name, each in zip(RECIPES, recipes, strict=True)
    )
    lines += [
        "",
        "Before is the image out of focus, after is the restored one; both are compared with the "
        "sharp image, for blur and noise drawn as in training from seeds that were not trained on.",
        "",
        f"![Out of focus, restored, as drawn]({PICTURE})",
        "",
        "Drawn images out of focus by 4 px, restored, and as they were drawn.",
        "",
        "## How it was made",
        "",
        f"`make weights DATA=...` makes it again: {steps}. That was done on one processor core. "
        "Sharp images are turned, shrunk, inverted, and "
        f"defocused by a disc of {smallest:g} to {largest:g} px radius, by a normal distribution, "
        "by the diffraction of a defocused lens with spherical aberration, or by transmitted light "
        "that is partly coherent; in some the depth varies over the field. Photon and read noise "
        f"follow. {settings.sharp:.0%} stay in focus, so that it learns to leave such "
        "images as they are. No real pair of a plane in and out of focus was trained on.",
        "",
        "What the focus detector finds in focus is left as it is (`spare_sharp`).",
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


FAILS = [
    "What the blur has erased is guessed, not seen: do not measure texture, or count small "
    "structures, in a restored image. Keep the original beside it.",
    "A real plane out of focus also shows shadows of what lies above and below, moved and of "
    "another size. Those stay.",
    "Blur wider than it was trained on is made a little sharper at most.",
    "Where a stack with a sharp plane exists, use that plane.",
]
