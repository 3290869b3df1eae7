"""Train a segmentation model that ships and write weights/<name>, for make_weights.py.

It is trained as weights/<name>/training.yaml says, then on as the other RECIPES say, in
runs/<name>; a run that was interrupted goes on, one that is finished is only measured and
written again, and what led to it is not trained again. The val and test parts are measured with the
package's own pipeline, as a user would run it.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import napari_spheroseg as ss
from drawn_examples import COUNT, PICTURE, measure_drawn
from napari_spheroseg.models import ModelMetadata
from napari_spheroseg.models.library import CARD, WEIGHTS, write_metadata
from napari_spheroseg.models.metadata import TrainingData
from napari_spheroseg.training.runs import Run
from napari_spheroseg.training.settings import TrainingSettings
from napari_spheroseg.training.trainer import SPLIT

WEIGHTS_FOLDER = Path(__file__).parents[1] / "weights"
RECIPES = ("training", "refining", "finishing", "polishing")
"""Each starts from what the one before made; not every model has all."""
ABOUT = {
    "unet": "Small U-Net.",
    "hrnet": "Small HRNetV2, which keeps several resolutions side by side.",
    "cbam_resunet": "Small residual U-Net with attention to channels and to places.",
}
MASKS = {
    "orgaquant_poly": "outlined by hand",
    "fis_organoids": "masks of a CellProfiler pipeline",
    "invasion_fluo": "threshold, corrected by the authors",
    "ewing_microwell": "masks made by an algorithm and looked at; no expert outlined them",
    "ipsc_aggregates": "masks made by an algorithm and looked at; no expert outlined them",
    "cells_omnipose": "masks of Omnipose",
    "cells_yeast_baby": "outlined by experts",
}
SCORES = {"pixel_iou": "iou", "object_f1": "f1"}


def train(name: str, data: Path, runs: Path) -> list[Run]:
    """The finished runs of a model, from the last that was begun; the next start from it."""
    done: list[Run] = []
    recipes = recipes_of(name)
    last = max((i for i, each in enumerate(recipes) if (runs / name / each).exists()), default=0)
    for recipe in recipes[last:]:
        folder = runs / name / recipe
        if not folder.exists():
            settings = read(name, recipe, data)
            if done:
                settings = settings.replace(start=str(done[-1].model))
            Run.create(settings, folder)
        run = Run.open(folder)
        if run.can_resume:
            say = f"{name}, {recipe}"
            ss.train(folder, progress=lambda n, total, say=say: print(f"{say}: {n} of {total}"))
        done.append(run)
    return done


def recipes_of(name: str) -> list[str]:
    """Those by which a model was made, first to last."""
    return [each for each in RECIPES if (WEIGHTS_FOLDER / name / f"{each}.yaml").exists()]


def read(name: str, recipe: str, data: Path) -> TrainingSettings:
    return TrainingSettings.read(WEIGHTS_FOLDER / name / f"{recipe}.yaml", data / "manifest.csv")


def training_data(data: Path, sources: list[str]) -> tuple[TrainingData, ...]:
    """Sources, with licence and number of images."""
    rows = list(csv.DictReader((data / "manifest.csv").open()))
    out = []
    for source in sorted(sources):
        own = [row for row in rows if row["source"] == source and row["part"] == "train"]
        out.append(
            TrainingData(
                name=source,
                licence=own[0]["licence"],
                url=f"https://github.com/{own[0]['repo']}",
                images=len(own),
                note=MASKS[source],
            )
        )
    drawn = TrainingData(name="synthetic", licence="MIT", note="drawn from a seed while training")
    return (*out, drawn)


def measure(folder: Path, data: Path, sources: list[str], part: str) -> dict[str, Any]:
    """Scores of a part by source, and their mean."""
    evaluation = ss.evaluate(str(folder), data / "manifest.csv", part=part, thresholds=[0.5])
    table = evaluation.sources[evaluation.sources["source"].isin(sources)].set_index("source")
    scores = {}
    for column, short in SCORES.items():
        column_scores = table[column].dropna()
        scores[short] = {k: round(float(v), 3) for k, v in column_scores.items()}
        scores[short]["mean"] = round(float(column_scores.mean()), 3)
    return scores


def card(metadata: ModelMetadata, recipes: dict[str, TrainingSettings], million: float) -> str:
    """The model's README."""
    val, test = metadata.metrics["val"], metadata.metrics["test"]
    on_drawn = metadata.metrics["drawn"]["iou"]
    drawn = ", ".join(f"{value:.3f} ({kind})" for kind, value in on_drawn.items())

    def say(scores: dict[str, Any], name: str) -> str:
        f1 = scores["f1"].get(name)
        return f"{scores['iou'][name]:.3f}" + ("" if f1 is None else f" / {f1:.3f}")

    lines = [
        f"# {metadata.title}",
        "",
        f"{metadata.description} {million:.1f} million parameters.",
        "",
        "| source | licence | images | masks | val: IoU / F1 | test: IoU / F1 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for each in metadata.training_data:
        name = f"[{each.name}]({each.url})" if each.url else each.name
        scores = (
            f"{say(val, each.name)} | {say(test, each.name)}" if each.name in val["iou"] else " | "
        )
        lines.append(
            f"| {name} | {each.licence} | {each.images or 'any number'} | {each.note} | {scores} |"
        )
    lines += [
        f"| mean over sources | | | | {val['iou']['mean']:.3f} | {test['iou']['mean']:.3f} |",
        "",
        "IoU is that of the foreground at threshold 0.5, averaged over images, then over sources. "
        "F1 counts an object as found where a label overlaps it with an IoU of at least 0.5; it is "
        "given where the masks tell objects apart. Settings were chosen by the val part; the test "
        "part was measured at the end.",
        "",
        f"![Drawn images with outlines]({PICTURE})",
        "",
        f"Drawn images, {COUNT} of each kind, from seeds that were not trained on: mean IoU "
        f"{drawn}. *Any* have grey, grain and rim as no microscope in particular shows them. In "
        "the picture: brightfield and fluorescence in the middle of their scores; of any, the "
        "best, the middle and the worst. Orange is what was found, blue the truth, white where "
        "they agree.",
        "",
        "## How it was made",
        "",
        "`make weights DATA=...` makes it again: "
        + ", then ".join(
            f"[{name}.yaml]({name}.yaml), {each.steps} steps of {each.batch_size} samples of "
            f"{each.crop} px, seed {each.seed}"
            for name, each in recipes.items()
        )
        + ". That was done on two processor cores. The network has two outputs: the foreground, "
        "and the distance to the border of the object, by which touching objects are split. "
        "Weights are averaged over steps and stored in 16 bit.",
        "",
        "An image is looked at with a longer side of "
        f"{metadata.preparation.long_side} px first. Where its objects are smaller than "
        f"{metadata.preparation.best_diameter[0]:g} or larger than "
        f"{metadata.preparation.best_diameter[1]:g} px there, it is looked at again at a size at "
        "which they are not. Give the diameter if you know it: that saves the first look.",
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
    "Organoids out of focus are often found although annotators leave them out, and the other way "
    "round: on the val part of orgaquant_poly this costs most.",
    "Large cysts with a clear inside may be found in part.",
    "In dense aggregates, borders between neighbours are not seen by everybody in the same place: "
    "counts of ipsc_aggregates are less certain than areas.",
    "It has seen brightfield and widefield fluorescence. Phase contrast, histology and confocal "
    "sections may need fine-tuning.",
]


def ship(name: str, data: Path, runs: Path) -> None:
    """Train, and write weights/<name>."""
    target, run = WEIGHTS_FOLDER / name, train(name, data, runs)[-1]
    sources = list(run.settings.data.sources)
    trained = ss.models.load(run.model)
    shutil.copy(run.model / WEIGHTS, target / WEIGHTS)
    (target / WEIGHTS).chmod(0o644)
    million = sum(each.numel() for each in trained.network.parameters()) / 1e6
    recipes = {each: read(name, each, data) for each in recipes_of(name)}
    first = recipes[RECIPES[0]]
    metadata = trained.metadata.replace(
        title=first.title,
        preparation=trained.metadata.preparation.replace(**first.preparation),
        post_processing={**SPLIT, **first.post_processing},
        training_data=training_data(data, sources),
        licence="MIT",
        description=f"{ABOUT[name]} For spheroids and organoids, dark or bright, in brightfield "
        "and fluorescence.",
        source=f"weights/{name}/{[*recipes][-1]}.yaml",
        metrics={},
    )
    write_metadata(target, metadata)
    metrics = {part: measure(target, data, sources, part) for part in ("val", "test")}
    metadata = metadata.replace(metrics=metrics | {"drawn": {"iou": measure_drawn(target)}})
    write_metadata(target, metadata)
    (target / CARD).write_text(card(metadata, recipes, million), encoding="utf-8")
    print(name, metrics)
