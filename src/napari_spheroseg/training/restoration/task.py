"""A network that learns to restore focus, as Lightning trains it."""

from __future__ import annotations

import math
from typing import Any

from monai.losses import SSIMLoss
from torch import Tensor, nn

from ..learning import Learner
from .samples import Pair
from .settings import RestorationTraining


class RestorationTask(Learner):
    """Absolute and squared error, and SSIM, to the sharp image.

    Parameters
    ----------
    network : Module
        (B, 1, y, x) to the same shape.
    settings : RestorationTraining
    """

    def __init__(self, network: nn.Module, settings: RestorationTraining) -> None:
        super().__init__(network, settings, self._difference)
        self._weight, self._squared = settings.structure_weight, settings.squared_weight
        self._structure = SSIMLoss(spatial_dims=2, data_range=1.0)

    def _difference(self, restored: Tensor, sharp: Tensor) -> Tensor:
        error = restored - sharp
        structure: Tensor = self._structure(restored, sharp)
        absolute, squared = error.abs().mean(), error.square().mean()
        return absolute + self._squared * squared + self._weight * structure

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
