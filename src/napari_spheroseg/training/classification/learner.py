"""A classifier that learns from a bank of crops, one step at a time."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import SpherosegError
from .bank import Bank
from .settings import Learning


class Learner:
    """A network, its optimiser, and the running mean of its weights.

    Step n draws what it draws from the seed and n alone, so that a training that was interrupted
    goes on as if it had not been.

    Parameters
    ----------
    network : Module
        Scores (B, K) from crops (B, 1, y, x); changed.
    bank : Bank
        To learn from; classes may be of any frequency, each is drawn as often.
    settings : Learning
    """

    def __init__(self, network: nn.Module, bank: Bank, settings: Learning) -> None:
        self.network = network.train()
        self.average = copy.deepcopy(network).eval()
        self.bank, self.settings = bank, settings
        self.done = 0
        self._of_kind = [np.flatnonzero(bank.kinds == kind) for kind in np.unique(bank.kinds)]
        groups: list[dict[str, Any]] = [
            {"params": [p for p in network.parameters() if p.ndim > 1]},
            {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(
            groups, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def step(self) -> float:
        """Learn from one batch; its loss.

        Raises
        ------
        SpherosegError
            The loss is no number any more.
        """
        settings = self.settings
        crops, kinds = self._batch(np.random.default_rng([settings.seed, self.done]))
        torch.manual_seed(settings.seed + 1_000_003 * (self.done + 1))
        for group in self._optimiser.param_groups:
            group["lr"] = settings.learning_rate * self._factor()
        self._optimiser.zero_grad()
        loss = F.cross_entropy(self.network(crops), kinds, label_smoothing=settings.smoothing)
        if not torch.isfinite(loss):
            raise SpherosegError(
                f"The loss became {loss.item()} at step {self.done}",
                hint="Begin again with a smaller learning rate.",
            )
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimiser.step()
        self.done += 1
        self._average()
        return float(loss.detach())

    def _batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        kinds = rng.integers(len(self._of_kind), size=self.settings.batch_size)
        chosen = [self._of_kind[kind][rng.integers(len(self._of_kind[kind]))] for kind in kinds]
        crops = torch.from_numpy(self.bank.crops[chosen].astype(np.float32))
        return vary(crops, rng, self.bank.has_mask), torch.from_numpy(self.bank.kinds[chosen])

    def _factor(self) -> float:
        """Part of the learning rate: warm-up, then half a cosine."""
        settings = self.settings
        if self.done < settings.warm_up:
            return (self.done + 1) / (settings.warm_up + 1)
        part = (self.done - settings.warm_up) / max(1, settings.steps - settings.warm_up)
        return 0.5 * (1 + math.cos(math.pi * min(part, 1))) + 1e-3

    @torch.no_grad()
    def _average(self) -> None:
        # while there are few steps, the mean is over these, not over what was there before
        decay = min(self.settings.average, self.done / (self.done + 10))
        state = self.network.state_dict()
        for key, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(state[key], 1 - decay)
            else:
                value.copy_(state[key])

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on."""
        return {
            "done": self.done,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another left off."""
        self.done = state["done"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])


def vary(crops: Tensor, rng: np.random.Generator, has_mask: bool = False) -> Tensor:
    """Crops mirrored, turned by quarters, and of another gamma and contrast.

    What is 0, such as all that lies outside of an object that was masked, stays 0.

    Parameters
    ----------
    crops : Tensor
        (B, C, y, x), in [0, 1].
    rng : Generator
    has_mask : bool
        Whether the last channel is a mask, which has no contrast to vary.
    """
    if rng.random() < 0.5:
        crops = crops.flip(-1)
    crops = torch.rot90(crops, int(rng.integers(4)), (-2, -1))
    shape = (len(crops), 1, 1, 1)
    gamma = torch.from_numpy(np.exp(rng.uniform(-0.3, 0.3, shape)).astype(np.float32))
    gain = torch.from_numpy(np.exp(rng.uniform(-0.4, 0.15, shape)).astype(np.float32))
    grey = crops[:, :-1] if has_mask else crops
    grey = (grey**gamma * gain).clamp(0, 1)
    return torch.cat([grey, crops[:, -1:]], dim=1) if has_mask else grey


@torch.inference_mode()
def probabilities(network: nn.Module, crops: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Probability of each class, (N, K), of crops (N, 1, y, x)."""
    network.eval()
    parts = [
        F.softmax(network(torch.from_numpy(crops[i : i + 256].astype(np.float32))), dim=1).numpy()
        for i in range(0, len(crops), 256)
    ]
    return np.concatenate(parts)
