"""A network that learns to segment, as Lightning trains it."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..errors import SpherosegError
from .losses import SegmentationLoss
from .samples import Sample
from .settings import TrainingSettings

ENCODERS = (
    *("init_conv", "downs", "bottleneck"),  # the U-Nets
    *("conv1", "conv2", "bn1", "bn2", "layer1", "stage", "transition"),  # HRNet
)


class SegmentationTask(pl.LightningModule):
    """Losses, optimiser and the running average of the weights.

    Parameters
    ----------
    network : Module
    settings : TrainingSettings
    """

    def __init__(self, network: nn.Module, settings: TrainingSettings) -> None:
        super().__init__()
        self.network = network
        self.settings = settings
        self.loss = SegmentationLoss(settings.loss)
        averaging = get_ema_multi_avg_fn(settings.average)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(network, multi_avg_fn=averaging)
        if settings.freeze_encoder:
            for name, parameter in network.named_parameters():
                parameter.requires_grad_(not name.startswith(ENCODERS))
        self.validated: list[dict[str, float]] = []
        self.last_logits: Tensor | None = None

    def training_step(self, batch: Sample, number: int) -> Tensor:
        """Loss of one batch."""
        # dropout, too, follows from the step's number: a resumed run draws what it would have
        torch.manual_seed(self.settings.seed + 1_000_003 * (self.global_step + 1))
        loss = self.loss(self.network(batch.image), batch.foreground, batch.distance)
        if not torch.isfinite(loss):
            raise SpherosegError(
                f"The loss became {loss.item()} at step {self.global_step}",
                hint="Start a new run with a smaller learning rate; the best checkpoint is kept.",
            )
        self.log("loss", loss.detach(), on_step=False, on_epoch=True, batch_size=len(batch.image))
        return loss

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        """Step, then average: before any callback that may save."""
        super().optimizer_step(*arguments, **options)
        self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self.validated = []

    def validation_step(self, batch: Sample, number: int) -> None:
        """Loss, Dice and IoU of the averaged weights on one image."""
        self.average.eval()
        logits = self.average(batch.image)[..., : batch.foreground.shape[-2], :]
        self.last_logits = logits = logits[..., : batch.foreground.shape[-1]]
        found, truth = logits[:, 0] > 0, batch.foreground[:, 0] > 0.5
        both, total = int((found & truth).sum()), int(found.sum() + truth.sum())
        scores = {
            "val_loss": self.loss(logits, batch.foreground, batch.distance).item(),
            "val_dice": 2 * both / total if total else 1.0,
            "val_iou": both / (total - both) if total else 1.0,
        }
        self.validated.append(scores)
        self.log_dict(scores, on_epoch=True, batch_size=1, sync_dist=True)

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
        if settings.schedule == "plateau":
            plateau = ReduceLROnPlateau(optimizer, patience=5)
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": plateau, "monitor": "val_loss"},
            }
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _factor(self, step: int) -> float:
        """Part of the learning rate at a step: warm-up, then half a cosine."""
        settings = self.settings
        if step < settings.warm_up:
            return (step + 1) / (settings.warm_up + 1)
        if settings.schedule == "constant":
            return 1.0
        done = (step - settings.warm_up) / max(1, settings.steps - settings.warm_up)
        return 0.5 * (1 + math.cos(math.pi * min(done, 1))) + 1e-3
