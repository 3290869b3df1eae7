"""The model that a run leaves behind: weights, model.json and card."""

from __future__ import annotations

import shutil
from typing import Any

from safetensors.torch import save_file

from ..errors import UnreadableFile
from ..models import ModelMetadata
from ..models.library import CARD, WEIGHTS, write_metadata
from ..models.metadata import TrainingData
from ..models.model import sha256_of
from .loop import best_weights
from .pairs import Dataset
from .runs import Run


def write_model(run: Run, metadata: ModelMetadata, dataset: Dataset) -> ModelMetadata:
    """Write ``run.model`` from the best checkpoint.

    Parameters
    ----------
    run : Run
    metadata : ModelMetadata
        From `fit`; completed with data, metrics and checksum.
    dataset : Dataset
        What was learnt from.

    Returns
    -------
    ModelMetadata

    Raises
    ------
    UnreadableFile
        It cannot be written; the checkpoints are kept.
    """
    best = best_weights(run.folder)
    state = {key: value.half().contiguous() for key, value in best.items()}
    beside = run.folder / ".model.part"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir()
        save_file(state, beside / WEIGHTS)
        metadata = metadata.replace(
            sha256=sha256_of(beside / WEIGHTS),
            training_data=learnt_from(dataset, run.settings.data.synthetic_share > 0),
            metrics={"validation": best_epoch(run)},
            source=f"trained from {run.settings.start or 'scratch'}",
        )
        write_metadata(beside, metadata)
        (beside / CARD).write_text(card(run, metadata), encoding="utf-8")
        shutil.rmtree(run.model, ignore_errors=True)
        beside.rename(run.model)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise UnreadableFile(
            f"{run.model} cannot be written: {error.strerror or error}",
            hint="Make room and resume: training itself is done.",
        ) from error
    return metadata


def learnt_from(dataset: Dataset, synthetic: bool) -> tuple[TrainingData, ...]:
    """Sources with the number of images that were learnt from."""
    sources = [
        TrainingData(name=name, licence="not stated", images=len(pairs))
        for name, pairs in sorted(dataset.by_source.items())
    ]
    if synthetic:
        drawn = TrainingData(name="synthetic", licence="MIT", note="drawn while training")
        sources.append(drawn)
    return tuple(sources)


def best_epoch(run: Run) -> dict[str, Any]:
    """Metrics of the epoch that was kept."""
    stopping = run.settings.early_stopping
    if stopping is not None and stopping.monitor == "loss":
        return min(run.metrics, key=lambda entry: entry["val_loss"])
    return max(run.metrics, key=lambda entry: entry["val_dice"])


def card(run: Run, metadata: ModelMetadata) -> str:
    """README of a model that a user trained."""
    settings, best = run.settings, metadata.metrics["validation"]
    begun = f"Trained from the model '{settings.start}'" if settings.start else "Trained anew"
    lines = [
        f"# {metadata.title}",
        "",
        metadata.description,
        "",
        f"{begun}: {best['step']} steps of {settings.batch_size} samples of {settings.crop} px, "
        f"loss {settings.loss.name}, learning rate {settings.learning_rate:g}, seed "
        f"{settings.seed}. All settings: `settings.json` of the run `{run.name}`.",
        "",
        "| learnt from | images | licence |",
        "| --- | --- | --- |",
        *(
            f"| {each.name} | {each.images or 'drawn while training'} | {each.licence} |"
            for each in metadata.training_data
        ),
        "",
        f"On images kept to validate: Dice {best['val_dice']:.3f}, IoU {best['val_iou']:.3f} of "
        "the foreground. The best epoch was chosen by them: measure on others with "
        "`spheroseg evaluate`.",
        "",
    ]
    return "\n".join(lines)
