"""One training run of a focus detector, in this process."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ... import networks
from .stacks import TILE
from .tiles import Tiles

_log = logging.getLogger(__name__)
NETWORK = "flexresnet"
ARGUMENTS = {"num_classes": 1, "min_size": TILE, "initial_filters": 8}
_SURE = 0.97  # truth that a label stands for: some of them are wrong


@dataclass(frozen=True)
class Fitting:
    """How a detector learns.

    Attributes
    ----------
    steps, batch : int
        Steps, and tiles in each.
    rate : float
        Highest learning rate.
    seed : int
    """

    steps: int = 700
    batch: int = 48
    rate: float = 6e-3
    seed: int = 0


class Pool:
    """Tiles of one kind; of each draw half is in focus.

    Parameters
    ----------
    tiles : Tiles
        Of both sorts.
    """

    def __init__(self, tiles: Tiles) -> None:
        self._values = torch.from_numpy(tiles.values)
        self._sides = [np.flatnonzero(tiles.sharp == side) for side in (False, True)]

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """An even number of tiles, and 1 where they are in focus."""
        chosen = np.concatenate([rng.choice(side, count // 2) for side in self._sides])
        return self._values[chosen], torch.arange(count) // (count // 2) * 1.0


def fit(pools: Sequence[tuple[Tiles, float]], how: Fitting | None = None) -> nn.Module:
    """Train a network that tells tiles in focus from others.

    Parameters
    ----------
    pools : sequence of (Tiles, float)
        Kinds of tiles, and their share of a batch.
    how : Fitting, optional

    Returns
    -------
    Module
        Its one output is a logit.
    """
    how = how or Fitting()
    torch.manual_seed(how.seed)
    network = networks.create(NETWORK, **ARGUMENTS).train()
    optimiser = torch.optim.AdamW(network.parameters(), how.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, how.rate, how.steps, pct_start=0.1)
    rng = np.random.default_rng(how.seed)
    generator = torch.Generator().manual_seed(how.seed)
    shares = np.array([share for _, share in pools])
    kinds = [Pool(tiles) for tiles, _ in pools]
    for step in range(1, how.steps + 1):
        counts = 2 * rng.multinomial(how.batch // 2, shares / shares.sum())
        drawn = [kind.draw(int(n), rng) for kind, n in zip(kinds, counts, strict=True) if n]
        tiles, truth = (torch.cat(each) for each in zip(*drawn, strict=True))
        logits = network(augmented(tiles, generator))[:, 0]
        wanted = truth * (2 * _SURE - 1) + (1 - _SURE)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, wanted)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            _log.info("step %d of %d: loss %.3f", step, how.steps, float(loss.detach()))
    return network.eval()


def augmented(tiles: Tensor, generator: torch.Generator) -> Tensor:
    """Turned, mirrored, inverted, of other contrast and gamma, and noisy; each in its own way.

    Parameters
    ----------
    tiles : Tensor, (B, y, x)
        In [0, 1].
    generator : torch.Generator

    Returns
    -------
    Tensor, (B, 1, y, x)
        In [0, 1].
    """

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(tiles), 1, 1, generator=generator)

    tiles = torch.rot90(tiles, int(torch.randint(4, (), generator=generator)), (1, 2))
    tiles = torch.where(uniform(0, 1) < 0.5, tiles.flip(2), tiles)
    tiles = torch.where(uniform(0, 1) < 0.5, 1 - tiles, tiles)
    tiles = tiles.clamp(0, 1) ** torch.exp2(uniform(-0.7, 0.7))
    middle = tiles.mean(dim=(1, 2), keepdim=True)
    tiles = middle + (tiles - middle) * torch.exp2(uniform(-1.8, 0.3))
    noise = torch.randn(tiles.shape, generator=generator) * tiles.std(dim=(1, 2), keepdim=True)
    tiles = tiles + noise * uniform(0, 1) ** 2 * uniform(0, 0.7)
    return tiles.clamp(0, 1)[:, None]
