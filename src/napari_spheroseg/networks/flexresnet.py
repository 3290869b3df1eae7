"""FlexResNet: a small residual network that tells classes of cells."""

from __future__ import annotations

from math import isqrt
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import Shapes, count_keys
from .monai_unet import Named, ResidualUnit, recognise_layers


class FlexResNet(nn.Module):
    """Residual units, a global mean and one linear layer; 416,202 parameters at the defaults.

    Parameters
    ----------
    num_classes : int
        Scores that come out; the published five are single cell, clump, noise, out of focus
        and joint cell.
    in_channels : int
        Channels of the crop.
    min_size : int
        Smaller crops are padded to it (pixels), with zeros at the bottom and right.
    initial_filters : int
        Channels of the first unit; each further unit has twice as many.
    num_blocks : int
        Residual units; the first, of two convolutions, halves the sides, the others have three.
    use_global_pool : bool
        Mean over all pixels before the linear layer; else crops must be of `min_size`.
    act, norm, dropout, bias, adn_ordering
        Of the residual units, as `MonaiUNet` has them.

    Notes
    -----
    Source: HiTMicTools' cell classifier, whose argument and key names these are.
    """

    def __init__(
        self,
        num_classes: int = 5,
        in_channels: int = 1,
        min_size: int = 32,
        initial_filters: int = 64,
        num_blocks: int = 2,
        use_global_pool: bool = True,
        act: Named = "prelu",
        norm: Named = "instance",
        dropout: float | None = None,
        bias: bool = True,
        adn_ordering: str = "NDA",
    ) -> None:
        super().__init__()
        self.min_size = min_size
        self.use_global_pool = use_global_pool
        self.features = nn.Sequential()
        before = in_channels
        for index in range(num_blocks):
            width = initial_filters * 2**index
            unit = ResidualUnit(
                before,
                width,
                stride=1 if index else 2,
                subunits=3 if index else 2,
                act=act,
                norm=norm,
                dropout=dropout,
                bias=bias,
                adn_ordering=adn_ordering,
            )
            self.features.append(unit)
            before = width
        side = 1 if use_global_pool else -(-min_size // 2)
        self.classifier = nn.Sequential(nn.Linear(before * side * side, num_classes))

    @staticmethod
    def recognise(shapes: Shapes) -> dict[str, Any] | None:
        """Arguments of the FlexResNet whose weights have these shapes, or None.

        What leaves no trace is taken to be the default, as in `MonaiUNet.recognise`.
        """
        first = "features.0.conv.unit0.conv.weight"
        if first not in shapes or "classifier.0.weight" not in shapes:
            return None
        blocks = len(count_keys(shapes, "features.{}.conv.unit0.conv.weight"))
        classes, inputs = shapes["classifier.0.weight"]
        pixels = inputs // (shapes[first][0] * 2 ** (blocks - 1))
        return {
            "num_classes": classes,
            "in_channels": shapes[first][1],
            "min_size": 32 if pixels == 1 else 2 * isqrt(pixels),
            "initial_filters": shapes[first][0],
            "num_blocks": blocks,
            "use_global_pool": pixels == 1,
            "bias": "features.0.conv.unit0.conv.bias" in shapes,
            **recognise_layers(shapes, "features.0.conv.unit0.adn"),
        }

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B, num_classes), before softmax, of crops (B, in_channels, H, W)."""
        height, width = x.shape[-2:]
        x = F.pad(x, (0, max(0, self.min_size - width), 0, max(0, self.min_size - height)))
        x = self.features(x)
        x = x.mean(dim=(2, 3)) if self.use_global_pool else x.flatten(1)
        scores: Tensor = self.classifier(x)
        return scores
