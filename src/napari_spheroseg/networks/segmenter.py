"""What all networks that segment have in common: they say what training must know of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import nn


class Segmenter(nn.Module, ABC):
    """A network whose outputs are logits of the size of the image."""

    outputs_argument: ClassVar[str] = "out_channels"
    """Name of the argument that says how many logits a pixel gets."""
    dropout_argument: ClassVar[str | None] = "dropout_rate"
    """Name of the argument that sets the dropout; None where it cannot be set."""

    @abstractmethod
    def encoder(self) -> list[nn.Module]:
        """The parts that see the image before the decoder does; together not the whole network."""
