"""What a training run tells the world: status, metrics and pictures in its folder."""

from __future__ import annotations

import csv
import json
import time
from collections import defaultdict
from typing import Any

import cv2
import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray

from ..readwrite.atomic import replacing
from .pairs import Pair
from .runs import METRICS, Run, Status
from .samples import Sample
from .task import SegmentationTask

_TRUTH, _FOUND = (255, 200, 60), (80, 120, 255)  # blue, green, red
_EVERY = 1.0  # seconds between two writes of the status


class Watch(pl.Callback):
    """Writes the run's status every second, and metrics and a picture every epoch.

    Parameters
    ----------
    run : Run
    validated : list of Pair
        In the order of validation.
    steps : int
        Of the whole training.
    """

    def __init__(self, run: Run, validated: list[Pair], steps: int) -> None:
        self.run, self.validated, self.steps = run, validated, steps
        self._written = 0.0
        self._began: tuple[float, int] | None = None
        self._shown = _most_telling(validated)

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """The clock runs from the second step: the first compiles and fills caches."""
        if self._began is None and trainer.global_step > 0:
            self._began = (time.monotonic(), trainer.global_step)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Status, now and then."""
        if time.monotonic() - self._written > _EVERY:
            self._written = time.monotonic()
            self.write(trainer, "Training")

    def on_train_end(self, trainer: pl.Trainer, _: Any) -> None:
        """The last status of training."""
        self.write(trainer, "Writing the model")

    def write(self, trainer: pl.Trainer, message: str) -> None:
        """Write the status."""
        pace = None
        if self._began is not None and trainer.global_step > self._began[1]:
            pace = (time.monotonic() - self._began[0]) / (trainer.global_step - self._began[1])
        self.run.write_status(
            Status(
                state="running",
                message=message,
                epoch=trainer.current_epoch + 1,
                step=trainer.global_step,
                steps=self.steps,
                seconds_per_step=pace,
            )
        )

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        task: pl.LightningModule,
        outputs: Any,
        batch: Sample,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """The picture of this epoch."""
        assert isinstance(task, SegmentationTask)
        if batch_idx == self._shown:
            assert task.last_logits is not None
            picture = compare(batch, task.last_logits)
            name = f"epoch_{trainer.current_epoch + 1:04d}.png"
            _, content = cv2.imencode(".png", picture)
            with replacing(self.run.folder / "pictures" / name) as temporary:
                temporary.write_bytes(content.tobytes())

    def on_train_epoch_end(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        """A line of metrics."""
        assert isinstance(task, SegmentationTask)
        scores = {k: round(float(v), 5) for k, v in trainer.callback_metrics.items()}
        by_source = defaultdict(list)
        for pair, each in zip(self.validated, task.validated, strict=False):
            by_source[pair.source].append(each["val_iou"])
        means = {f"iou {name}": round(float(np.mean(v)), 5) for name, v in by_source.items()}
        entry: dict[str, Any] = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step}
        entry |= {"seconds": round(time.time()), "learning_rate": task.learning_rate}
        entry |= scores | means
        with (self.run.folder / METRICS).open("ab+") as file:
            file.seek(0)
            whole = file.read()[-1:] in (b"", b"\n")  # a crash may have left half a line
            file.write((b"" if whole else b"\n") + json.dumps(entry).encode() + b"\n")
        entries = self.run.metrics
        with (
            replacing(self.run.folder / "metrics.csv") as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, list(entries[-1]), extrasaction="ignore")
            writer.writeheader()
            writer.writerows(entries)


def _most_telling(validated: list[Pair]) -> int:
    """The image that is shown: the first of the source with the most."""
    if not validated:
        return 0
    sources = [pair.source for pair in validated]
    return sources.index(max(set(sources), key=lambda name: (sources.count(name), name)))


def compare(sample: Sample, logits: torch.Tensor) -> NDArray[np.uint8]:
    """The first image of a batch with the outlines of truth and prediction.

    Parameters
    ----------
    sample : Sample
        A batch, (B, ., y, x).
    logits : Tensor
        (B, K, y, x).

    Returns
    -------
    ndarray of uint8, (y, x, 3)
        Blue, green, red; truth is light blue, what was found is red.
    """
    grey = sample.image[0].float().cpu().mean(0).numpy()
    low, high = np.percentile(grey, (0.5, 99.5))
    unit = np.clip((grey - low) / max(float(high - low), 1e-6), 0, 1)
    canvas = cv2.cvtColor((unit * 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    truth, found = sample.foreground[0, 0] > 0.5, logits[0, 0] > 0
    for mask, colour in ((truth, _TRUTH), (found, _FOUND)):
        pixels = mask.cpu().numpy().astype(np.uint8)
        outlines, _ = cv2.findContours(pixels, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, outlines, -1, colour, 1, cv2.LINE_AA)
    return np.asarray(canvas, np.uint8)
