"""A network that learns to tell objects, as Lightning trains it, and the crops that it sees."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from ..learning import Learner
from .bank import Bank
from .settings import Learning

Float = NDArray[np.float32]


class Crops(Dataset[tuple[Float, Any]]):
    """Endless crops with their classes, each of which is as frequent: number i is always the same.

    Parameters
    ----------
    bank : Bank
    seed : int
    """

    def __init__(self, bank: Bank, seed: int) -> None:
        self.bank, self.seed = bank, seed
        self._of_kind = [np.flatnonzero(bank.kinds == kind) for kind in np.unique(bank.kinds)]

    def __getitem__(self, number: int) -> tuple[Float, Any]:
        rng = np.random.default_rng([self.seed, number])
        own = self._of_kind[rng.integers(len(self._of_kind))]
        chosen = own[rng.integers(len(own))]
        crop = self.bank.crops[chosen].astype(np.float32)
        return vary(crop, rng, self.bank.has_mask), self.bank.kinds[chosen]


def vary(crop: Float, rng: np.random.Generator, has_mask: bool = False) -> Float:
    """A crop mirrored, turned by quarters, and of another gamma and contrast.

    What is 0, such as all that lies outside of an object that was masked, stays 0.

    Parameters
    ----------
    crop : ndarray of float32, (C, y, x)
        In [0, 1].
    rng : Generator
    has_mask : bool
        Whether the last channel is a mask, which has no contrast to vary.

    Returns
    -------
    ndarray of float32, (C, y, x)
    """
    turned = np.rot90(crop, int(rng.integers(4)), (1, 2))
    crop = np.array(turned[:, :, ::-1] if rng.random() < 0.5 else turned)
    grey = crop[:-1] if has_mask else crop
    gamma, gain = (np.float32(np.exp(rng.uniform(*each))) for each in ((-0.3, 0.3), (-0.4, 0.15)))
    grey[:] = np.clip(grey**gamma * gain, 0, 1)
    return crop


class CropTask(Learner):
    """Cross-entropy with labels that are not quite sure.

    Parameters
    ----------
    network : Module
        Scores (B, K) from crops (B, C, y, x); changed.
    settings : Learning
    """

    def __init__(self, network: nn.Module, settings: Learning) -> None:
        loss = partial(F.cross_entropy, label_smoothing=settings.smoothing)
        super().__init__(network, settings, loss)


@torch.inference_mode()
def probabilities(network: nn.Module, crops: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Probability of each class, (N, K), of crops (N, C, y, x)."""
    network.eval()
    parts = [
        F.softmax(network(torch.from_numpy(crops[i : i + 256].astype(np.float32))), dim=1).numpy()
        for i in range(0, len(crops), 256)
    ]
    return np.concatenate(parts)
