"""A network that learns to restore focus, as Lightning trains it."""

from __future__ import annotations

import math
from typing import Any

import torch
from monai.losses import SSIMLoss
from torch import Tensor, nn

from ..learning import Learner
from .samples import Pair
from .settings import RestorationTraining


class RestorationTask(Learner):
    """Absolute and squared error, decibels, and SSIM, to the sharp image.

    Decibels are NAFNet's own loss (Chen et al. 2022, https://arxiv.org/abs/2204.04676).

    Parameters
    ----------
    network : Module
        (B, 1, y, x) to the same shape.
    settings : RestorationTraining
    """

    settings: RestorationTraining

    def __init__(self, network: nn.Module, settings: RestorationTraining) -> None:
        super().__init__(network, settings, self._difference)
        self._structure = SSIMLoss(spatial_dims=2, data_range=1.0)

    def _difference(self, restored: Tensor, sharp: Tensor) -> Tensor:
        settings, error = self.settings, restored - sharp
        structure: Tensor = self._structure(restored, sharp)
        squared = error.square().mean(dim=(1, 2, 3))
        decibels = 10 * torch.log10(squared + 1e-5)  # beyond 50 dB nothing counts
        loss: Tensor = (
            error.abs().mean()
            + settings.squared_weight * squared.mean()
            + settings.relative_weight * decibels.mean()
            + settings.structure_weight * structure
        )
        return loss

    def validation_step(self, batch: Pair, number: int) -> None:
        """Loss, and PSNR and SSIM gained by the averaged weights, on one image."""
        self.average.eval()
        restored = self.average(batch.blurred)
        gain = self._psnr(restored, batch.sharp) - self._psnr(batch.blurred, batch.sharp)
        before, after = (
            1 - float(self._structure(each, batch.sharp)) for each in (batch.blurred, restored)
        )
        scores: dict[str, Any] = {
            "val_loss": self.loss(restored, batch.sharp).item(),
            "val_psnr_gain": gain,
            "val_ssim_gain": after - before,
        }
        self.log_dict(scores, on_epoch=True, batch_size=1, sync_dist=True)

    @staticmethod
    def _psnr(image: Tensor, sharp: Tensor) -> float:
        """For a range of 1, in dB."""
        return -10 * math.log10(max((image - sharp).square().mean().item(), 1e-12))
