"""A network that learns to segment, as Lightning trains it."""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn

from ..networks.segmenter import Segmenter
from .learning import Learner
from .losses import SegmentationLoss
from .samples import Sample
from .settings import TrainingSettings


class SegmentationTask(Learner):
    """Losses and scores of a segmentation.

    Parameters
    ----------
    network : Segmenter
    settings : TrainingSettings
    """

    network: Segmenter
    settings: TrainingSettings

    def __init__(self, network: Segmenter, settings: TrainingSettings) -> None:
        super().__init__(network, settings, SegmentationLoss(settings.loss))
        for part in self._frozen():
            part.requires_grad_(False)
        self.train(network.training)
        self.validated: list[dict[str, float]] = []
        self.last_logits: Tensor | None = None

    def _frozen(self) -> list[nn.Module]:
        """The encoder, where it is not to learn."""
        return self.network.encoder() if self.settings.freeze_encoder else []

    def train(self, mode: bool = True) -> Self:
        """Switch to training, all but what is frozen: its norms keep their statistics, too."""
        super().train(mode)
        for part in self._frozen():
            part.eval()
        return self

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
