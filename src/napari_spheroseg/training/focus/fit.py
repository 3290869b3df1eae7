"""One training run of a focus detector, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from ... import networks
from .. import loop
from ..learning import Learner
from ..settings import CPU, Learning
from .stacks import TILE
from .tiles import Tiles

Float = NDArray[np.float32]
NETWORK = "flexresnet"
ARGUMENTS = {"num_classes": 1, "min_size": TILE, "initial_filters": 8}
LEARNING = Learning(
    epochs=14, batch_size=48, learning_rate=6e-3, weight_decay=0.02, warm_up=70, average=0
)
_SURE = 0.97  # truth that a label stands for: some of them are wrong


class Varied(Dataset[tuple[Float, Float]]):
    """Endless tiles, every other in focus, and 1 where they are: number i is always the same.

    Parameters
    ----------
    pools : sequence of (Tiles, float)
        Kinds of tiles, each of both sorts, and how often they are drawn.
    seed : int
    """

    def __init__(self, pools: Sequence[tuple[Tiles, float]], seed: int) -> None:
        self.seed = seed
        self._tiles = [tiles for tiles, _ in pools]
        self._chances = np.array([share for _, share in pools]) / sum(share for _, share in pools)

    def __getitem__(self, number: int) -> tuple[Float, Float]:
        rng, is_sharp = np.random.default_rng([self.seed, number]), number % 2 == 1
        tiles = self._tiles[rng.choice(len(self._tiles), p=self._chances)]
        tile = tiles.values[rng.choice(np.flatnonzero(tiles.sharp == is_sharp))]
        return augmented(tile, rng)[None], np.array([is_sharp], np.float32)


def augmented(tile: Float, rng: np.random.Generator) -> Float:
    """Turned, mirrored, inverted, of other contrast and gamma, and noisy.

    Parameters
    ----------
    tile : ndarray of float32, (y, x)
        In [0, 1].
    rng : Generator

    Returns
    -------
    ndarray of float32, (y, x)
        In [0, 1].
    """
    tile = np.rot90(tile, int(rng.integers(4)))
    tile = tile[:, ::-1] if rng.random() < 0.5 else tile
    tile = 1 - tile if rng.random() < 0.5 else tile
    tile = tile.clip(0, 1) ** np.float32(np.exp2(rng.uniform(-0.7, 0.7)))
    middle = tile.mean()
    tile = middle + (tile - middle) * np.float32(np.exp2(rng.uniform(-1.8, 0.3)))
    noise = rng.standard_normal(tile.shape, np.float32) * tile.std()
    tile = tile + noise * np.float32(rng.random() ** 2 * rng.uniform(0, 0.7))
    return np.ascontiguousarray(tile.clip(0, 1), np.float32)


def fit(
    pools: Sequence[tuple[Tiles, float]], folder: Path, learning: Learning = LEARNING
) -> nn.Module:
    """Train a network that tells tiles in focus from others, on the processor.

    Parameters
    ----------
    pools : sequence of (Tiles, float)
        Kinds of tiles, and how often they are drawn.
    folder : Path
        For checkpoints; a training that was interrupted goes on from it.
    learning : Learning

    Returns
    -------
    Module
        Its one output is a logit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(learning.seed)
    network = networks.create(NETWORK, **ARGUMENTS).train()
    task, tiles = Learner(network, learning, _loss), Varied(pools, learning.seed)
    log = loop.Log(folder / "log.jsonl")
    loop.fit(task, tiles, None, folder, machine=CPU, callbacks=(log,))
    network.load_state_dict(loop.best_weights(folder))
    return network.eval()


def _loss(logits: Tensor, sharp: Tensor) -> Tensor:
    wanted = sharp * (2 * _SURE - 1) + (1 - _SURE)
    return nn.functional.binary_cross_entropy_with_logits(logits, wanted)
