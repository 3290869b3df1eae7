"""A flexresnet while it learns: what enters its last layer is brought to deviation 1.

Most of a crop is empty, so that the means over all pixels differ by little between objects, and a
last layer that begins near 0 takes thousands of steps to tell them apart.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ...networks.flexresnet import FlexResNet

_EPSILON = 1e-5


class Standardised(nn.Module):
    """A flexresnet with a norm before its last layer; `plain` gives one without, of equal scores.

    Parameters
    ----------
    network : FlexResNet
        With a global mean; copied.
    crops : Tensor
        Some (B, C, y, x), from which the norm begins: scores in evaluation mode are those of
        `network`.
    """

    def __init__(self, network: FlexResNet, crops: Tensor) -> None:
        super().__init__()
        self.body = copy.deepcopy(network)
        last = self.body.classifier[0]
        assert isinstance(last, nn.Linear)
        self.last = copy.deepcopy(last)
        self.body.classifier = nn.Sequential()
        self.norm = nn.BatchNorm1d(last.in_features, eps=_EPSILON, affine=False)
        with torch.no_grad():
            means = self.body.eval()(crops)
            self.norm.running_mean = means.mean(dim=0)
            self.norm.running_var = means.var(dim=0)
            self.last.weight.mul_(self._deviation())
            self.last.bias.add_(last.weight @ means.mean(dim=0))

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B, classes)."""
        scores: Tensor = self.last(self.norm(self.body(x)))
        return scores

    def _deviation(self) -> Any:
        assert self.norm.running_var is not None
        return (self.norm.running_var + _EPSILON).sqrt()

    @torch.no_grad()
    def plain(self) -> FlexResNet:
        """The network without the norm, in evaluation mode."""
        network = copy.deepcopy(self.body).eval()
        last = copy.deepcopy(self.last)
        last.weight.div_(self._deviation())
        assert self.norm.running_mean is not None
        last.bias.sub_(last.weight @ self.norm.running_mean)
        network.classifier = nn.Sequential(last)
        return network
