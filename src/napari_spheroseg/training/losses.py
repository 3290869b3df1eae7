"""What training minimises."""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai import losses as monai_losses
from torch import Tensor
from torch.nn import functional as F

from .settings import Loss

OfMask = Callable[[Tensor, Tensor], Tensor]


def of_foreground(settings: Loss) -> OfMask:
    """Loss of logits (B, 1, y, x) against a mask of the same shape, as MONAI has it."""
    both = {"lambda_dice": settings.dice_weight}
    losses: dict[str, Callable[[], OfMask]] = {
        "bce": torch.nn.BCEWithLogitsLoss,
        "dice": lambda: monai_losses.DiceLoss(sigmoid=True),
        "focal": lambda: monai_losses.FocalLoss(gamma=settings.gamma),
        "dice_bce": lambda: monai_losses.DiceCELoss(
            sigmoid=True, **both, lambda_ce=settings.other_weight
        ),
        "dice_focal": lambda: monai_losses.DiceFocalLoss(
            sigmoid=True, gamma=settings.gamma, **both, lambda_focal=settings.other_weight
        ),
        "tversky": lambda: monai_losses.TverskyLoss(
            sigmoid=True, alpha=settings.alpha, beta=settings.beta
        ),
    }
    return losses[settings.name]()


class SegmentationLoss:
    """Loss of all outputs of a segmentation network.

    Parameters
    ----------
    settings : Loss
    """

    def __init__(self, settings: Loss) -> None:
        self.settings = settings
        self._of_foreground = of_foreground(settings)

    def __call__(
        self, outputs: Tensor | list[Tensor], foreground: Tensor, distance: Tensor
    ) -> Tensor:
        """Loss of logits (B, 1 or 2, y, x), or of a list of them, coarser ones after the first.

        Parameters
        ----------
        outputs : Tensor or list of Tensor
        foreground, distance : Tensor
            (B, 1, y, x), in [0, 1].
        """
        if isinstance(outputs, Tensor):
            outputs = [outputs]
        weights = [1.0, *[self.settings.supervision_weight] * (len(outputs) - 1)]
        losses = [
            weight * self._one(output, foreground, distance)
            for weight, output in zip(weights, outputs, strict=True)
        ]
        return torch.stack(losses).sum() / sum(weights)

    def _one(self, logits: Tensor, foreground: Tensor, distance: Tensor) -> Tensor:
        loss = self._of_foreground(logits[:, :1], foreground)
        if logits.shape[1] > 1:
            # entropy of the target itself taken off, so that a perfect answer costs nothing
            off = F.binary_cross_entropy_with_logits(logits[:, 1:2], distance) - _entropy(distance)
            loss = loss + self.settings.distance_weight * off
        return loss


def _entropy(p: Tensor) -> Tensor:
    entropy: Tensor = torch.special.entr(p).mean() + torch.special.entr(1 - p).mean()
    return entropy
