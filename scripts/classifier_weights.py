"""Train the classifiers that ship and write weights/<name>: weights, model.json and card.

`make_weights.py` calls it. A training that was interrupted goes on from runs/<name>; one that is
finished is only measured and written again. The weights that ship were made by an earlier loop, of
the same recipe, which drew its batches otherwise: made again they are alike, not the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file

import napari_spheroseg as ss
from napari_spheroseg import networks
from napari_spheroseg.models import ModelMetadata
from napari_spheroseg.models.library import CARD, WEIGHTS, write_metadata
from napari_spheroseg.models.metadata import TrainingData
from napari_spheroseg.models.model import sha256_of
from napari_spheroseg.training.classification import bank as banks
from napari_spheroseg.training.classification.bank import Bank
from napari_spheroseg.training.classification.settings import ClassifierSettings
from napari_spheroseg.training.classification.task import Crops, CropTask, probabilities
from napari_spheroseg.training.loop import Log, best_weights, fit
from napari_spheroseg.training.settings import CPU
from segmentation_weights import WEIGHTS_FOLDER, training_data

FEATURES_LEARN = 3000  # examples that the forest of features learns from
MEASURED = 1000  # held-out examples of each kind
HELD_OUT_SEED = 1_000_000
FURTHER = ("texture", "pattern", "gradient", "rim_gradient", "sharpness", "edge_contrast")
ABOUT = {
    "cell_classifier": "Small residual network that tells single cells, pairs that touch, clumps, "
    "cells out of focus, and what is no cell.",
    "spheroid_classifier": "Small residual network that tells intact spheroids, those of irregular "
    "outline, those in fragments, and those out of focus.",
}
TRIED = {  # measured once, of the same examples, with fewer steps or filters
    "cell_classifier": "Without the surroundings, as published, accuracy was 0.730 on found and "
    "0.667 on drawn cells; with the surroundings darker than the object, and no mask, 0.733 and "
    "0.828. In short trainings of 300 steps, percentiles of the image did better than those of "
    "each object: 0.617 and 0.567 on found cells that were held out, 0.434 and 0.430 on drawn "
    "ones.",
}
MADE = {
    "cell_classifier": (
        "Real cells are those of cells_omnipose (bacteria, phase contrast) and cells_yeast_baby "
        "(yeast, brightfield). A joint cell is two outlines that touch, taken as one; a clump "
        "three to eight. Off-focus are sharp images blurred by kernels of optics, and the outer "
        "planes of the yeast's focus stacks. Noise is ground without a cell, under the outline "
        "of one, and specks beside organoids. Drawn cells are rods, ovals, discs and filaments, "
        "bright, dark, refracting or in phase contrast; drawn noise is dust, debris, fibres, "
        "halo and outlined nothing. **Nobody annotated classes**: they follow from how an "
        "example was made."
    ),
    "spheroid_classifier": (
        "Intact are real objects that fill at least 94 % of their convex hull; irregular are "
        "those of fis_organoids and invasion_fluo that fill at most 85 %, and intact ones whose "
        "outline was bent; fragmented are intact ones that were cut up or crumbled in the "
        "image; out of focus are intact ones blurred by kernels of optics whose radius is 15 to "
        "40 % of their diameter. What is smaller than 400 px is left out: in invasion_fluo these "
        "are single cells around a spheroid. (That, and how strong a blur counts, was decided "
        "after a look at objects that were held out.) Half of the examples are drawn as a whole. "
        "**Nobody "
        "annotated classes**: they follow from how an example was made, so the figures say how "
        "well these distortions are told, not how well an expert is matched."
    ),
}
FAILS = {
    "cell_classifier": [
        "The outer planes of the yeast stacks are little blurred: four in five that were held out "
        "were taken for something else, and so is one in six of the blurred objects.",
        "Two cells side by side, and a long cell about to divide, are judged by shape and a faint "
        "line: one single cell in six is called a pair.",
        "Real data are few images of two laboratories. Other microscopes, stains and species may "
        "need fine-tuning or a taught classifier.",
        "Of what is larger than its crop of 64 px, detail is lost, and below about 6 px there is "
        "little to see.",
    ],
    "spheroid_classifier": [
        "Fragments are seen where one label holds all of them. Fragments that have labels of their "
        "own are intact or irregular each.",
        "Objects that are smooth by nature, such as saturated fluorescence, may look out of focus, "
        "and what is blurred by less than 15 % of its diameter was not shown. Of what is larger "
        "than its crop of 64 px, detail is lost.",
        "Cells and debris of less than about 20 px have no class of their own; "
        "`cell_classifier` is for these.",
        "Real fragmentation, necrosis and invasion look different from what was drawn; nothing was "
        "checked against a biologist's classes.",
        "Objects that others hide in part are called irregular.",
    ],
}


def ship(name: str, data: Path, runs: Path) -> None:
    """Train, measure, and write weights/<name>."""
    settings = ClassifierSettings.read(WEIGHTS_FOLDER / name / "training.yaml")
    manifest, target = data / "manifest.csv", WEIGHTS_FOLDER / name
    classes = banks.CLASSES[settings.objects]
    found = banks.found_maker(settings, manifest, "train")
    drawn = banks.drawn_maker(settings)
    share = settings.found_share
    makers = {found: share, drawn: 1 - share}
    state = train(settings, makers, runs / name)
    save_file({k: v.half().contiguous() for k, v in state.items()}, target / WEIGHTS)
    (target / WEIGHTS).chmod(0o644)
    sources = [*settings.sources, *settings.dirty]
    metadata = ModelMetadata(
        name=name,
        title=settings.title,
        task="classification",
        network="flexresnet",
        arguments=arguments_of(settings),
        outputs=classes,
        preparation=settings.preparation,
        crop=settings.crop,
        training_data=_data(data, sources, settings),
        sha256=sha256_of(target / WEIGHTS),
        licence="MIT",
        description=ABOUT[name],
        source=f"weights/{name}/training.yaml",
    )
    write_metadata(target, metadata)
    shipped = ss.models.load(target).network  # as users get it: in 16 bit
    held = banks.found_maker(settings, manifest, "held out")
    metrics = measure(settings, makers, {"found": held, "drawn": drawn}, shipped)
    metadata = metadata.replace(metrics=metrics)
    write_metadata(target, metadata)
    count = sum(each.numel() for each in shipped.parameters())
    (target / CARD).write_text(card(metadata, settings, count), encoding="utf-8")
    print(name, metrics)


def _data(data: Path, sources: list[str], settings: ClassifierSettings) -> tuple[TrainingData, ...]:
    """Sources as `training_data` lists them; images that are held out do not count."""
    from napari_spheroseg.training.pairs import pairs_in_manifest

    held = [p.source for p in pairs_in_manifest(data / "manifest.csv").pairs
            if p.group in settings.held_out and p.part == "train"]  # fmt: skip
    listed = training_data(data, sources)
    return tuple(
        each.replace(images=each.images - held.count(each.name)) if each.images else each
        for each in listed
    )


def arguments_of(settings: ClassifierSettings) -> dict[str, Any]:
    """Of the network: what its classes and its crops ask for, and what the settings say."""
    return {
        "num_classes": len(banks.CLASSES[settings.objects]),
        "min_size": settings.crop.size,
        "in_channels": settings.preparation.channels + settings.crop.mask_channel,
        **settings.arguments,
    }


def train(
    settings: ClassifierSettings, makers: dict[banks.Maker, float], folder: Path
) -> dict[str, torch.Tensor]:
    """The mean of the weights; trained as far as it was not yet."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.learning.seed)
    task = CropTask(networks.create("flexresnet", **arguments_of(settings)), settings.learning)
    crops = Crops(_bank(settings, makers, folder / "bank.npz"), settings.learning.seed)
    machine, log = CPU.replace(channels_last=True), Log(folder / "log.jsonl")
    fit(task, crops, None, folder, machine=machine, callbacks=(log,))
    return best_weights(folder)


def _bank(settings: ClassifierSettings, makers: dict[banks.Maker, float], file: Path) -> Bank:
    """What is learnt from; kept, for it takes minutes to make."""
    if file.is_file():
        with np.load(file) as kept:
            sources = tuple(kept["sources"].tolist())
            return Bank(kept["crops"], kept["kinds"], sources, settings.crop.mask_channel)
    found = banks.samples(makers, settings, settings.count, settings.learning.seed)
    bank = banks.fill(found, settings.crop.mask_channel)
    np.savez(file, crops=bank.crops, kinds=bank.kinds, sources=np.array(bank.sources))
    return bank


def measure(
    settings: ClassifierSettings,
    makers: dict[banks.Maker, float],
    held: dict[str, banks.Maker],
    network: torch.nn.Module,
) -> dict[str, Any]:
    """Accuracy and confusion on held-out objects, beside a majority and a forest of features."""
    from sklearn.ensemble import RandomForestClassifier

    kinds = len(banks.CLASSES[settings.objects])
    learnt = list(banks.samples(makers, settings, FEATURES_LEARN, settings.learning.seed))
    features, truth = describe(learnt), [each.kind for each in learnt]
    few = [name for name in features if not name.startswith(FURTHER)]
    forests = {
        short: (columns, RandomForestClassifier(300, random_state=0).fit(features[columns], truth))
        for short, columns in (("features", few), ("further_features", list(features)))
    }
    out: dict[str, Any] = {}
    for which, maker in held.items():
        held_out = list(banks.samples({maker: 1.0}, settings, MEASURED, HELD_OUT_SEED, vary=False))
        bank, features = banks.fill(held_out), describe(held_out)
        said = probabilities(network, bank.crops).argmax(axis=1)
        right = said == bank.kinds
        confusion = np.zeros((kinds, kinds), int)
        np.add.at(confusion, (bank.kinds, said), 1)
        names = np.array(bank.sources)
        out[which] = {
            "objects": len(bank),
            "accuracy": _round(right),
            "majority": round(float(np.bincount(bank.kinds).max() / len(bank)), 3),
            **{
                short: _round(forest.predict(features[columns]) == bank.kinds)
                for short, (columns, forest) in forests.items()
            },
            "confusion": confusion.tolist(),
            "sources": {str(each): _score(right[names == each]) for each in np.unique(names)},
        }
    return out


def _round(right: Any) -> float:
    return round(float(np.mean(right)), 3)


def _score(right: Any) -> dict[str, Any]:
    return {"objects": len(right), "accuracy": _round(right)}


def describe(objects: list[banks.Sample], columns: int = 5) -> pd.DataFrame:
    """`ss.features` of objects, some of which are laid beside each other in one image."""
    order = np.argsort([max(each.mask.shape) for each in objects])  # those of a size together
    tables = []
    for first in range(0, len(order), columns * columns):
        some = order[first : first + columns * columns]
        side = max(objects[some[-1]].mask.shape)
        plane = np.zeros((side * -(-len(some) // columns), side * columns), np.float32)
        labels = np.zeros(plane.shape, np.int32)
        for number, which in enumerate(some):
            each, (row, column) = objects[which], divmod(number, columns)
            place = np.s_[
                side * row : side * row + each.mask.shape[0],
                side * column : side * column + each.mask.shape[1],
            ]
            plane[place], labels[place] = each.image, each.mask * (number + 1)
        tables.append(ss.features(labels, plane).drop(columns="label").set_index(some))
    return pd.concat(tables).sort_index().fillna(0)


def card(metadata: ModelMetadata, settings: ClassifierSettings, count: int) -> str:
    """The model's README."""
    learning, name = settings.learning, metadata.name
    lines = [
        f"# {metadata.title}",
        "",
        f"{metadata.description} {count:,} parameters. Classes: {', '.join(metadata.outputs)}.",
        "",
        "| held out | objects | accuracy | shape and brightness | all features | majority |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {which} | {each['objects']} | {each['accuracy']:.3f} | {each['features']:.3f} | "
            f"{each['further_features']:.3f} | {each['majority']:.3f} |"
            for which, each in metadata.metrics.items()
        ),
        "",
        "Found are objects of images that nothing was learnt from (the test part, and the groups "
        "under `held_out` in training.yaml), as they are in their image; drawn ones are of seeds "
        "that were not learnt from. Classes are as frequent as each other. Beside it stand two "
        f"forests (300 trees) that learnt from {FEATURES_LEARN} of the same training examples: "
        "one by shape and brightness, one by all of `ss.features`, texture and focus "
        "among them, measured in the image, at full size.",
        "",
    ]
    for which, each in metadata.metrics.items():
        lines += [
            f"Confusion, {which}: rows are the truth, columns what the model says.",
            "",
            f"| | {' | '.join(metadata.outputs)} |",
            f"| --- |{' --- |' * len(metadata.outputs)}",
            *(
                f"| {kind} | {' | '.join(map(str, row))} |"
                for kind, row in zip(metadata.outputs, each["confusion"], strict=True)
            ),
            "",
        ]
    lines += [
        "| found objects by source | objects | accuracy |",
        "| --- | --- | --- |",
        *(
            f"| {source} | {each['objects']} | {each['accuracy']:.3f} |"
            for source, each in metadata.metrics["found"]["sources"].items()
        ),
        "",
        "## How it was made",
        "",
        f"`make weights DATA=... MODELS={name}` makes it again from "
        f"[training.yaml](training.yaml): {settings.count} examples, "
        f"{1 - settings.found_share:.0%} of them drawn, {learning.steps} steps of "
        f"{learning.batch_size}, seed {learning.seed}, on one processor core. Weights are averaged "
        "over steps and stored in 16 bit.",
        "",
        MADE[name],
        "",
        "An image is stretched between its percentiles "
        f"{metadata.preparation.low:g} and {metadata.preparation.high:g}. Of each object its "
        f"bounding box is cut out, with {settings.crop.margin} px around it and shrunk where it is "
        f"larger than {settings.crop.size} px. The network sees it with its surroundings, and as a "
        "second channel where the object is (`mask_channel` in model.json). " + TRIED.get(name, ""),
        "",
        "| learnt from | licence | images |",
        "| --- | --- | --- |",
        *(
            f"| {f'[{each.name}]({each.url})' if each.url else each.name} | {each.licence} | "
            f"{each.images or 'any number'} |"
            for each in metadata.training_data
        ),
        "",
        "## Where it fails",
        "",
        *(f"- {line}" for line in FAILS[name]),
        "",
        "Licence of the weights: MIT. Where a source states no licence, its images were used for "
        "training only and are not part of this package.",
        "",
    ]
    return "\n".join(lines)
