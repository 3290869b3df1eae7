"""What all networks that learn here have in common: step, optimiser, schedule, averaged weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..errors import SpherosegError
from .settings import Learning


class Learner(pl.LightningModule):
    """A network, its optimiser, and the running average of its weights.

    Parameters
    ----------
    network : Module
    settings : Learning
    loss : callable
        Of what the network answers, given the truth: all maps of a sample but the first.
    """

    def __init__(self, network: nn.Module, settings: Learning, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        self.network, self.settings, self.loss = network, settings, loss
        self.average = AveragedModel(
            network, multi_avg_fn=self._average, use_buffers=settings.average_grows
        )
        self.average.requires_grad_(False)  # processes would wait for each other's gradients of it

    def _average(self, average: Any, now: Any, steps: Tensor | int) -> None:
        decay = self.settings.average
        if self.settings.average_grows:
            done = int(steps) + 1
            decay = min(decay, done / (done + 10))
        get_ema_multi_avg_fn(decay)(average, now, steps)  # type: ignore[no-untyped-call]

    def training_step(self, batch: Any, number: int) -> Tensor:
        """Loss of one batch.

        Raises
        ------
        SpherosegError
            It is no number, here or in another process.
        """
        # dropout draws from the step's number: a resumed run does as it would have
        batches = self.global_step * self.trainer.world_size + self.trainer.global_rank
        torch.manual_seed(self.settings.seed + 1_000_003 * (batches + 1))
        seen, *truth = batch
        loss = self.loss(self.network(seen), *truth)
        # a process that ended alone would leave the others waiting for its gradients
        if not self.trainer.strategy.reduce_boolean_decision(bool(torch.isfinite(loss))):
            raise SpherosegError(
                f"The loss became {loss.item()} at step {self.global_step}",
                hint="Start anew with a smaller learning rate.",
            )
        size = len(seen)
        self.log(
            "loss", loss.detach(), on_step=False, on_epoch=True, batch_size=size, sync_dist=True
        )
        return loss

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        return float(self.trainer.optimizers[0].param_groups[0]["lr"]) * self._warmth()

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        """Step, then average: before any callback that may save."""
        with self._warming_up():
            super().optimizer_step(*arguments, **options)
        self.average.update_parameters(self.network)

    @contextmanager
    def _warming_up(self) -> Iterator[None]:
        """A smaller learning rate for a step, so that what waits for a plateau sees its own."""
        groups, warmth = self.trainer.optimizers[0].param_groups, self._warmth()
        rates = [group["lr"] for group in groups]
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * warmth
        try:
            yield
        finally:
            for group, rate in zip(groups, rates, strict=True):
                group["lr"] = rate

    def _warmth(self) -> float:
        """Part of the optimiser's learning rate that counts: other schedules set it themselves."""
        settings = self.settings
        if settings.schedule != "plateau":
            return 1.0
        return min(1.0, (self.global_step + 1) / (settings.warm_up + 1))

    def on_validation_end(self) -> None:
        """Step the schedule that waits for a plateau: Lightning would after the epoch is saved."""
        schedule = self.lr_schedulers()
        if isinstance(schedule, ReduceLROnPlateau):
            schedule.step(self.trainer.callback_metrics["val_loss"])

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Step the other schedules."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    def configure_optimizers(self) -> Any:
        """AdamW; biases and norms do not decay."""
        settings = self.settings
        learning = [p for p in self.network.parameters() if p.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [p for p in learning if p.ndim > 1]},
            {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(
            groups, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        schedule: dict[str, Any]
        if settings.schedule == "plateau":
            plateau = ReduceLROnPlateau(optimizer, patience=5)
            schedule = {"scheduler": plateau, "monitor": "val_loss"}
        else:
            schedule = {"scheduler": LambdaLR(optimizer, self._factor), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def _factor(self, step: int) -> float:
        """Part of the learning rate at a step: warm-up, then half a cosine."""
        settings = self.settings
        if step < settings.warm_up:
            return (step + 1) / (settings.warm_up + 1)
        if settings.schedule == "constant":
            return 1.0
        done = (step - settings.warm_up) / max(1, settings.steps - settings.warm_up)
        return 0.5 * (1 + math.cos(math.pi * min(done, 1))) + 1e-3
